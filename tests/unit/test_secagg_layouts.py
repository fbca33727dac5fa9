"""Which packing a round takes: the fewest bytes, and of equals the simpler one."""

import pytest
from secagg_round import make_facts

from securefl.secagg.layouts import body_bytes, layout_for
from securefl.secagg.number_layout import NumberLayout
from securefl.secagg.packing import FieldLayout
from securefl.secagg.ring import CHUNK_BYTES


@pytest.mark.parametrize("bits", [4, 5])
def test_values_coarser_than_a_ciphertext_packs_travel_under_keys(bits):
    assert layout_for(bits, 5, 10) == NumberLayout(bits, 5, 1)


def test_the_coarsest_values_that_a_ciphertext_packs_travel_in_it():
    assert layout_for(6, 5, 10) == FieldLayout(6, 5)


def test_of_two_packings_of_equal_size_the_simpler_is_taken():
    length = 16_342
    direct, keyed = FieldLayout(6, 1000), NumberLayout(6, 1000, 1)
    assert body_bytes(direct, length) == body_bytes(keyed, length) == 118_784
    assert layout_for(6, 1000, length) == direct


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
    assert body_bytes(layout, length) == keys * CHUNK_BYTES + layout.bytes_for(length)
