import json

import pytest

from securefl.datasite.decisions import Decisions
from securefl.errors import UnreadableError, UsageError


@pytest.fixture
def decisions(tmp_path):
    return Decisions(tmp_path / "decisions.json")


def test_a_request_goes_from_pending_to_done_and_stays(decisions, tmp_path):
    for status in ("pending", "approved", "running", "done"):
        decisions.set("r/s", status, status)
    assert Decisions(tmp_path / "decisions.json").all()["r/s"].status == "done"
    for status in ("pending", "approved", "running", "rejected", "failed", "done"):
        with pytest.raises(UsageError, match="is finished"):
            decisions.set("r/s", status, "")


@pytest.mark.parametrize(
    "path",
    [
        ("running",),
        ("done",),
        ("rejected", "approved"),
        ("approved", "pending"),
        ("approved", "done"),
        ("sent",),
    ],
)
def test_no_step_is_left_out_and_none_goes_back(decisions, path):
    for status in path[:-1]:
        decisions.set("r/s", status, "")
    with pytest.raises(UsageError):
        decisions.set("r/s", path[-1], "")


@pytest.mark.parametrize(
    "content",
    [
        [1],
        {"r/s": {"status": "approved"}},
        {"r/s": {"status": "maybe", "reason": "", "at": ""}},
        {"r/s": 1},
    ],
)
def test_a_damaged_file_is_said_so(tmp_path, content):
    (tmp_path / "decisions.json").write_text(json.dumps(content))
    with pytest.raises(UnreadableError):
        Decisions(tmp_path / "decisions.json").all()
