"""What is refused is looked at again when it changed, and not before."""

import pytest

from securefl.boards.opening import open_board
from securefl.boards.slot import Slot
from securefl.errors import MessageError, StoreError
from securefl.federation.refusal_cache import RefusalCache


@pytest.fixture
def store(tmp_path):
    return open_board(str(tmp_path))


def counting(store):
    """A look at "a" that takes nothing but b"good", and how often it was taken."""
    looked = []

    def look():
        looked.append(data := store.read("a", 10))
        if data != b"good":
            raise MessageError(f"{data!r} is not good")
        return data

    return look, looked


def test_a_refused_object_is_looked_at_once_until_it_changes(store):
    looks, (look, looked) = RefusalCache(), counting(store)
    for junk in (b"junk", b"more junk"):
        store.post("a", junk)
        for _ in range(3):
            with pytest.raises(MessageError, match=repr(junk)):
                looks.read(Slot(store, "a", 10), look)
    assert looked == [b"junk", b"more junk"]
    store.post("a", b"good")
    assert looks.read(Slot(store, "a", 10), look) == b"good"


def test_a_refusal_that_stands_does_not_grow(store):
    looks, (look, _) = RefusalCache(), counting(store)
    store.post("a", b"junk")
    depths = set()
    for _ in range(5):
        with pytest.raises(MessageError) as caught:
            looks.read(Slot(store, "a", 10), look)
        depths.add(len(caught.traceback))
    assert max(depths) < 5


def test_what_is_not_there_is_looked_at_every_time(store):
    looks, (look, looked) = RefusalCache(), counting(store)
    for _ in range(2):
        with pytest.raises(MessageError):
            looks.read(Slot(store, "a", 10), look)
    assert looked == [None, None]


def test_an_object_that_changes_during_its_look_is_looked_at_again(store):
    looks = RefusalCache()
    store.post("a", b"junk")

    def look():
        store.post("a", b"good")  # somebody is faster
        raise MessageError("junk")

    with pytest.raises(MessageError):
        looks.read(Slot(store, "a", 10), look)
    assert looks.read(Slot(store, "a", 10), lambda: store.read("a", 10)) == b"good"


def test_a_store_that_was_away_refused_nothing(store):
    looks, (look, _) = RefusalCache(), counting(store)
    store.post("a", b"good")

    def away():
        raise StoreError("away")

    with pytest.raises(StoreError):
        looks.read(Slot(store, "a", 10), away)
    assert looks.read(Slot(store, "a", 10), look) == b"good"
