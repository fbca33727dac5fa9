"""The examples, run as a reader runs them: against hospitals that stand ready and whose owners
approve meanwhile.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from consortium import consortium

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = pytest.mark.slow


def test_the_first_study_goes_from_mock_data_to_a_prediction(tmp_path):
    with consortium(tmp_path) as here, (tmp_path / "screen").open("w+") as screen:
        reader = subprocess.Popen(
            [sys.executable, EXAMPLES / "first_study.py", tmp_path / "researcher", here.protocol],
            stdin=subprocess.DEVNULL,
            stdout=screen,
            stderr=subprocess.STDOUT,
        )
        try:
            requests = [tmp_path / name / "studies" for name in here.names]
            here.until(
                lambda: (
                    reader.poll() is not None
                    or all(list(r.glob("*/request.json")) for r in requests)
                ),
                "the requests",
                120,
            )
            for name in here.names:
                here.approve(name, here.lab.studies()[0])
            status = reader.wait(timeout=180)
        finally:
            reader.kill()
            reader.wait()
        screen.seek(0)
        shown = screen.read()
    assert status == 0, shown
    for word in (
        "mock-1",
        "waiting for the data owners",
        "round 4: one sum of 3 hospitals",
        "AUC: 95 % interval ",
        "STMW, SVHC, SVI",
        "Tests only.",
    ):
        assert word in shown, shown
