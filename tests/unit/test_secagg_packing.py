import math

import numpy as np
import pytest

from securefl.errors import RoundError, StudyError, UsageError
from securefl.secagg.cipher_ring import CIPHER_RINGS, CipherRing, cipher_ring
from securefl.secagg.packing import MARGIN_SDS, FieldLayout
from securefl.secagg.ring import DEGREE, MODULUS


@pytest.mark.parametrize(
    ("bits", "contributors", "field_bits", "fields"),
    [
        (16, 5, 19, 2),
        (16, 126, 23, 2),
        (12, 8, 15, 3),
        (8, 8, 11, 4),
        (8, 1, 8, 5),
        (24, 5, 27, 1),
        (16, 1, 16, 2),
    ],
)
def test_fields_per_coefficient_are_those_of_the_design(bits, contributors, field_bits, fields):
    layout = FieldLayout(bits, contributors)
    assert (layout.field_bits, layout.fields) == (field_bits, fields)
    assert layout.scale == MODULUS >> (field_bits * fields)


@pytest.mark.parametrize("ring", CIPHER_RINGS, ids=lambda ring: ring.degree)
@pytest.mark.parametrize("bits", range(6, 25))
def test_every_layout_keeps_twelve_standard_deviations_of_noise(bits, ring):
    made = 0
    for contributors in (1, 2, 5, 8, 100, 126, 127, 128, 1000, 4096):
        try:
            layout = FieldLayout(bits, contributors, ring.degree)
        except StudyError:
            continue
        made += 1
        assert layout.scale / 2 >= MARGIN_SDS * ring.noise_sd * math.sqrt(contributors)
        assert layout.scale << (layout.fields * layout.field_bits) <= ring.modulus
    assert made == 10 or ring.degree < DEGREE


@pytest.mark.parametrize(
    ("bits", "contributors", "degree", "fields"),
    [
        (9, 5, 1024, 1),
        (10, 5, 1024, 0),
        (7, 16, 1024, 1),
        (8, 16, 1024, 0),
        (6, 100, 1024, 0),
        (16, 5, 2048, 1),
        (15, 5, 2048, 2),
        (9, 5, 2048, 3),
        (24, 100, 2048, 1),
    ],
)
def test_small_rings_hold_what_their_noise_leaves(bits, contributors, degree, fields):
    if fields == 0:
        with pytest.raises(StudyError, match="too little room"):
            FieldLayout(bits, contributors, degree)
    else:
        assert FieldLayout(bits, contributors, degree).fields == fields


def test_there_are_no_other_rings():
    with pytest.raises(StudyError, match="4096, 2048, 1024"):
        cipher_ring(512)


def test_where_the_field_formula_would_eat_the_margin_there_is_one_field_fewer():
    # 46 bits in all, D/2 = 2047 < 12 * 15.2 * sqrt(127)
    assert FieldLayout(16, 126).fields == 2
    assert FieldLayout(16, 127).fields == 1


def test_six_bits_are_the_fewest_and_24_the_most():
    assert [FieldLayout(bits, 5).max_value for bits in (6, 24)] == [31, 8_388_607]


@pytest.mark.parametrize(("bits", "contributors"), [(5, 5), (25, 5), (16, 0), (16, 4097)])
def test_a_layout_out_of_range_is_the_researchers_to_mend(bits, contributors):
    with pytest.raises(StudyError) as caught:
        FieldLayout(bits, contributors)
    assert caught.value.next_step


def test_a_layout_without_room_for_the_noise_is_refused(monkeypatch):
    noisy = CipherRing(DEGREE, MODULUS, 1, 46, 1e12)
    monkeypatch.setattr("securefl.secagg.packing.cipher_ring", lambda _: noisy)
    with pytest.raises(StudyError, match="too little room"):
        FieldLayout(16, 5)


@pytest.mark.parametrize("length", [1, 8190, 8191, 8192, 16382, 16383])
def test_one_canary_per_ciphertext_costs_one_value(length):
    layout = FieldLayout(16, 5)
    chunks = math.ceil(length / (2 * DEGREE - 1))
    assert layout.chunks_for(length) == chunks
    assert layout.pack(np.zeros(length, dtype=np.int64)).shape == (chunks, DEGREE)


@pytest.mark.parametrize("bits", [8, 12, 16, 24])
@pytest.mark.parametrize("contributors", [1, 2, 3, 5, 8, 100])
@pytest.mark.parametrize("sign", [-1, 1])
def test_saturated_contributions_add_up_exactly(bits, contributors, sign):
    layout = FieldLayout(bits, contributors)
    values = np.full(layout.values_per_chunk + 3, sign * layout.max_value)
    total = layout.pack(values) * np.uint64(contributors)
    opened, canaries = layout.unpack(total, values.size)
    assert np.array_equal(opened, values * contributors)
    assert canaries.tolist() == [contributors] * 2


@pytest.mark.parametrize("excess", [1, -1])
def test_a_value_out_of_range_is_refused_and_never_wrapped(excess):
    layout = FieldLayout(12, 5)
    values = np.zeros(5, dtype=np.int64)
    values[3] = excess * (layout.max_value + 1)
    with pytest.raises(RoundError, match="does not fit in 12 bits"):
        layout.pack(values)


def test_the_smallest_64_bit_integer_is_refused_too():
    with pytest.raises(RoundError):
        FieldLayout(16, 5).pack(np.array([np.iinfo(np.int64).min]))


@pytest.mark.parametrize(
    "values",
    [
        np.zeros(3),
        np.zeros(3, dtype=np.int32),
        np.zeros((2, 2), dtype=np.int64),
        np.array([np.nan]),
    ],
)
def test_only_integer_vectors_are_packed(values):
    with pytest.raises(UsageError, match="packed from int64"):
        FieldLayout(16, 5).pack(values)


def test_an_empty_vector_is_refused():
    with pytest.raises(UsageError, match="0 values"):
        FieldLayout(16, 5).pack(np.empty(0, dtype=np.int64))


def test_a_sum_of_another_shape_is_refused():
    with pytest.raises(UsageError, match="unpacked from"):
        FieldLayout(16, 5).unpack(np.zeros((2, DEGREE), dtype=np.uint64), 5)


@pytest.mark.parametrize(("coefficient", "field"), [(0, 0), (9, 0), (DEGREE - 1, 1)])
def test_a_field_that_no_honest_cohort_adds_up_to_is_refused(coefficient, field):
    layout = FieldLayout(16, 3)
    messages = layout.pack(np.zeros(8000, dtype=np.int64)) * np.uint64(3)
    messages[0, coefficient] |= np.uint64(
        ((1 << layout.field_bits) - 1) << (field * layout.field_bits)
    )
    with pytest.raises(RoundError, match="nothing was released"):
        layout.unpack(messages, 8000)


def test_a_message_wider_than_its_fields_is_refused():
    layout = FieldLayout(16, 3)
    messages = layout.pack(np.zeros(5, dtype=np.int64)) * np.uint64(3)
    messages[0, 1] |= np.uint64(1 << (layout.fields * layout.field_bits))
    with pytest.raises(RoundError):
        layout.unpack(messages, 5)


def test_padding_that_is_not_zero_is_refused():
    layout = FieldLayout(16, 3)
    messages = layout.pack(np.ones(6, dtype=np.int64)) * np.uint64(3)
    with pytest.raises(RoundError):
        layout.unpack(messages, 5)


def test_numbers_of_another_type_are_not_unpacked():
    layout = FieldLayout(16, 1)
    packed = layout.pack(np.arange(5))
    with pytest.raises(UsageError, match="int64"):
        layout.unpack(packed.astype(np.int64), 5)
