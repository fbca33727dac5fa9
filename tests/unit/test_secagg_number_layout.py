"""Fields across the primes: what is packed adds up and comes back, and nothing else does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securefl.errors import RoundError, StudyError, UsageError
from securefl.secagg.gaussian import SIGMA
from securefl.secagg.layouts import body_bytes, layout_for
from securefl.secagg.number_layout import NumberLayout
from securefl.secagg.packing import FieldLayout


def opened(layout, words, length, contributors):
    """Through the unpacking with half the errors' range added, as the opening does."""
    shifted = words.copy()
    shifted[:, 0] += np.uint64(1 << (layout.error_bits - 1))
    return layout.unpack(shifted, length, contributors)


def total_of(layout, many):
    """The sum of packed contributions as long integers, carried from word to word."""
    words = sum(layout.pack(values).astype(object) for values in many)
    for place in range(layout.primes - 1):
        words[:, place + 1] += words[:, place] >> 58
        words[:, place] &= (1 << 58) - 1
    return words.astype(np.uint64)


@given(
    st.integers(4, 24), st.integers(1, 40), st.integers(1, 3), st.integers(1, 300), st.integers(0, 2**32),
)  # fmt: skip
def test_sums_of_all_contributors_come_back(bits, contributors, primes, length, seed):
    layout = NumberLayout(bits, contributors, primes)
    rng = np.random.default_rng(seed)
    many = [
        rng.integers(-layout.max_value, layout.max_value, length, endpoint=True)
        for _ in range(contributors)
    ]
    many[0][0] = layout.max_value
    values, canaries, share = opened(layout, total_of(layout, many), length, contributors)
    assert np.array_equal(values, sum(many))
    assert canaries.tolist() == [contributors] * len(canaries)
    assert share == 0.0


@pytest.mark.parametrize("primes", [1, 2, 3])
@pytest.mark.parametrize("sign", [1, -1])
def test_every_value_at_its_end_does_not_reach_into_its_neighbour(primes, sign):
    layout = NumberLayout(16, 5, primes)
    extreme = np.full(layout.values_per_element, sign * layout.max_value, dtype=np.int64)
    values, _, _ = opened(layout, total_of(layout, [extreme] * 5), extreme.size, 5)
    assert np.array_equal(values, 5 * extreme)


@pytest.mark.parametrize(
    ("bits", "contributors", "primes", "fields"),
    [
        (16, 5, 1, 2), (16, 5, 2, 5), (16, 5, 3, 8), (8, 5, 1, 4), (8, 5, 2, 9), (8, 5, 3, 15), (6, 5, 1, 5), (6, 5, 2, 12),
        (6, 5, 3, 18), (12, 5, 1, 3), (12, 5, 2, 7), (12, 5, 3, 11), (24, 4096, 1, 1), (16, 8, 3, 8), (8, 8, 3, 15),
        (8, 6, 3, 15), (8, 9, 3, 13), (16, 8, 2, 5), (6, 8, 3, 18),
    ],
)  # fmt: skip
def test_how_many_fields_a_coefficient_has(bits, contributors, primes, fields):
    layout = NumberLayout(bits, contributors, primes)
    assert layout.fields == fields
    # The largest sum, with the largest error, does not wrap; one field more would, or has no word.
    most = contributors * (2**bits - 1) + 1
    end = layout.error_bits + fields * layout.field_bits
    assert most << (end - layout.field_bits) <= layout.ring.modulus
    assert most << end > layout.ring.modulus or end + layout.field_bits > 58 * primes
    # twelve standard deviations of the sum of all errors lie within half the range
    assert 2 ** (layout.error_bits - 1) >= 12 * float(SIGMA) * contributors**0.5


@pytest.mark.parametrize("length", [1, 62, 63, 511, 65_535, 65_536, 65_537, 400_000])
def test_the_last_element_is_cut_to_what_it_needs(length):
    layout = NumberLayout(16, 5, 3)
    sections = layout.sections(length)
    held = sum(s.count * (s.degree * layout.fields - 1) for s in sections)
    assert held >= length
    assert sections[-1].degree == layout.ring.degree or held - length < 64 * layout.fields
    assert layout.bytes_for(length) == sum(s.count * s.item_bytes for s in sections)
    assert all(s.degree % 64 == 0 for s in sections)


@pytest.mark.parametrize("contributors", range(2, 9))
def test_bytes_a_parameter_at_a_million_and_up_to_eight_hospitals(contributors):
    for bits, most in ((16, 2.90), (8, 1.61), (6, 1.35)):
        layout = layout_for(bits, contributors, 1_000_000)
        assert body_bytes(layout, 1_000_000) / 1_000_000 < most - 0.01


def test_a_small_model_takes_one_ciphertext():
    layout = layout_for(16, 5, 481)
    assert body_bytes(layout, 481) == 26_112 < 75_000 - 4096


def test_a_million_values_cost_what_the_front_page_of_the_format_says():
    sizes = {bits: layout_for(bits, 5, 999_937) for bits in (16, 8, 6)}
    assert {bits: layout.primes for bits, layout in sizes.items()} == {16: 3, 8: 3, 6: 2}
    a_parameter = {bits: body_bytes(layout, 999_937) / 999_937 for bits, layout in sizes.items()}
    assert a_parameter[16] < 2.79
    assert a_parameter[8] < 1.52
    assert a_parameter[6] < 1.28


