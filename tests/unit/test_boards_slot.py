"""Slots: an object's path and largest size in one place; few modules speak to a board themselves."""

import re
import secrets
from pathlib import Path

import pytest

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
