"""SEAL's transform of number rings: nothing of a key stays behind, and no other ring is taken."""

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


def test_a_ring_of_other_primes_than_the_librarys_is_refused():
    ring = NumberRing(4096, (RINGS[1].primes[0],))
    with pytest.raises(SecureFLError, match="another ring"):
        seal_ring.to_transformed(ring, np.zeros((1, 1, 4096), dtype=np.uint64))


def test_a_ring_below_128_bits_of_security_is_refused():
    moduli = sealapi.CoeffModulus.Create(4096, [58, 58, 22])
    ring = NumberRing(4096, tuple(prime.value() for prime in moduli)[:-1])
    with pytest.raises(SecureFLError, match="another ring"):
        seal_ring.to_transformed(ring, np.zeros((1, 2, 4096), dtype=np.uint64))
