"""Which packing a round takes: the fewest bytes, and of equals the simpler one."""

import pytest
from secagg_round import make_facts

from securefl.errors import StudyError
from securefl.secagg.cipher_ring import CIPHER_RINGS, LARGE_RING
from securefl.secagg.group_contexts import group_contexts
from securefl.secagg.layouts import body_bytes, layout_for
from securefl.secagg.number_layout import NumberLayout
from securefl.secagg.packing import FieldLayout


@pytest.mark.parametrize("bits", [4, 5])
def test_values_coarser_than_a_ciphertext_packs_travel_under_keys(bits):
    assert layout_for(bits, 5, 10) == NumberLayout(bits, 5, 1)


def test_the_coarsest_values_that_a_ciphertext_packs_travel_in_it():
    assert layout_for(6, 5, 10) == FieldLayout(6, 5, 1024)


@pytest.mark.parametrize(
    ("bits", "contributors", "length", "degree", "size"),
    [
        (9, 5, 1_023, 1024, 6_400),
        (9, 5, 1_024, 1024, 12_800),
        (9, 5, 4_092, 1024, 25_600),
        (9, 5, 4_093, 2048, 26_112),
        (10, 5, 100, 2048, 26_112),
        (16, 5, 2_047, 2048, 26_112),
        (16, 5, 2_048, 2048, 52_224),
        (16, 5, 4_095, 4096, 59_392),
        (16, 5, 8_191, 4096, 59_392),
        (9, 16, 100, 2048, 26_112),
        (7, 16, 100, 1024, 6_400),
    ],
)
def test_few_numbers_travel_in_the_smallest_ring_that_holds_them(
    bits, contributors, length, degree, size
):
    layout = layout_for(bits, contributors, length)
    assert layout == FieldLayout(bits, contributors, degree)
    assert body_bytes(layout, length) == size


def test_a_group_travels_in_the_ring_of_the_round_whose_key_it_uses():
    """Nine-bit values of five groups of three and more: alone, a group might choose another."""
    names = [f"H{i:02}" for i in range(15)]
    groups = tuple(tuple(names[i : i + 3]) for i in range(0, 15, 3))
    for bits, length in ((9, 500), (7, 500), (16, 3_000), (16, 100_000)):
        layout = layout_for(bits, len(names), length)
        facts = make_facts(names, length=length, layout=layout, groups=groups, bound=50)
        for group in group_contexts(facts):
            assert group.cipher_layout.ring == facts.cipher_layout.ring
    assert layout_for(9, 3, 500).ring != layout_for(9, 15, 500).ring


def test_of_two_packings_of_equal_size_the_simpler_is_taken(monkeypatch):
    layouts = [FieldLayout(16, 5), NumberLayout(16, 5, 1)]
    monkeypatch.setattr("securefl.secagg.layouts.body_bytes", lambda *_: 1)
    assert layout_for(16, 5, 100) == layouts[0]


@pytest.mark.parametrize(
    ("layout", "keys"), [(NumberLayout(16, 5, 3), 1), (NumberLayout(16, 4096, 2), 2)]
)
def test_bytes_are_those_of_all_sections(layout, keys):
    length = 100_000
    sections = make_facts(
        [f"H{i}" for i in range(layout.contributors)], length=length, layout=layout
    ).sections
    assert sections[0].count == keys
    assert body_bytes(layout, length) == sum(s.count * s.item_bytes for s in sections)
    assert body_bytes(layout, length) == keys * LARGE_RING.chunk_bytes + layout.bytes_for(length)


def test_where_only_small_rings_may_be_chosen_no_key_travels_in_the_large_one():
    assert isinstance(layout_for(16, 5, 1_000_000), NumberLayout)
    small = layout_for(16, 5, 1_000_000, CIPHER_RINGS[1:])
    assert isinstance(small, FieldLayout)
    assert small.ring in CIPHER_RINGS[1:]


def test_numbers_that_even_the_large_ring_cannot_hold_are_refused_with_the_range():
    with pytest.raises(StudyError, match="6 to 24 are possible"):
        layout_for(40, 67, 1000)
