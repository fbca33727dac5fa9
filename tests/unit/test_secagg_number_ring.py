"""Arithmetic of the number rings against Python's integers, and their transform against its
definition.
"""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenseal import sealapi

from securefl.errors import StudyError
from securefl.secagg.cipher_ring import CIPHER_RINGS
from securefl.secagg.masks import uniform_residues
from securefl.secagg.number_ring import RINGS, WORD_BITS, NumberRing, ring_of
from securefl.secagg.seal_ring import from_transformed, to_transformed

EACH = pytest.mark.parametrize("ring", RINGS, ids=["1 prime", "2 primes", "3 primes"])
#: Small rings of ciphertexts hold no long integers, but multiply and are transformed alike.
SMALL = tuple(ring.elements for ring in CIPHER_RINGS[1:])
ALL = pytest.mark.parametrize("ring", RINGS + SMALL, ids=lambda r: f"{r.degree}, {len(r.primes)}")


def elements(ring, count, seed=1):
    rows = [
        uniform_residues(bytes([seed, i, j] + [0] * 29), ring.degree, prime)
        for i in range(count)
        for j, prime in enumerate(ring.primes)
    ]
    return np.stack(rows).reshape(count, len(ring.primes), ring.degree)


def product_of(ring):
    value = 1
    for prime in ring.primes:
        value *= prime
    return value


def words_of(integers, ring):
    mask = (1 << WORD_BITS) - 1
    rows = [[(x >> (WORD_BITS * i)) & mask for x in integers] for i in range(len(ring.primes))]
    return np.array(rows, dtype=np.uint64)[None]


@EACH
def test_the_primes_are_those_of_the_library(ring):
    bits = [WORD_BITS] * len(ring.primes)
    moduli = [m.value() for m in sealapi.CoeffModulus.Create(ring.degree, [*bits, 22])]
    assert tuple(moduli[:-1]) == ring.primes
    assert all(
        prime % (2 * ring.degree) == 1 and (1 << 58) - prime < 1 << 21 for prime in ring.primes
    )
    assert ring.modulus == product_of(ring)


@EACH
def test_long_integers_come_back_from_their_residues(ring):
    random.seed(4)
    whole = product_of(ring)
    edges = [
        0,
        1,
        whole - 1,
        whole // 2,
        *ring.primes,
        *(p - 1 for p in ring.primes),
        (1 << (ring.modulus.bit_length() - 1)) - 1,
    ]
    integers = [x % whole for x in edges] + [
        random.randrange(whole) for _ in range(ring.degree - len(edges))
    ]
    residues = ring.from_words(words_of(integers, ring))
    for i, prime in enumerate(ring.primes):
        assert residues[0, i].tolist() == [x % prime for x in integers]
    assert np.array_equal(ring.to_words(residues), words_of(integers, ring))


@ALL
def test_sums_differences_and_products_are_those_of_the_integers(ring):
    a, b = elements(ring, 2, seed=2), elements(ring, 1, seed=3)[0]
    for i, prime in enumerate(ring.primes):
        a[0, i, :3], b[i, :3] = (prime - 1, 0, 1), prime - 1
    for found, expected in (
        (ring.add(a, b), lambda x, y: x + y), (ring.subtract(a, b), lambda x, y: x - y), (ring.multiply(a, b), lambda x, y: x * y),
    ):  # fmt: skip
        assert ring.contains(found)
        for i, prime in enumerate(ring.primes):
            for element in range(2):
                pairs = zip(a[element, i].tolist(), b[i].tolist(), strict=True)
                assert found[element, i].tolist() == [expected(x, y) % prime for x, y in pairs]


@given(
    st.lists(st.integers(0, (1 << 58) - 1), min_size=4, max_size=4),
    st.sampled_from([p for r in RINGS + SMALL for p in r.primes]),
)
def test_the_product_of_any_two_residues(numbers, prime):
    ring = NumberRing(2, (prime,))
    residues = [n % prime for n in numbers]
    found = ring.multiply(
        np.array([[residues[:2]]], dtype=np.uint64), np.array([residues[2:]], dtype=np.uint64)
    )
    assert found.ravel().tolist() == [
        residues[0] * residues[2] % prime,
        residues[1] * residues[3] % prime,
    ]


@ALL
def test_small_integers_keep_their_sign(ring):
    values = np.arange(-ring.degree // 2, ring.degree // 2)
    assert all(
        ring.small(values)[i].tolist() == [v % p for v in values.tolist()]
        for i, p in enumerate(ring.primes)
    )


@ALL
def test_what_is_no_element_is_told(ring):
    element = elements(ring, 1)[0]
    assert ring.contains(element)
    for spoilt in (
        element[:, :-1],
        element.astype(np.int64),
        np.vstack([element, element]),
        element[:0],
        element[None][:0],
    ):
        assert not ring.contains(spoilt)
    for i, prime in enumerate(ring.primes):
        spoilt = element.copy()
        spoilt[i, 7] = prime
        assert not ring.contains(spoilt)


@ALL
def test_the_transform_is_the_polynomial_at_the_roots_that_the_page_names(ring):
    one = elements(ring, 1)
    transformed = to_transformed(ring, one)
    bits = ring.degree.bit_length() - 1
    for i, prime in enumerate(ring.primes):
        psi = least_root(ring.degree, prime)
        coefficients = one[0, i].tolist()
        for place in (0, 1, 2, ring.degree // 3, ring.degree - 1):
            point = pow(psi, 2 * int(format(place, f"0{bits}b")[::-1], 2) + 1, prime)
            value = 0
            for coefficient in reversed(coefficients):
                value = (value * point + coefficient) % prime
            assert int(transformed[0, i, place]) == value
    assert np.array_equal(from_transformed(ring, transformed), one)


def least_root(degree, prime):
    """The least primitive root of unity of order ``2 * degree``."""
    candidates = (pow(x, (prime - 1) // (2 * degree), prime) for x in range(2, 100))
    root = next(c for c in candidates if pow(c, degree, prime) == prime - 1)
    least = current = root
    for _ in range(degree):
        least, current = min(least, current), current * root * root % prime
    return least


@ALL
@pytest.mark.parametrize("count", [1, 2, 16, 17])
def test_any_number_of_elements_is_transformed(ring, count):
    many = elements(ring, count)
    transformed = to_transformed(ring, many)
    assert np.array_equal(transformed[-1:], to_transformed(ring, many[-1:]))
    assert np.array_equal(from_transformed(ring, transformed), many)


@ALL
def test_a_product_in_transformed_order_is_the_product_of_the_polynomials(ring):
    """Modulo x^degree + 1: x^(degree - 1) times x^2 is -x."""
    a = np.zeros(ring.degree, dtype=np.int64)
    b = a.copy()
    a[ring.degree - 1], a[0], b[2], b[0] = 5, 2, 7, 1
    left = to_transformed(ring, ring.small(a)[None])
    right = to_transformed(ring, ring.small(b)[None])[0]
    expected = np.zeros(ring.degree, dtype=np.int64)
    expected[0], expected[2], expected[ring.degree - 1], expected[1] = 2, 14, 5, -35
    assert np.array_equal(
        from_transformed(ring, ring.multiply(left, right)), ring.small(expected)[None]
    )


@pytest.mark.parametrize("primes", [0, 4, -1])
def test_other_rings_there_are_none(primes):
    with pytest.raises(StudyError, match="1 to 3"):
        ring_of(primes)
