"""Boards on fsspec's file systems: each has errors of its own, and some clients are not made for
several threads.
"""

import contextlib
import io
import os
import threading

import fsspec
import pytest
from odd_filesystems import ObjectStore, Odd

from securefl.boards.board import CarriedBoard, check_writable
from securefl.boards.fsspec import FsspecCarrier
from securefl.boards.marker import mark
from securefl.boards.opening import open_board
from securefl.boards.sftp import SftpCarrier
from securefl.errors import StoreError


class BackendError(Exception):
    """No OSError, as botocore's, paramiko's and ftplib's are none."""


@pytest.fixture
def odd(monkeypatch, tmp_path):
    fsspec.register_implementation("odd", Odd, clobber=True)
    monkeypatch.setattr(Odd, "failing", None)
    monkeypatch.setattr(Odd, "together", 0)
    made = open_board(f"odd://{tmp_path}/s")
    made.post("a/b", b"data")
    return made


CALLS = {
    "post": lambda b: b.post("a/c", b"1"),
    "post_file": lambda b: b.post_file("a/c", open(os.devnull, "rb")),  # noqa: PTH123, SIM115
    "read": lambda b: b.read("a/b", 10),
    "read_head": lambda b: b.read_head("a/b", 2),
    "open": lambda b: b.open("a/b", 10).__enter__(),
    "stamp": lambda b: b.stamp("a/b"),
    "names": lambda b: b.names("a"),
    "erase": lambda b: b.erase("a/b"),
    "check_writable": check_writable,
    "mark": lambda b: mark(b, "securefl-store/1 " + "0" * 32),
}


@pytest.mark.parametrize(
    "error",
    [
        BackendError("no credentials"),
        EOFError(),
        ValueError("odd"),
        RuntimeError("closed"),
        TimeoutError(),
        OSError(5, "I/O error"),
        PermissionError(13, "denied"),
    ],
)
@pytest.mark.parametrize("name", CALLS)
def test_whatever_a_backend_raises_is_the_boards_error(odd, name, error, monkeypatch):
    monkeypatch.setattr(Odd, "failing", error)
    with pytest.raises(StoreError, match=r"cannot be (read|written)") as caught:
        CALLS[name](odd)
    assert caught.value.exit_code == 10
    assert caught.value.next_step


def test_an_error_in_the_middle_of_a_file_is_the_boards_error(odd, monkeypatch):
    with odd.open("a/b", 100) as file:
        assert file.read(1) == b"d"
        monkeypatch.setattr(Odd, "failing", BackendError("gone"))
        with pytest.raises(StoreError, match="gone"):
            file.read(1)


def test_what_is_not_there_stays_none(odd):
    assert odd.read("a/none", 1) is None
    assert odd.stamp("a/none") is None
    assert odd.names("none") == []
    odd.erase("none")
    with odd.open("a/none", 1) as file:
        assert file is None


def test_a_board_that_cannot_be_opened_is_the_boards_error(monkeypatch, tmp_path):
    class Closed(Odd):
        protocol = "closed"

        def __init__(self, **_kwargs):
            raise BackendError("connection refused")

    fsspec.register_implementation("closed", Closed, clobber=True)
    with pytest.raises(StoreError, match="cannot be opened: connection refused"):
        open_board(f"closed://{tmp_path}/s")


def hammer(boards):
    """Use the boards from several threads at once; what they raised."""
    errors = []

    def one(board, number):
        try:
            for i in range(5):
                board.post(f"t/{number}-{i}", bytes([number]))
                assert board.read(f"t/{number}-{i}", 1) == bytes([number])
                with board.open("a/b", 10) as file:
                    assert file.read(10) == b"data"
                board.names("t")
        except Exception as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    threads = [threading.Thread(target=one, args=(s, n)) for n, s in enumerate(boards)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(t.is_alive() for t in threads)
    return errors


def test_a_client_that_is_not_made_for_threads_gets_one_call_at_a_time(odd):
    """Two boards of one URL share the client, as PySyft's thread pool and the agent do."""
    assert hammer([odd, odd, open_board(odd.url), open_board(odd.url)]) == []
    assert Odd.together == 0


def test_control_without_turns_the_client_is_called_from_several_threads(odd, monkeypatch):
    monkeypatch.setattr(odd, "_turn", contextlib.nullcontext())
    hammer([odd] * 4)
    assert Odd.together > 0


def test_what_is_no_object_store_gets_a_temporary_object_and_a_move():
    calls = []

    class Remote:
        protocol = ("sftp", "ssh")

        def makedirs(self, path, exist_ok):
            assert exist_ok

        def open(self, path, mode):
            calls.append((mode, path))
            return contextlib.closing(io.BytesIO())

        def isdir(self, path):
            return False

        def mv(self, part, target):
            calls.append((part, target))

    CarriedBoard("sftp://x", FsspecCarrier(Remote(), "/root")).post("a/b", b"1")
    (mode, part), moved = calls
    assert mode == "wb"
    assert part.startswith("/root/a/.")
    assert part.endswith(".part")
    assert moved == (part, "/root/a/b")


def test_an_object_store_gets_one_upload_and_no_move():
    fs = ObjectStore({})
    board = CarriedBoard("s3://bucket", FsspecCarrier(fs, "bucket"))
    board.post("a/b", b"1")
    board.post_file("a/c", io.BytesIO(bytes(5 << 20)))
    assert fs.asked == ["upload", "upload"]
    assert sorted(fs.objects) == ["bucket/a/b", "bucket/a/c"]


def test_a_file_system_that_says_nothing_about_changes_gives_no_stamp(tmp_path, monkeypatch):
    fs = fsspec.filesystem("file", skip_instance_cache=True)
    board = CarriedBoard("x://y", FsspecCarrier(fs, str(tmp_path)))
    board.post("a", b"1")
    monkeypatch.setattr(fs, "info", lambda path: {"name": path, "size": 1, "ETag": None})
    assert board.stamp("a") is None


def test_only_where_each_look_is_a_request_is_there_time_between_two(tmp_path):
    assert FsspecCarrier(ObjectStore({}), "bucket").pace > 0
    assert FsspecCarrier(fsspec.filesystem("file"), str(tmp_path)).pace == 0
    assert open_board(str(tmp_path)).pace == 0


class OtherIsFaster:
    """An SFTP server on which another party makes each folder a moment before this one."""

    def __init__(self):
        self.folders = {"store"}

    def connect_again(self):
        pass

    def isdir(self, folder):
        return folder in self.folders

    def makedirs(self, folder, exist_ok):
        del exist_ok
        parts = folder.split("/")
        above = ["/".join(parts[: i + 1]) for i in range(len(parts))]
        missing = [one for one in above if one not in self.folders]
        if missing:
            self.folders.add(missing[0])
            raise OSError("Failure")


def test_two_parties_may_make_the_same_folders_at_once():
    carrier = SftpCarrier.__new__(SftpCarrier)
    carrier._system = OtherIsFaster()
    carrier._make_folder("store/rounds/00001-1/contributions")
    assert carrier._system.isdir("store/rounds/00001-1/contributions")
