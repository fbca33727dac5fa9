"""A protocol as editors of other systems save it: a byte-order mark, CRLF, a line feed more.

An empty one is called empty.
"""

import pytest
from conftest import protocol_text
from hospital_folder import typed

TEXT = protocol_text().encode()
MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    "content",
    [
        MARK + TEXT,
        TEXT.replace(b"\n", b"\r\n"),
        MARK + TEXT.replace(b"\n", b"\r\n"),
        TEXT + b"\n",
        b"\n" + TEXT,
    ],
)
def test_a_protocol_is_read_whatever_editor_saved_it(tmp_path, content):
    (tmp_path / "p.toml").write_bytes(content)
    assert typed("study", "check", tmp_path / "p.toml").code == 0


def test_lines_of_faults_are_right_behind_a_byte_order_mark(tmp_path):
    (tmp_path / "p.toml").write_bytes(MARK + TEXT.replace(b'holdout = "3/10"', b'holdout = "3:10"'))
    line = TEXT[: TEXT.index(b"holdout")].count(b"\n") + 1
    assert f"line {line}: data.holdout" in typed("study", "check", tmp_path / "p.toml").error


def test_lines_of_contradictions_are_right_behind_it_too(tmp_path):
    (tmp_path / "p.toml").write_bytes(MARK + TEXT.replace(b"rounds = 4", b"rounds = 5"))
    done = typed("study", "check", tmp_path / "p.toml")
    line = TEXT[: TEXT.index(b"steps = 4")].count(b"\n") + 1
    assert f"line {line}: stages.1.steps" in done.error


@pytest.mark.parametrize("content", [b"", b"\n", MARK, b"# nothing yet\n"])
def test_an_empty_protocol_is_called_empty(tmp_path, content):
    (tmp_path / "e.toml").write_bytes(content)
    done = typed("study", "check", tmp_path / "e.toml")
    assert done.error == "The file is empty: there is no study in it."
    assert "Start from a protocol" in done.mend
    assert "not edited" not in done.mend


def test_a_file_without_a_schema_is_told_the_line_that_it_lacks(tmp_path):
    (tmp_path / "p.toml").write_bytes(TEXT.replace(b'schema = "securefl-protocol/2"', b""))
    done = typed("study", "check", tmp_path / "p.toml")
    assert done.error == 'The file has no line schema = "securefl-protocol/2".'
    assert 'Write schema = "securefl-protocol/2" at its top' in done.mend
