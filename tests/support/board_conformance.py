"""What every board keeps, whatever carries it.

A test module derives a class from :class:`BoardConformance` and says how its board is opened; a new
carrier is held to the same tests from its own file.
"""

import io
import threading

import pytest

from securefl.boards.board import check_writable
from securefl.boards.marker import mark
from securefl.errors import MessageError, StoreError

MARK, OTHER = ("securefl-store/1 " + c * 32 for c in "ab")
NO_PATHS = (
    "",
    "/",
    "/etc/passwd",
    "../x",
    "a/../b",
    "a/..",
    "a//b",
    "a/",
    ".",
    "./a",
    ".hidden",
    "a/.part",
    "a..b",
    "-rf",
    "a b",
    "a\nb",
    "a\x00b",
    "a\\b",
    "é",
    "*",
    "a?b",
    "[a]",
    "~",
    "x" * 129,
)

EVERY_CALL = (
    lambda b: b.post("a/c", b"1"),
    lambda b: b.post_first("a/c", b"1"),
    lambda b: b.post_file("a/c", io.BytesIO(b"1")),
    lambda b: b.read("a/b", 10),
    lambda b: b.read_head("a/b", 2),
    lambda b: b.open("a/b", 10).__enter__(),
    lambda b: b.stamp("a/b"),
    lambda b: b.names("a"),
    lambda b: b.erase("a/b"),
    lambda b: b.shut(lambda _: True),
    check_writable,
)


def through(board, path, cap, piece=3):
    """The object read piece by piece; None where there is none."""
    with board.open(path, cap) as file:
        return None if file is None else b"".join(iter(lambda: file.read(piece), b""))


class Breaking(io.RawIOBase):
    """A file that can be read for a while, then fails."""

    def __init__(self, pieces):
        self.pieces = pieces

    def read(self, size=-1):
        if not self.pieces:
            raise OSError(5, "Input/output error")
        self.pieces -= 1
        return bytes(1 << 20)


