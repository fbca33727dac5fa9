import errno
import os
import threading
from pathlib import Path

import pytest

from securefl import files
from securefl.errors import UnreadableError, UsageError
from securefl.files import (
    entries,
    made_whole,
    read_file,
    read_given,
    read_secret,
    sync_folder,
    write_secret,
)


def test_a_regular_file_is_read_up_to_its_cap_and_one_byte(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_file(tmp_path / "a") == b"12345"
    assert read_file(tmp_path / "a", 2) == b"123"


def test_a_pipe_a_folder_and_a_device_are_named_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        (tmp_path / "pipe", "a pipe"),
        (tmp_path, "a folder"),
        (Path("/dev/null"), "a device"),
    ):
        with pytest.raises(OSError, match=f"It is {words}") as caught:
            read_file(path)
        assert caught.value.filename == str(path)


def test_what_a_user_named_is_an_error_of_ours(tmp_path):
    with pytest.raises(
        UnreadableError, match=r"gone cannot be read or written: No such file"
    ) as caught:
        read_given(tmp_path / "gone")
    assert caught.value.next_step


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_folder_that_cannot_be_synced_is_as_durable_as_it_gets(number, tmp_path, monkeypatch):
    def refuse(_fd):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    sync_folder(tmp_path)


def test_a_folder_whose_disk_fails_is_an_error(tmp_path, monkeypatch):
    def refuse(_fd):
        raise OSError(errno.EIO, "I/O error")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="I/O error") as caught:
        sync_folder(tmp_path)
    assert caught.value.filename == str(tmp_path)


def test_a_secret_that_would_be_open_to_others_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "kept_mode", lambda _path: 0o777)
    with pytest.raises(UnreadableError, match="keeps no permissions") as caught:
        write_secret(tmp_path / "key", b"secret")
    assert "Windows drive" in caught.value.next_step
    assert list(tmp_path.iterdir()) == []


def test_half_a_key_is_none(tmp_path, monkeypatch):
    def full(_fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_secret(tmp_path / "key", b"secret")
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_in_the_place_of_a_key_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "key", 0o600)
    with pytest.raises(UnreadableError, match="It is a pipe"):
        read_secret(tmp_path / "key", 32)


def made(path, fail=None, last="last"):
    with made_whole(path, last) as building:
        (building / "keys").mkdir()
        (building / "keys" / "key").write_bytes(b"k")
        (building / "last").write_bytes(b"l")
        if fail:
            raise fail


def hidden(folder):
    return [p.name for p in folder.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("before", ["missing", "empty", "other files", "deep"])
def test_a_folder_is_made_whole(before, tmp_path):
    path = tmp_path / "a" / "b" / "x" if before == "deep" else tmp_path / "x"
    if before in {"empty", "other files"}:
        path.mkdir(mode=0o755)
    if before == "other files":
        (path / "table.csv").write_text("mine")
    made(path)
    assert (path / "keys" / "key").read_bytes() == b"k"
    assert (path / "last").read_bytes() == b"l"
    assert path.stat().st_mode & 0o777 == 0o700
    assert hidden(path.parent) == hidden(path) == []
    assert (path / "table.csv").exists() == (before == "other files")


def test_an_empty_folder_in_which_somebody_works_stays_the_same(tmp_path, monkeypatch):
    """Who types ``init .`` goes on in that folder, and a mounted one can only be filled."""
    path = tmp_path / "x"
    path.mkdir()
    monkeypatch.chdir(path)
    tmp_path.chmod(0o500)  # as where only the folder itself is this user's
    try:
        made(path)
    finally:
        tmp_path.chmod(0o700)
    assert Path("last").read_bytes() == b"l"
    assert hidden(path) == []


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), UsageError("no"), KeyboardInterrupt()],
)
@pytest.mark.parametrize("before", ["missing", "other files"])
def test_what_fails_leaves_nothing_and_can_be_repeated(before, error, tmp_path):
    path = tmp_path / "x"
    if before == "other files":
        path.mkdir()
        (path / "table.csv").write_text("mine")
    expected = UnreadableError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected):
        made(path, error)
    assert hidden(tmp_path) == []
    assert path.exists() == (before == "other files")
    made(path)
    assert (path / "last").exists()


def test_a_move_that_fails_half_way_is_taken_back(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.mkdir()
    (path / "table.csv").write_text("mine")
    rename = type(path).rename

    def once(self, target):
        if self.name == "last":
            raise OSError(errno.EIO, "I/O error", str(self))
        return rename(self, target)

    monkeypatch.setattr(type(path), "rename", once)
    with pytest.raises(UnreadableError, match="I/O error"):
        made(path)
    assert [p.name for p in path.iterdir()] == ["table.csv"]


def test_what_is_there_already_is_named_and_kept(tmp_path):
    path = tmp_path / "x"
    (path / "keys").mkdir(parents=True)
    with pytest.raises(UsageError, match="has keys already"):
        made(path)
    assert [p.name for p in path.iterdir()] == ["keys"]


def test_errors_name_the_folder_and_not_the_hidden_one(tmp_path):
    path = tmp_path / "x"
    with pytest.raises(UnreadableError) as caught, made_whole(path, "last") as building:
        (building / "no" / "such").write_bytes(b"")
    assert f"{path}/no/such" in caught.value.what
    assert ".part" not in caught.value.what


def test_a_file_in_the_way_and_nowhere_to_write(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnreadableError, match=f"{tmp_path}/file"):
        made(tmp_path / "file" / "x")
    with pytest.raises(UnreadableError, match="/proc"):
        made(Path("/proc/x"))


def test_two_that_make_the_same_folder_make_it_once(tmp_path):
    results = []

    def one():
        try:
            made(tmp_path / "x")
            results.append("made")
        except UsageError:
            results.append("refused")
        except UnreadableError:
            results.append("refused")

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count("made") == 1
    assert hidden(tmp_path) == []


def test_entries_are_those_that_were_finished_by_name(tmp_path):
    folder = tmp_path / "notes"
    assert entries(folder) == []
    folder.mkdir()
    for name in ("b", "a", ".a.part"):
        (folder / name).write_bytes(b"")
    assert [path.name for path in entries(folder)] == ["a", "b"]