@pytest.mark.parametrize("length", [1, 24, 481, 8191])
def test_few_numbers_travel_in_one_ciphertext(length):
    layout = layout_for(16, 5, length)
    assert isinstance(layout, FieldLayout)
    assert body_bytes(layout, length) == (59_392 if length > 2047 else 26_112)


def test_no_other_packing_is_smaller():
    for length in (100, 9_000, 12_801, 51_201, 999_937):
        chosen = body_bytes(layout_for(16, 5, length), length)
        others = [FieldLayout(16, 5), FieldLayout(16, 5, 2048)]
        others += [*(NumberLayout(16, 5, n) for n in (1, 2, 3))]
        assert chosen == min(body_bytes(layout, length) for layout in others)


def test_a_value_out_of_range_is_refused_and_never_clipped():
    layout = NumberLayout(8, 5, 2)
    for value in (128, -128, 1 << 40):
        with pytest.raises(RoundError, match="does not fit"):
            layout.pack(np.array([value]))
    layout.pack(np.array([127, -127]))


@pytest.mark.parametrize(
    "values", [np.zeros(3), np.zeros((2, 2), dtype=np.int64), np.zeros(3, dtype=np.int32)]
)
def test_other_arrays_are_a_wrong_use(values):
    with pytest.raises(UsageError, match="int64"):
        NumberLayout(8, 5, 2).pack(values)


@pytest.mark.parametrize(
    "layout", [(3, 5, 1), (25, 5, 1), (16, 0, 1), (16, 4097, 1), (16, 5, 0), (16, 5, 4)]
)
def test_layouts_that_there_are_not(layout):
    with pytest.raises(StudyError):
        NumberLayout(*layout)


def test_no_values_need_no_elements():
    with pytest.raises(UsageError, match="at least one"):
        NumberLayout(16, 5, 1).sections(0)


@pytest.mark.parametrize("primes", [1, 2, 3])
def test_what_no_contributions_add_up_to_is_refused(primes):
    layout = NumberLayout(16, 5, primes)
    good = total_of(layout, [np.array([3, -4])] * 5)
    assert opened(layout, good, 2, 5)[0].tolist() == [15, -20]
    top = layout.error_bits + layout.fields * layout.field_bits
    spoils = {
        "padding": (
            lambda w: w[:, 0].__setitem__((0, 9), w[0, 0, 9] + np.uint64(1 << layout.error_bits))
        ),
        "field": lambda w: w[:, 0].__setitem__((0, 0), np.uint64(0)),
        "above": (
            lambda w: w[:, top // 58].__setitem__(
                (0, 5), w[0, top // 58, 5] | np.uint64(1 << (top % 58))
            )
        ),
    }
    for spoil in spoils.values():
        words = good.copy()
        spoil(words)
        with pytest.raises(RoundError, match="no complete set"):
            opened(layout, words, 2, 5)


def test_the_error_is_told_as_a_share_of_what_would_change_an_integer():
    layout = NumberLayout(16, 5, 1)
    words = total_of(layout, [np.array([1])] * 5)
    half = 1 << (layout.error_bits - 1)
    words[0, 0, 3] += np.uint64(half // 2)
    assert opened(layout, words, 1, 5)[2] == 0.5


def test_an_odd_error_is_told_to_its_last_bit():
    layout = NumberLayout(16, 5, 1)
    words = total_of(layout, [np.array([1])] * 5)
    words[0, 0, 3] += np.uint64(1)
    assert opened(layout, words, 1, 5)[2] == 1 / (1 << (layout.error_bits - 1))


@pytest.mark.parametrize("primes", [1, 2, 3])
def test_values_that_fill_elements_need_no_other_and_one_more_is_cut(primes):
    layout = NumberLayout(16, 5, primes)
    full = layout.values_per_element
    (whole,) = layout.sections(2 * full)
    assert (whole.count, whole.degree) == (2, layout.ring.degree)
    whole, rest = layout.sections(2 * full + 1)
    assert (whole.count, rest.count, rest.degree) == (2, 1, 64)
    # Keys alone are masked: on numbers a mask would be there for nothing, and would stay.
    assert not whole.masked
    assert not rest.masked


def test_values_of_more_than_one_element_come_back():
    layout = NumberLayout(16, 2, 1)
    values = np.arange(layout.values_per_element + 3) % 1000
    found, canaries, _ = opened(layout, total_of(layout, [values, -values]), values.size, 2)
    assert canaries.tolist() == [2, 2]
    assert not found.any()
    found, _, _ = opened(layout, total_of(layout, [values, values]), values.size, 2)
    assert np.array_equal(found, 2 * values)


def test_fields_end_in_the_last_word_of_every_layout():
    for bits in range(4, 25):
        for contributors in (1, 2, 3, 5, 8, 16, 17, 86, 100, 1024, 1025, 4096):
            for primes in (1, 2, 3):
                layout = NumberLayout(bits, contributors, primes)
                end = layout.error_bits + layout.fields * layout.field_bits
                assert 58 * (primes - 1) < end <= 58 * primes
