import numpy as np
import pytest

from securefl.errors import MessageError
from securefl.secagg.cipher_ring import CIPHER_RINGS, LARGE_RING
from securefl.secagg.masks import uniform_residues
from securefl.secagg.publickey import PublicKey
from securefl.secagg.ring import DEGREE, MODULUS, SPECIAL_MODULUS

BYTES = {4096: 81_920, 2048: 26_112, 1024: 6_400}
of_each_ring = pytest.mark.parametrize("ring", CIPHER_RINGS, ids=lambda ring: ring.degree)


def residues(ring=LARGE_RING):
    array = np.empty((2, len(ring.primes), ring.degree), dtype=np.uint64)
    for i, prime in enumerate(ring.primes):
        array[:, i] = uniform_residues(bytes(32), 2 * ring.degree, prime).reshape(2, -1)
    return array


@of_each_ring
def test_a_key_survives_its_body(ring):
    key = PublicKey(residues(ring), ring)
    assert len(key.body) == ring.public_key_bytes == BYTES[ring.degree]
    again = PublicKey.from_body(key.body, ring)
    assert np.array_equal(again.residues, key.residues)
    assert again.sha256 == key.sha256


@pytest.mark.parametrize(
    ("where", "value", "why"),
    [
        ((0, 0, 5), MODULUS, "above its prime"),
        ((1, 1, 5), SPECIAL_MODULUS, "above its prime"),
        ((1, 0), 0, "degenerate"),
        ((0, 1), 3, "degenerate"),
    ],
)
def test_numbers_that_make_no_key_are_refused(where, value, why):
    array = residues()
    array[where] = value
    with pytest.raises(MessageError, match=why) as caught:
        PublicKey(array)
    assert caught.value.whose == "the coordinator"


@of_each_ring
def test_a_key_of_another_ring_is_refused(ring):
    for other in CIPHER_RINGS:
        if other == ring:
            continue
        with pytest.raises(MessageError, match="shape"):
            PublicKey(residues(other), ring)
        with pytest.raises(MessageError, match="bytes"):
            PublicKey.from_body(PublicKey(residues(other), other).body, ring)


@of_each_ring
def test_residues_at_their_prime_are_refused_in_every_ring(ring):
    for i, prime in enumerate(ring.primes):
        array = residues(ring)
        array[1, i, 7] = prime
        with pytest.raises(MessageError, match="above its prime"):
            PublicKey(array, ring)


@pytest.mark.parametrize("array", [np.zeros((2, 2, 8), dtype=np.uint64), np.zeros((2, 2, DEGREE))])
def test_other_shapes_are_refused(array):
    with pytest.raises(MessageError, match="shape"):
        PublicKey(array)


@of_each_ring
def test_other_lengths_are_refused(ring):
    for size in (0, ring.public_key_bytes - 1, ring.public_key_bytes + 1):
        with pytest.raises(MessageError, match="bytes"):
            PublicKey.from_body(bytes(size), ring)
