"""SEAL's transform of number rings: nothing of a key stays behind, and no other ring is taken."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tenseal import sealapi

from securefl.errors import SecureFLError
from securefl.secagg import seal_ring
from securefl.secagg.number_ring import RINGS, NumberRing


def test_what_was_read_out_of_seal_is_overwritten(monkeypatch):
    read = []
    original = seal_ring.read_residues

    def keeping(carrier):
        read.append(original(carrier))
        return read[-1]

    monkeypatch.setattr(seal_ring, "read_residues", keeping)
    ring = RINGS[0]
    key = ring.small(np.arange(ring.degree) % 7 - 3)[None]
    assert seal_ring.to_transformed(ring, key).any()
    assert len(read) == 1
    assert not read[0].any()


@pytest.mark.parametrize("ring", RINGS, ids=lambda ring: f"{len(ring.primes)} primes")
@pytest.mark.parametrize("count", [1, 2, 15, 17])
def test_elements_come_back_as_they_were_however_many(ring, count):
    rng = np.random.default_rng(count)
    shape = (count, len(ring.primes), ring.degree)
    elements = rng.integers(0, 1 << 57, shape, dtype=np.uint64)
    transformed = seal_ring.to_transformed(ring, elements)
    assert (transformed != elements).any(axis=(1, 2)).all()
    assert np.array_equal(seal_ring.from_transformed(ring, transformed), elements)
    # Each by itself: what others stand beside it changes nothing.
    alone = seal_ring.to_transformed(ring, elements[-1:])
    assert np.array_equal(alone, transformed[-1:])


@pytest.mark.parametrize("count", [1, 2, 3, 15, 16])
def test_elements_of_zeros_are_transformed_to_zeros(count):
    zeros = np.zeros((count, 1, 4096), dtype=np.uint64)
    assert not seal_ring.to_transformed(RINGS[0], zeros).any()
    assert not seal_ring.from_transformed(RINGS[0], zeros).any()


def test_seals_own_memory_is_overwritten_after_each_transform():
    ring = RINGS[0]
    elements = np.full((2, 1, ring.degree), 5, dtype=np.uint64)
    seal_ring.to_transformed(ring, elements)
    carrier = seal_ring._carrier(ring, 2, True)
    for ciphertext in (carrier._before, carrier._after):
        assert ciphertext.size() == 2
        assert not seal_ring.read_residues(ciphertext).any()


def test_without_seals_memory_elements_come_in_by_a_file(monkeypatch):
    ring = RINGS[0]
    elements = np.arange(3 * ring.degree, dtype=np.uint64).reshape(3, 1, ring.degree)
    usual = seal_ring.to_transformed(ring, elements)
    monkeypatch.setattr(seal_ring, "write_residues", lambda *_: False)
    assert np.array_equal(seal_ring.to_transformed(ring, elements), usual)
    assert np.array_equal(seal_ring.from_transformed(ring, usual), elements)


def test_threads_do_not_see_one_anothers_elements():
    ring = RINGS[0]
    rng = np.random.default_rng(1)
    elements = rng.integers(0, 1 << 57, (40, 2, 1, ring.degree), dtype=np.uint64)
    alone = [seal_ring.to_transformed(ring, some) for some in elements]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda some: seal_ring.to_transformed(ring, some), elements))
    assert all(map(np.array_equal, alone, together))


def test_a_ring_of_other_primes_than_the_librarys_is_refused():
    ring = NumberRing(4096, (RINGS[1].primes[0],))
    with pytest.raises(SecureFLError, match="another ring"):
        seal_ring.to_transformed(ring, np.zeros((1, 1, 4096), dtype=np.uint64))


def test_a_ring_below_128_bits_of_security_is_refused():
    moduli = sealapi.CoeffModulus.Create(4096, [58, 58, 22])
    ring = NumberRing(4096, tuple(prime.value() for prime in moduli)[:-1])
    with pytest.raises(SecureFLError, match="another ring"):
        seal_ring.to_transformed(ring, np.zeros((1, 2, 4096), dtype=np.uint64))
