import pytest

from securefl.boards.opening import open_board
from securefl.boards.url import reason, usable_url, without_password
from securefl.errors import StoreError, UsageError


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/prefix",
        "sftp://host/folder",
        "file:///a/b",
        "abfs://box@account/x",
        "ftp://host/x",
    ],
)
def test_a_url_stays_as_it_is(text):
    assert usable_url(text) == text


def test_a_folder_becomes_a_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert usable_url("store") == f"{tmp_path}/store"
    assert usable_url("~/store") == "/home/me/store"
    assert usable_url("a:b") == f"{tmp_path}/a:b"
    assert usable_url("./a::b") == f"{tmp_path}/a::b"


@pytest.mark.parametrize(
    ("text", "words", "step"),
    [
        ("", "empty text", "Name a folder"),
        ("  ", "empty text", "Name a folder"),
        ("a\nb", "no screen shows", "Name a folder"),
        (r"\\srv\share", "Windows path", "Mount the share"),
        ("//srv/share", "Windows path", "Mount the share"),
        (r"C:\share", "Windows path", "Mount the share"),
        ("D:/share", "Windows path", "Mount the share"),
        ("s3:/bucket", "one slash", "s3://bucket"),
        ("memory://x", "nothing that several machines share", "Name a folder"),
        ("nonsense://x", "no kind of store", "Name a folder"),
        ("s3://", "names no place", "Name a folder"),
        ("simplecache::s3://b/x", "behind another one", "Name a folder"),
        ("filecache://x", "nothing that several machines share", "Name a folder"),
    ],
)
def test_what_names_no_shared_store_is_refused_with_the_right_form(text, words, step):
    with pytest.raises(UsageError, match=words) as caught:
        usable_url(text)
    assert step in caught.value.next_step


def test_a_password_in_a_url_is_on_no_screen():
    assert without_password("sftp://me:secret@host/x") == "sftp://me:***@host/x"
    assert without_password("s3://bucket/x") == "s3://bucket/x"
    with pytest.raises(StoreError) as caught:
        open_board("nonsense://me:secret@host/x")
    assert "secret" not in str(caught.value)


def test_a_reason_is_one_line_whatever_was_raised():
    assert reason(OSError(28, "No space left on device")) == "No space left on device"
    assert reason(ValueError("two\n  lines.")) == "two lines"
    assert reason(KeyError()) == "KeyError"
    assert len(reason(ValueError("x" * 1000))) == 300
