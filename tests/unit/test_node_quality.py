from types import SimpleNamespace

import pytest
from conftest import make_study

from securefl.node.quality import keep_verdict, verdict_of
from securefl.node.study_watch import StudyWatch
from securefl.study.parse import parse_study


def test_a_judgement_is_kept_beside_the_study(tmp_path):
    assert verdict_of(tmp_path) is None
    keep_verdict(tmp_path, "not-met")
    assert verdict_of(tmp_path) == "not-met"


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"quality": "good"}', b'{"quality": ["met"]}', b"{}", b"\xff"]
)
def test_a_file_that_holds_no_judgement_tells_none(tmp_path, content):
    (tmp_path / "quality.json").write_bytes(content)
    assert verdict_of(tmp_path) is None


def test_a_disk_that_takes_nothing_more_ends_nothing(tmp_path):
    (tmp_path / "file").touch()
    keep_verdict(tmp_path / "file", "met")
    assert verdict_of(tmp_path / "file") is None


@pytest.mark.parametrize(
    ("minimum", "said"),
    [("0", []), ("0.7", ["the AUC that the study asks for: at least 0.7: met"])],
)
def test_the_owner_is_told_of_a_rule_that_asks_for_something(minimum, said, tmp_path):
    study = parse_study(make_study(3, ('minimum = "0.5"', f'minimum = "{minimum}"'))[0])
    lines = []
    own = SimpleNamespace(plan=SimpleNamespace(study=study), folder=tmp_path, say=lines.append)
    watch = StudyWatch(own, unmasking=None, instances=None, windows=None, heard=0.0)
    watch._tell_verdict(SimpleNamespace(quality="met"))
    assert [line.partition(";")[0] for line in lines] == said
    assert verdict_of(tmp_path) == "met"
