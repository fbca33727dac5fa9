"""Slots: an object's path and largest size in one place; few modules speak to a board themselves."""

import io
import re
import secrets
from pathlib import Path

import pytest

from securefl.boards.carrier import Carrier
from securefl.boards.opening import open_board
from securefl.boards.slot import Slot
from securefl.errors import MessageError, StoreError

PACKAGE = Path(__file__).parents[2] / "securefl"
CALL = re.compile(r"\b_?board\.(post|post_file|read|read_head|open|stamp|names|erase|shut)\b")


@pytest.fixture
def slot():
    return Slot(open_board(f"memory://{secrets.token_hex(8)}"), "a/b", 4)


def refuse_junk(data):
    if data == b"junk":
        raise MessageError("junk")
    return data.decode()


def test_a_slot_is_its_object(slot):
    assert (slot.read(), slot.stamp()) == (None, None)
    slot.post(b"word")
    assert (slot.read(), slot.read_head(2)) == (b"word", b"wo")
    with slot.open() as file:
        assert file.read(10) == b"word"
    slot.post(b"words")
    with pytest.raises(MessageError, match="longer than the 4 bytes allowed"):
        slot.read()


def test_what_is_not_by_whom_it_should_be_is_not_there(slot):
    assert slot.read_as(refuse_junk) is None
    for data, found in ((b"junk", None), (b"too long", None), (b"word", "word"), (b"", "")):
        slot.post(data)
        assert slot.read_as(refuse_junk) == found


def test_a_board_that_is_away_is_not_taken_for_nothing_there(slot, monkeypatch):
    def away(*_):
        raise StoreError("away")

    monkeypatch.setattr(slot.board, "read", away)
    with pytest.raises(StoreError):
        slot.read_as(refuse_junk)


def test_at_most_eight_modules_speak_to_a_board():
    """All others ask for slots, which have path and size."""
    outside = [p for p in PACKAGE.rglob("*.py") if p.parent.name != "boards"]
    speaking = [str(p.relative_to(PACKAGE)) for p in outside if CALL.search(p.read_text())]
    assert len(speaking) <= 8, speaking


OURS, THEIRS, JUNK = b"by me", b"by my copy", b"by nobody"


def write_once(slot):
    return slot.post_once(io.BytesIO(OURS), lambda there: there == THEIRS, 40)


@pytest.fixture
def once(tmp_path):
    return Slot(open_board(str(tmp_path)), "a/once", 40)


@pytest.mark.parametrize(
    ("there", "written"), [(None, True), (OURS, True), (JUNK, True), (THEIRS, False)]
)
def test_what_is_written_once_leaves_another_by_the_same_writer(once, there, written):
    if there is not None:
        once.post(there)
    assert write_once(once) is written
    assert once.read() == (OURS if written else THEIRS)


def race(once, monkeypatch):
    """Another process writes when this one has seen nothing, and before it writes."""
    real = once.board.post_file_first

    def slow(path, source):
        assert once.read() is None
        once.post(THEIRS)
        return real(path, source)

    monkeypatch.setattr(once.board, "post_file_first", slow)


def test_the_second_of_two_writers_at_once_is_refused(once, monkeypatch):
    race(once, monkeypatch)
    assert not write_once(once)
    assert once.read() == THEIRS


def test_control_where_the_place_cannot_tell_the_second_of_two_replaces_the_first(
    once, monkeypatch
):
    """A look before the write, as it is where the place has no such write: too early."""
    monkeypatch.setattr(type(once.board.carrier), "create", Carrier.create)
    monkeypatch.setattr(once.board, "read_head", lambda *_: None)
    race(once, monkeypatch)
    assert write_once(once)
    monkeypatch.undo()
    assert once.read() == OURS
