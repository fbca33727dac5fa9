from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from secagg_round import Party, fake_ciphertext, make_facts
from secagg_whole import pairwise_mask, read_contribution, read_sum, write_contribution

from securefl.errors import MessageError, RoundError
from securefl.secagg import frame, masks, ring
from securefl.secagg.packing import FieldLayout

STEADY = settings(derandomize=True, deadline=None, max_examples=60)
SVI = Party("SVI")
FACTS = make_facts()
GOOD = write_contribution(FACTS, "SVI", fake_ciphertext(1), SVI.sign)


def words(modulus):
    edge = st.sampled_from([0, 1, modulus // 2, modulus - 2, modulus - 1])
    return st.integers(0, modulus - 1) | edge


@STEADY
@given(st.lists(st.tuples(words(ring.MODULUS), words(ring.MODULUS)), min_size=1, max_size=20))
def test_ring_arithmetic_is_that_of_python_integers(pairs):
    a, b = (np.array(column, dtype=np.uint64) for column in zip(*pairs, strict=True))
    assert ring.add(a, b).tolist() == [(x + y) % ring.MODULUS for x, y in pairs]
    assert ring.subtract(ring.add(a, b), b).tolist() == a.tolist()


@STEADY
@given(st.integers(1, 58), st.integers(1, 4), st.randoms(use_true_random=False))
def test_bit_packing_loses_nothing_at_any_width_of_the_wire(width, groups, random):
    values = np.array([random.getrandbits(width) for _ in range(64 * groups)], dtype=np.uint64)
    packed = ring.pack_bits(values, width)
    assert len(packed) == 8 * width * groups
    assert np.array_equal(ring.unpack_bits(packed, width), values)


@st.composite
def cohorts_values(draw):
    bits, contributors = draw(st.integers(8, 24)), draw(st.integers(1, 100))
    layout = FieldLayout(bits, contributors)
    length = draw(
        st.integers(1, 40) | st.integers(layout.values_per_chunk - 1, layout.values_per_chunk + 2)
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.integers(
        -layout.max_value, layout.max_value, (contributors, length), endpoint=True
    )
    saturated = rng.random((contributors, length)) < draw(st.sampled_from([0.0, 0.5, 1.0]))
    return layout, np.where(saturated, np.sign(values) * layout.max_value, values)


@STEADY
@given(cohorts_values())
def test_packed_sums_are_exact_integer_sums(case):
    layout, values = case
    total = np.sum([layout.pack(row) for row in values], axis=0, dtype=np.uint64)
    opened, canaries = layout.unpack(total, values.shape[1])
    assert np.array_equal(opened, values.sum(axis=0))
    assert set(canaries.tolist()) == {layout.contributors}


@STEADY
@given(cohorts_values())
def test_an_incomplete_sum_never_unpacks_with_a_good_canary(case):
    layout, values = case
    total = np.sum([layout.pack(row) for row in values[1:]], axis=0, dtype=np.uint64)
    if len(values) == 1:
        total = np.zeros((layout.chunks_for(values.shape[1]), ring.DEGREE), dtype=np.uint64)
    try:
        _, canaries = layout.unpack(total, values.shape[1])
    except RoundError:
        return
    assert layout.contributors not in canaries.tolist()


@STEADY
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5), st.integers(8, 24))
def test_packing_takes_what_fits_and_refuses_the_rest(numbers, bits):
    layout = FieldLayout(bits, 5)
    values = np.array(numbers, dtype=np.int64)
    if all(abs(number) <= layout.max_value for number in numbers):
        layout.pack(values)
    else:
        with pytest.raises(RoundError):
            layout.pack(values)


@settings(STEADY, max_examples=15)
@given(
    st.sets(
        st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=9),
        min_size=2,
        max_size=6,
    ),
    st.integers(1, 5),
)
def test_masks_cancel_for_any_names_and_any_cohort(names, attempt):
    parties = {name: Party(name) for name in names}
    facts = make_facts(tuple(names), attempt=attempt)
    parts = [
        pairwise_mask(me, {n: parties[me].secret_with(parties[n]) for n in names if n != me}, facts)
        for me in names
    ]
    assert not ring.sum_mod_q(parts).any()


@STEADY
@given(st.binary(min_size=32, max_size=32), st.integers(2, ring.MODULUS), st.integers(1, 300))
def test_uniform_residues_do_not_depend_on_how_many_are_drawn(key, modulus, count):
    few, many = (
        masks.uniform_residues(key, count, modulus),
        masks.uniform_residues(key, count + 50, modulus),
    )
    assert np.array_equal(few, many[:count])
    assert int(many.max()) < modulus


@settings(STEADY, max_examples=400)
@given(st.data())
def test_every_mutation_of_a_frame_is_refused_in_its_senders_name(data):
    kind = data.draw(st.sampled_from(["flip", "cut", "insert", "overwrite", "splice"]))
    at = data.draw(st.integers(0, len(GOOD) - 1) | st.integers(0, 700))
    if kind == "flip":
        crafted = GOOD[:at] + bytes([GOOD[at] ^ data.draw(st.integers(1, 255))]) + GOOD[at + 1 :]
    elif kind == "cut":
        crafted = GOOD[:at]
    elif kind == "insert":
        crafted = GOOD[:at] + data.draw(st.binary(min_size=1, max_size=40)) + GOOD[at:]
    elif kind == "overwrite":
        crafted = GOOD[:at] + data.draw(st.binary(min_size=1, max_size=40)) + GOOD[at + 40 :]
    else:
        end = data.draw(st.integers(0, len(GOOD) - 1))
        crafted = GOOD[:at] + GOOD[end:]
    if crafted == GOOD:
        return
    with pytest.raises(MessageError) as caught:
        read_contribution(crafted, FACTS, "SVI", SVI.verify)
    assert caught.value.whose == "SVI"


@STEADY
@given(st.binary(max_size=2000))
def test_any_bytes_at_all_are_refused(data):
    for read in (read_contribution, read_sum):
        with pytest.raises(MessageError):
            read(data, FACTS, "SVI", SVI.verify)


@STEADY
@given(st.integers(0, 8191), st.integers(ring.MODULUS, (1 << 58) - 1))
def test_a_signed_residue_at_or_above_q_is_refused(at, residue):
    ciphertext = fake_ciphertext(1)
    ciphertext.reshape(-1)[at] = residue
    envelope = frame._contribution_envelope(FACTS, "SVI")
    data = envelope.write([ring.pack_bits(ciphertext, ring.MODULUS_BITS)], SVI.sign)
    with pytest.raises(MessageError, match="above the ring's prime"):
        read_contribution(data, FACTS, "SVI", SVI.verify)


@STEADY
@given(
    st.integers(0, 3),
    st.integers(1, 3),
    st.sampled_from(["update", "evaluation"]),
    st.integers(1, 99),
)
def test_different_facts_never_share_a_digest(round_number, attempt, kind, bound):
    facts = replace(FACTS, round=round_number, attempt=attempt, kind=kind, bound=bound)
    assert (facts.digest() == FACTS.digest()) == (facts == FACTS)
