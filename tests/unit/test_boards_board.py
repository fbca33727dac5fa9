"""A board over any carrier: its errors, its turn, its check."""

import contextlib
import io
import secrets

import pytest

from securefl.boards.board import CarriedBoard, check_writable
from securefl.boards.carrier import ONE_AT_A_TIME, Carrier
from securefl.boards.opening import open_board
from securefl.errors import StoreError


class Broken(Carrier):
    """A carrier that fails as a network does."""

    def _fail(self, *_):
        raise ConnectionResetError(104, "Connection reset by peer")

    write = open = stamp = names = erase = shut = _fail


@pytest.mark.parametrize(
    "operation",
    [
        lambda b: b.post("a", b""),
        lambda b: b.read("a", 1),
        lambda b: b.names(),
        lambda b: b.erase("a"),
        lambda b: b.post_file("a", io.BytesIO()),
        lambda b: b.read_head("a", 1),
        lambda b: b.stamp("a"),
        lambda b: b.open("a", 1).__enter__(),
        lambda b: b.shut(lambda _: True),
    ],
)
def test_a_network_failure_is_the_boards_error_in_every_operation(operation):
    with pytest.raises(StoreError, match="Connection reset by peer"):
        operation(CarriedBoard("x://y", Broken()))


def test_a_network_that_fails_between_two_pieces_is_the_boards_error(monkeypatch):
    class Failing(io.BytesIO):
        def read(self, size=-1):
            raise ConnectionResetError(104, "Connection reset by peer")

    carrier = Broken()
    monkeypatch.setattr(carrier, "open", lambda *_: Failing())
    board = CarriedBoard("x://y", carrier)
    with board.open("a", 1) as file, pytest.raises(StoreError, match="Connection reset"):
        file.read(1)


def test_a_write_that_ends_with_no_such_file_is_one_that_failed(monkeypatch):
    carrier = Broken()
    for error in (FileNotFoundError, NotADirectoryError, IsADirectoryError):

        def gone(*_, kind=error):
            raise kind(2, "No such file or directory")

        monkeypatch.setattr(carrier, "write", gone)
        with pytest.raises(StoreError, match="cannot be written: No such file"):
            CarriedBoard("x://y", carrier).post("a", b"")


def test_a_board_that_returns_something_else_fails_its_check(monkeypatch):
    board = open_board(f"memory://{secrets.token_hex(8)}")
    monkeypatch.setattr(board, "read", lambda path, max_bytes: b"x" * 16)
    with pytest.raises(StoreError, match="does not return what was written"):
        check_writable(board)


@pytest.mark.parametrize("url", ["nosuchprotocol://x", "nosuch::chained://x"])
def test_an_unknown_kind_of_place_is_refused_with_its_url(url):
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        open_board(url)
    assert url in str(caught.value)


def test_a_folder_and_memory_need_no_turns_and_a_carrier_that_does_not_say_so_gets_them(tmp_path):
    for url in (str(tmp_path), f"memory://{secrets.token_hex(4)}"):
        assert isinstance(open_board(url)._turn, contextlib.nullcontext)
    assert CarriedBoard("x://y", Broken())._turn is ONE_AT_A_TIME


def test_memory_refuses_a_post_over_a_folder_and_one_below_an_object():
    board = open_board(f"memory://{secrets.token_hex(8)}")
    board.post("a/b", b"1")
    for path in ("a", "a/b/c"):
        with pytest.raises(StoreError, match="cannot be written"):
            board.post(path, b"2")
    assert board.names("a") == ["b"]
