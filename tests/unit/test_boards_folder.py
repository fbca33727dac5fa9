"""A folder as a board: links, pipes, what is in the way, mounts that come and go."""

import errno
import io
import os

import pytest

from securefl.boards.board import check_writable
from securefl.boards.carrier import Carrier
from securefl.boards.marker import mark
from securefl.boards.opening import open_board
from securefl.errors import StoreError

MARK, OTHER = ("securefl-store/1 " + c * 32 for c in "ab")


def through(board, path, cap):
    with board.open(path, cap) as file:
        return None if file is None else file.read(cap)


def test_names_hide_temporary_files_and_names_that_no_object_can_have(tmp_path):
    board = open_board(str(tmp_path))
    board.post("a/real", b"")
    for name in (".0123456789abcdef.part", ".hidden", "space name", "-dash"):
        (tmp_path / "a" / name).write_bytes(b"half")
    assert board.names("a") == ["real"]


def test_what_lies_in_a_folder_where_an_object_belongs_is_set_aside_whole(tmp_path):
    board = open_board(str(tmp_path))
    board.post("a/b", b"1")
    board.post("a", b"2")
    assert (board.read("a", 1), board.names()) == (b"2", ["a"])
    (aside,) = [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    assert aside.name.endswith(".aside")
    assert (aside / "b").read_bytes() == b"1"


def test_an_object_where_a_folder_belongs_is_set_aside(tmp_path):
    board = open_board(str(tmp_path))
    board.post("a", b"1")
    board.post_file("a/b", io.BytesIO(b"2"))
    assert (board.read("a/b", 1), board.names()) == (b"2", ["a"])
    assert [p.read_bytes() for p in tmp_path.iterdir() if p.name.startswith(".")] == [b"1"]


def test_a_folder_that_is_erased_as_an_object_stays(tmp_path):
    board = open_board(str(tmp_path))
    board.post("a/b", b"1")
    for path in ("a", "a/b/c"):
        board.erase(path)
    assert board.read("a/b", 1) == b"1"


def test_a_board_that_cannot_be_written_says_whose_it_is_and_what_to_check(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    board = open_board(str(tmp_path / "file" / "store"))
    with pytest.raises(StoreError, match="cannot be written") as caught:
        check_writable(board)
    assert caught.value.whose == "whoever operates the store"
    assert "permissions" in caught.value.next_step
    assert board.read("a", 1) is None
    assert board.names() == []


def test_a_pipe_or_a_link_in_a_shared_folder_is_no_object(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "private.csv").write_bytes(b"a record")
    os.mkfifo(tmp_path / "store" / "pipe")
    (tmp_path / "store" / "link").symlink_to(tmp_path / "private.csv")
    (tmp_path / "store" / "loop").symlink_to("loop")
    board = open_board(str(tmp_path / "store"))
    assert [board.read(name, 100) for name in ("pipe", "link", "loop")] == [None, None, None]
    assert board.names() == []


def test_links_and_pipes_have_no_pieces_no_head_and_no_stamp(tmp_path):
    board = open_board(str(tmp_path / "s"))
    board.post("real", b"1")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "s" / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "s" / "pipe")
    for name in ("link", "pipe"):
        found = (through(board, name, 9), board.read_head(name, 9), board.stamp(name))
        assert found == (None, None, None)


class Drip(io.RawIOBase):
    """Hands out a few bytes at a time."""

    def __init__(self, data):
        self._data, self.read_at_most = io.BytesIO(data), 0

    def read(self, size=-1):
        self.read_at_most = max(self.read_at_most, size)
        return self._data.read(min(size, 3))


def test_a_file_is_never_read_as_a_whole(tmp_path):
    source = Drip(bytes(10))
    open_board(str(tmp_path)).post_file("a", source)
    assert 0 < source.read_at_most < 1 << 22


def test_a_file_that_breaks_off_leaves_no_temporary_file(tmp_path):
    board = open_board(str(tmp_path))
    board.post("a", b"old")

    class Broken(io.RawIOBase):
        def read(self, size=-1):
            raise OSError(5, "Input/output error")

    with pytest.raises(StoreError, match="Input/output error"):
        board.post_file("a", Broken())
    assert board.read("a", 3) == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_file_that_is_written_in_place_has_another_stamp(tmp_path):
    board = open_board(str(tmp_path))
    board.post("a", b"1")
    first = board.stamp("a")
    with (tmp_path / "a").open("r+b") as file:
        file.write(b"2")
    os.utime(tmp_path / "a", ns=(1, 1))
    assert board.stamp("a") != first


def test_a_mount_that_goes_and_comes_is_noticed_each_time(tmp_path):
    root = tmp_path / "mnt"
    mark(open_board(str(root)), MARK)
    board = open_board(str(root), MARK)
    board.post("a", b"1")
    root.rename(tmp_path / "away")
    for _ in range(2):
        with pytest.raises(StoreError, match="not the store"):
            board.post("a", b"2")
        assert not root.exists()
        root.mkdir()  # an empty mount point
        with pytest.raises(StoreError, match="not the store"):
            board.read("a", 1)
        assert list(root.iterdir()) == []
        root.rmdir()
    (tmp_path / "away").rename(root)
    assert board.read("a", 1) == b"1"


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("place", ["folder", "memory"])
def test_two_that_find_no_mark_at_the_same_moment_keep_the_same_one(
    place, links, tmp_path, monkeypatch
):
    """Each had read that there is none; with two marks one party refuses the store for ever."""
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    url = str(tmp_path / "s") if place == "folder" else f"memory://{tmp_path.name}{links}"
    first, second = open_board(url), open_board(url)
    kept = []

    def read(path, size, real=second.read):
        found = real(path, size)
        if not kept:
            kept.append(mark(first, MARK))
        return found

    monkeypatch.setattr(second, "read", read)
    assert mark(second, OTHER) == MARK
    assert kept == [MARK]
    assert open_board(url, MARK).names() == []
    if place == "folder":
        assert [p.name for p in (tmp_path / "s").iterdir()] == ["securefl-store"]


def test_a_place_without_a_first_post_keeps_the_last_mark(tmp_path, monkeypatch):
    """The control of the test before: what happens where the place cannot tell who was first."""
    board = open_board(str(tmp_path / "s"))
    monkeypatch.setattr(type(board.carrier), "create", Carrier.create)
    board.post("securefl-store", MARK.encode())
    monkeypatch.setattr(board, "read_head", lambda *_: None)
    board.post_first("securefl-store", OTHER.encode())
    assert (tmp_path / "s" / "securefl-store").read_text() == OTHER


def no_links(*_, **__):
    raise OSError(errno.EPERM, "Operation not permitted")
