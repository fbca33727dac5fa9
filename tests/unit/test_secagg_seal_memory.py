import sys

import numpy as np
import pytest
from tenseal import sealapi

from securefl.secagg import seal, seal_memory
from securefl.secagg.packing import FieldLayout

NUMBERS = (3, 5, 0, 7)


@pytest.fixture(scope="module")
def ciphertext():
    keys = seal.RoundKeyPair.generate()
    context = seal._context()
    key, zero = sealapi.PublicKey(), sealapi.Ciphertext()
    seal.load_seal_file(
        seal._context(), key, seal.seal_file(context.key_parms_id(), keys.public.residues, ntt=True)
    )
    sealapi.Encryptor(context, key).encrypt_zero(zero)
    return zero


@pytest.fixture
def known():
    return sealapi.Plaintext("7x^3 + 5x^1 + 3")  # held by the test: an array does not keep it alive


def one_at_a_time(array):
    return [array.at(i) for i in range(array.size())]


class Claims:
    """Not SEAL's: where its array would be lies an object of Python, or nothing.

    Slots lie in the order of their names.
    """

    __slots__ = ("at_its_place", "capacity_", "size_")

    def __init__(self, size, capacity):
        self.size_, self.capacity_ = size, capacity

    def size(self):
        return self.size_

    def capacity(self):
        return self.capacity_

    def at(self, index):
        return index


def test_this_tenseals_arrays_lie_as_expected(known):
    """Should a new release lay them otherwise, encryption still works, at half the speed:
    benchmarks would show it.
    """
    assert seal_memory.layout_matches(known.dyn_array(), NUMBERS)
    assert seal._arrays_are_whole()


def test_both_ways_give_the_same_numbers(ciphertext):
    array = ciphertext.dyn_array()
    assert seal_memory.read_all(array, whole=True).tolist() == one_at_a_time(array)
    assert seal_memory.read_all(array, whole=False).tolist() == one_at_a_time(array)


def test_what_is_read_is_a_copy(known):
    array = known.dyn_array()
    seal_memory.read_all(array, whole=True).fill(9)
    assert one_at_a_time(array) == list(NUMBERS)


def test_other_numbers_or_another_count_are_no_proof(known):
    array = known.dyn_array()
    assert not seal_memory.layout_matches(array, (3, 5, 0, 8))
    assert not seal_memory.layout_matches(array, (3, 5, 0))


def test_another_python_reads_one_at_a_time(known, monkeypatch):
    monkeypatch.setattr(sys.implementation, "name", "pypy")
    assert not seal_memory.layout_matches(known.dyn_array(), NUMBERS)


@pytest.mark.parametrize("capacity", [5, 6], ids=["other size", "other capacity"])
def test_an_array_that_lies_elsewhere_is_read_one_at_a_time(capacity):
    claims = Claims(3, capacity)
    claims.at_its_place = (
        None,
    ) * 5  # a tuple's third word is its length, where the capacity would be
    assert seal_memory.read_all(claims, whole=True).tolist() == [0, 1, 2]


def test_an_object_without_an_array_is_read_one_at_a_time():
    assert seal_memory.read_all(Claims(3, 3), whole=True).tolist() == [0, 1, 2]


def test_an_empty_array_is_empty():
    carrier = sealapi.Ciphertext()
    assert seal_memory.read_all(carrier.dyn_array(), whole=True).size == 0


def test_opening_and_encryption_are_the_same_one_at_a_time(monkeypatch):
    layout = FieldLayout(16, 1)
    monkeypatch.setattr(seal, "_arrays_are_whole", lambda: False)
    values = np.arange(-50, 50)
    keys = seal.RoundKeyPair.generate()
    messages, _ = keys.open_once(seal.encrypt(keys.public, layout.pack(values), layout), layout)
    assert layout.unpack(messages, 100)[0].tolist() == values.tolist()


def test_an_object_that_cannot_be_read_whole_is_no_proof():
    assert not seal_memory.layout_matches(Claims(3, 3), (0, 1, 2))


def test_memory_is_read_only_where_it_was_proven_to_lie_as_expected(known, monkeypatch):
    asked = []
    monkeypatch.setattr(
        seal_memory,
        "_in_one_piece",
        lambda array: asked.append(array) or np.arange(4, dtype=np.uint64),
    )
    assert seal_memory.read_all(known.dyn_array(), whole=False).tolist() == list(NUMBERS)
    assert asked == []
    assert seal_memory.read_all(known.dyn_array(), whole=True).tolist() == [0, 1, 2, 3]


def test_what_is_written_is_there_and_the_rest_is_zero(ciphertext):
    array = ciphertext.dyn_array()
    kept = seal_memory.read_all(array, whole=True)
    assert seal_memory.write_all(array, np.arange(5, dtype=np.uint64), whole=True)
    assert one_at_a_time(array) == [0, 1, 2, 3, 4] + [0] * (array.size() - 5)
    assert seal_memory.write_all(array, kept, whole=True)
    assert one_at_a_time(array) == kept.tolist()


def test_nothing_is_written_where_it_was_not_proven_to_lie_as_expected(known):
    array = known.dyn_array()
    assert not seal_memory.write_all(array, np.arange(4, dtype=np.uint64), whole=False)
    assert one_at_a_time(array) == list(NUMBERS)


def test_more_than_an_array_holds_is_not_written(known):
    array = known.dyn_array()
    assert not seal_memory.write_all(array, np.arange(5, dtype=np.uint64), whole=True)
    assert one_at_a_time(array) == list(NUMBERS)