class BoardConformance:
    """Tests of a board.

    Attributes:
        knows_the_first: of two writers of one name at once the place itself refuses the second.
    """

    knows_the_first = True

    @pytest.fixture
    def opened(self):
        """A function that opens the board of one place; it takes the marker."""
        raise NotImplementedError

    @pytest.fixture
    def board(self, opened):
        return opened(None)

    def test_an_object_comes_back_as_it_was_posted(self, board):
        board.post("a/b/c.bin", b"\x00\xff")
        assert board.read("a/b/c.bin", 2) == b"\x00\xff"
        board.post("empty", b"")
        assert board.read("empty", 0) == b""
        board.post("array", bytearray(b"12"))
        assert board.read("array", 2) == b"12"

    def test_a_second_post_replaces_the_whole_object(self, board):
        board.post("a", b"long content")
        board.post("a", b"s")
        assert board.read("a", 100) == b"s"
        assert board.names() == ["a"]

    def test_a_first_post_leaves_what_lies_there(self, board):
        assert board.post_first("a/first", b"1")
        assert not board.post_first("a/first", b"22")
        assert board.read("a/first", 2) == b"1"
        source = io.BytesIO(b"head|rest")
        source.seek(5)
        assert not board.post_file_first("a/first", source)
        source.seek(5)
        assert board.post_file_first("a/second", source)
        assert board.read("a/second", 10) == b"rest"
        assert board.names("a") == ["first", "second"]

    def test_of_writers_at_once_one_is_first(self, opened):
        """Whatever the others find, what lies there is whole, and of one that was told so."""
        boards = [opened(None) for _ in range(4)]
        for turn in range(5):
            together, told = threading.Barrier(len(boards)), {}

            def write(number, board, turn=turn, together=together, told=told):
                together.wait()
                source = io.BytesIO(bytes([number]) * 100_000)
                told[number] = board.post_file_first(f"first/{turn}", source)

            threads = [threading.Thread(target=write, args=one) for one in enumerate(boards)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            firsts = [number for number, was_first in told.items() if was_first]
            kept = boards[0].read(f"first/{turn}", 100_000)
            assert kept in {bytes([number]) * 100_000 for number in firsts}
            assert len(told) == len(boards)
            if self.knows_the_first:
                assert len(firsts) == 1
        assert boards[0].names("first") == [str(turn) for turn in range(5)]

    def test_two_boards_of_one_place_see_the_same_objects(self, board, opened):
        board.post("a/b", b"1")
        again = opened(None)
        assert again.read("a/b", 1) == b"1"
        again.post("a/b", b"2")
        assert board.read("a/b", 1) == b"2"

    def test_what_is_not_there_is_none_and_no_error(self, board):
        for _ in range(2):
            assert board.read("nothing", 10) is None
            assert board.read("no/folder/either", 10) is None
            board.post("a/b", b"1")
            assert board.read("a", 10) is None
            assert board.names("nothing") == []
            board.erase("nothing")
            for path in ("nothing", "a", "a/b/c"):
                assert through(board, path, 1) is None
                assert board.read_head(path, 1) is None
            assert board.stamp("nothing") is None

    def test_an_object_longer_than_the_cap_is_refused(self, board):
        board.post("a", b"12345")
        assert board.read("a", 5) == b"12345"
        with pytest.raises(MessageError, match="longer than the 4 bytes allowed"):
            board.read("a", 4)

    def test_names_are_those_directly_below_sorted(self, board):
        for path in ("b/2", "b/1", "b/deep/3", "top"):
            board.post(path, b"")
        assert board.names() == ["b", "top"]
        assert board.names("b") == ["1", "2", "deep"]
        assert board.names("b/1") == []

    def test_an_erased_object_is_gone(self, board):
        board.post("a/b", b"1")
        board.erase("a/b")
        assert board.read("a/b", 1) is None
        assert board.names("a") == []

    @pytest.mark.parametrize("path", NO_PATHS)
    def test_a_path_that_is_not_canonical_is_refused_by_every_operation(self, board, path):
        for operation in (
            lambda: board.post(path, b""),
            lambda: board.post_first(path, b""),
            lambda: board.read(path, 1),
            lambda: board.erase(path),
            lambda: board.post_file(path, io.BytesIO()),
            lambda: board.read_head(path, 1),
            lambda: board.stamp(path),
            lambda: board.open(path, 1).__enter__(),
        ):
            with pytest.raises(MessageError, match="not a canonical path"):
                operation()
        if path:
            with pytest.raises(MessageError):
                board.names(path)

    def test_an_object_over_a_folder_is_there_or_refused_and_never_lost(self, board):
        board.post("a/b", b"1")
        try:
            board.post("a", b"2")
        except StoreError:
            assert board.read("a/b", 1) == b"1"
        else:
            assert board.read("a", 1) == b"2"

    def test_a_file_is_posted_and_read_piece_by_piece(self, board):
        board.post_file("a/b", io.BytesIO(b"long content"))
        assert board.read("a/b", 12) == through(board, "a/b", 12) == b"long content"
        source = io.BytesIO(b"head|rest")
        source.seek(5)
        board.post_file("a/b", source)
        assert board.read("a/b", 100) == b"rest"
        assert board.names("a") == ["b"]

    def test_a_large_file_comes_back(self, board):
        data = bytes(range(256)) * (1 << 15)
        board.post_file("large", io.BytesIO(data))
        assert board.read("large", len(data)) == data
        assert through(board, "large", len(data), 1 << 20) == data

    @pytest.mark.parametrize("pieces", [0, 3, 7])
    def test_a_file_that_breaks_off_replaces_nothing_and_leaves_nothing(self, board, pieces):
        board.post("a", b"old")
        for path in ("a", "new/b"):
            with pytest.raises(StoreError, match="Input/output error"):
                board.post_file(path, Breaking(pieces))
        assert board.read("a", 3) == b"old"
        assert board.names("new") == []

    def test_reading_piece_by_piece_ends_at_the_cap(self, board):
        board.post("a", b"12345")
        assert through(board, "a", 5) == b"12345"
        with board.open("a", 4) as file:
            assert file.read(4) == b"1234"
            with pytest.raises(MessageError, match="longer than the 4 bytes allowed"):
                file.read(1)
        with board.open("a", 4) as file, pytest.raises(MessageError, match="longer than"):
            file.read(100)

    def test_a_head_is_as_much_as_was_asked_for(self, board):
        board.post("a", b"12345")
        assert [board.read_head("a", n) for n in (0, 2, 9)] == [b"", b"12", b"12345"]

    def test_a_stamp_is_another_when_the_object_is(self, board):
        board.post("a", b"1")
        first = board.stamp("a")
        assert first == board.stamp("a") is not None
        board.post("a", b"2")
        assert board.stamp("a") not in {first, None}
        board.erase("a")
        assert board.stamp("a") is None

    def test_a_failure_of_the_reader_is_no_failure_of_the_board(self, board):
        board.post("a", b"1")
        with pytest.raises(OSError, match="disk full"), board.open("a", 1):
            raise OSError(28, "disk full")

    def test_a_reader_in_another_thread_never_sees_half_an_object(self, board):
        versions = [bytes([65 + i]) * 300_000 for i in range(4)]
        board.post("x/y", versions[0])
        faults, stop = [], threading.Event()

        def read():
            try:
                # a moment between two looks: a post waits for the disk, and looks without end
                # would take the processor for all that time
                while not stop.wait(0.0005):
                    data = board.read("x/y", 300_000)
                    if data not in versions:
                        faults.append(None if data is None else len(data))
            except Exception as error:  # noqa: BLE001 - a thread's error must fail the test
                faults.append(error)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for i in range(60):
            board.post("x/y", versions[i % 4])
        stop.set()
        for reader in readers:
            reader.join()
        assert faults == []
        assert board.names("x") == ["y"]

    def test_a_board_that_works_passes_its_check_and_keeps_nothing_of_it(self, board):
        check_writable(board)
        assert board.names() == []

    def test_the_first_marks_a_board_and_the_others_keep_the_mark(self, opened):
        assert mark(opened(None), MARK) == MARK
        assert mark(opened(None), OTHER) == MARK
        assert opened(None).names() == []
        opened(MARK).post("a", b"1")
        assert opened(MARK).read("a", 1) == b"1"

    def test_at_another_place_nothing_is_read_and_nothing_is_written(self, opened):
        opened(None).post("a/b", b"theirs")
        for before in (None, OTHER):
            if before:
                mark(opened(None), before)
            for work in EVERY_CALL:
                with pytest.raises(StoreError, match="not the store that was used here before"):
                    work(opened(MARK))
        assert opened(None).read("a/b", 10) == b"theirs"
        assert opened(None).names("a") == ["b"]

    @pytest.mark.parametrize("data", [b"", b"something else", b"\xff\xfe", b"x" * 200])
    def test_what_marks_no_board_is_refused(self, opened, data):
        opened(None).post("securefl-store", data)
        with pytest.raises(StoreError, match="marks no store"):
            mark(opened(None), MARK)
        with pytest.raises(StoreError, match="not the store"):
            opened(MARK).read("a", 1)
