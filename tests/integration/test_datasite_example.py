"""PySyft's own client, as in the example, sees datasites, mock data and jobs."""

import subprocess
import sys
from pathlib import Path

from datasite_parties import DESCRIPTION, MOCK, Parties

from securefl.datasite.address import site_email

EXAMPLE = Path(__file__).parents[2] / "examples" / "pysyft_client.py"


def test_pysyfts_own_client_sees_datasites_mock_data_and_jobs(tmp_path):
    parties = Parties(tmp_path)
    with parties.open("SVI") as site:
        site.publish_dataset("thyroid", MOCK, DESCRIPTION, "thyroid records")
    parties.make_peers("SVI")
    parties.submit("SVI", "st")
    with parties.open("SVI") as site:
        site.sync()
        site.set_status(f"{site_email('researcher')}/st", "approved", "for science")
        site.sync()
    done = subprocess.run(
        [sys.executable, EXAMPLE, str(parties.store), str(tmp_path / "researcher"), "researcher"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "  SVI@securefl.invalid: accepted" in lines
    assert "  thyroid of SVI@securefl.invalid: thyroid records" in lines
    assert "    age,tsh" in lines
    assert "  st at SVI@securefl.invalid: approved. for science" in lines
