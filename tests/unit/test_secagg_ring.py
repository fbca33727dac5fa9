import numpy as np
import pytest
from secagg_round import fake_ciphertext

from securefl.errors import UsageError
from securefl.secagg import ring

EDGES = np.array([0, 1, 2, ring.MODULUS // 2, ring.MODULUS - 2, ring.MODULUS - 1], dtype=np.uint64)


def test_addition_and_subtraction_agree_with_python_integers_at_the_edges():
    a, b = (grid.ravel() for grid in np.meshgrid(EDGES, EDGES))
    pairs = list(zip(a.tolist(), b.tolist(), strict=True))
    assert ring.add(a, b).tolist() == [(x + y) % ring.MODULUS for x, y in pairs]
    assert ring.subtract(a, b).tolist() == [(x - y) % ring.MODULUS for x, y in pairs]


def test_a_sum_of_a_thousand_largest_residues_does_not_overflow():
    largest = np.full(3, ring.MODULUS - 1, dtype=np.uint64)
    assert ring.sum_mod_q(largest for _ in range(1000)).tolist() == [-1000 % ring.MODULUS] * 3


def test_summing_leaves_the_inputs_alone():
    first = np.ones(4, dtype=np.uint64)
    ring.sum_mod_q([first, first])
    assert first.tolist() == [1] * 4


def test_nothing_and_unequal_shapes_cannot_be_summed():
    with pytest.raises(UsageError, match="nothing to add"):
        ring.sum_mod_q([])
    with pytest.raises(UsageError, match="cannot be added"):
        ring.sum_mod_q([np.zeros(2, dtype=np.uint64), np.zeros(3, dtype=np.uint64)])


def test_residues_are_unsigned_64_bit_numbers_below_the_modulus():
    assert ring.are_residues(EDGES)
    assert not ring.are_residues(EDGES + np.uint64(1))
    assert not ring.are_residues(EDGES.astype(np.int64))
    assert not ring.are_residues(np.empty(0, dtype=np.uint64))


def test_uniform_polynomials_are_not_degenerate_and_empty_or_constant_ones_are():
    honest = fake_ciphertext(2)
    assert not ring.looks_degenerate(honest)
    for spoil in (0, 7):
        crafted = honest.copy()
        crafted[1, 1] = spoil
        assert ring.looks_degenerate(crafted)
    monomial = honest.copy()
    monomial[0, 1] = 0
    monomial[0, 1, 17] = 5
    assert ring.looks_degenerate(monomial)


@pytest.mark.parametrize("width", [1, 3, 8, 16, 22, 24, 57, 58, 60, 64])
def test_bit_packing_is_the_plain_little_endian_bit_string(width):
    rng = np.random.default_rng(width)
    values = (
        rng.integers(0, 1 << width, 128, dtype=np.uint64, endpoint=False)
        if width < 64
        else EDGES.repeat(32)[:128]
    )
    whole = sum(int(value) << (i * width) for i, value in enumerate(values))
    assert ring.pack_bits(values, width) == whole.to_bytes(128 * width // 8, "little")
    assert np.array_equal(ring.unpack_bits(ring.pack_bits(values, width), width), values)


@pytest.mark.parametrize("width", [59, 61, 62, 63])
def test_widths_that_no_word_holds_are_refused(width):
    with pytest.raises(UsageError, match=f"{width} bits"):
        ring.pack_bits(np.zeros(64, dtype=np.uint64), width)
    with pytest.raises(UsageError, match=f"{width} bits"):
        ring.unpack_bits(bytes(8 * width), width)


def test_one_residue_alone_is_residues():
    assert ring.are_residues(np.array([ring.MODULUS - 1], dtype=np.uint64))


def test_eight_zeros_in_a_polynomial_pass_and_nine_do_not():
    polynomial = fake_ciphertext(1)[0, 0]
    polynomial[:8] = 0
    assert not ring.looks_degenerate(polynomial)
    polynomial[8] = 0
    assert ring.looks_degenerate(polynomial)
