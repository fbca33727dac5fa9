import pytest

from securefl.node.quality import keep_verdict, verdict_of


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
