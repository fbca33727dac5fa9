"""Four hospitals behind their PySyft datasites and a light one without, in one study, in processes of
their own. In the light one's processes PySyft cannot be imported.
"""

from pathlib import Path

import pytest
from consortium import Consortium

from securefl.federation.study_board import StudyBoard

#: What the light hospital's processes import is looked at.
pytestmark = [pytest.mark.real_start, pytest.mark.slow]

NAMES = ("Edge", "STMW", "SVHC", "SVI", "UKA")
LIGHT, *DATASITES = NAMES
FIVE = (("min_contributors = 3", "min_contributors = 5"), ("colluders = 1", "colluders = 3"))
NO_PYSYFT = str(Path(__file__).parents[1] / "support" / "no_pysyft.py")


class Mixed(Consortium):
    """The light hospital's agent runs where PySyft cannot be imported."""

    def start(self, name):
        self.program = (NO_PYSYFT,) if name == LIGHT else ()
        return super().start(name)


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    made = Mixed(
        tmp_path_factory.mktemp("consortium"), names=NAMES, without_pysyft=(LIGHT,), edits=FIVE
    )
    try:
        made.start_all()
        made.join()
        yield made
    finally:
        made.end_all()


def test_a_study_of_four_datasites_and_a_light_hospital(c):
    shown = {found.site: found for found in c.lab.datasets()}
    assert [site for site in NAMES if shown[site].without_pysyft] == [LIGHT]
    assert len(shown[LIGHT].mock()) == 20
    study = c.new_study("mixed", *FIVE)
    c.request(study)
    assert study.without_pysyft() == (LIGHT,)
    said = c.cli("study", "status", study.name, "--researcher", str(c.root / "researcher"))
    assert said.count("it has no datasite (without PySyft)") == 1
    assert said.count("its datasite: waits for the owner") == len(DATASITES)
    # nothing runs on a request alone, whichever way it came
    assert study.status() == dict.fromkeys(NAMES, "waiting")
    assert all(not c.workers(name) for name in NAMES)
    for name in DATASITES:
        c.approve(name, study)
    c.until(lambda: all("approvals" in c.waits_for(name, study) for name in DATASITES), "its word")
    assert c.state(LIGHT, study) is None
    assert not c.workers(LIGHT)
    light = str(c.root / LIGHT)
    assert "without PySyft" in c.cli("site", "status", "--site", light)
    c.cli("site", "approve", study.name, "--yes", "--site", light)
    result = c.run(study)
    c.ended(study, *NAMES, status="completed")
    assert set(result.extracts) == set(NAMES)
    for number in range(1, study.plan.last_round + 1):
        assert set(study.verify(number).frames) == set(NAMES)
    assert (c.root / LIGHT / "models" / study.name / "model.safetensors").exists()
    # what the light hospital's agent said and loaded
    assert f"a request came in: {study.name}" in c.log(LIGHT)
    assert "fault" not in c.log(LIGHT)
    assert not (c.root / LIGHT / "syftbox").exists()
    assert StudyBoard(c.lab.folder.board, study.digest).approval(LIGHT).read() is not None
    assert not (c.store_folder / "identities" / LIGHT / "pysyft").exists()
    assert c.end(LIGHT) == 0, (c.root / LIGHT / "process.out").read_text()
