"""Sections of a contribution: what belongs to one, and in which blocks it is worked on."""

import io

import numpy as np
import pytest

from securefl.errors import MessageError
from securefl.secagg.number_layout import NumberLayout
from securefl.secagg.sections import Section, blocks_of, ciphertext_section

CIPHERTEXTS = ciphertext_section(3)
ELEMENTS = NumberLayout(16, 5, 3).sections(1000)[0]
EACH = pytest.mark.parametrize("section", [CIPHERTEXTS, ELEMENTS], ids=["ciphertexts", "elements"])


def items(section, count, seed=1):
    rng = np.random.default_rng(seed)
    rows = [
        rng.integers(0, prime, (count, section.degree), dtype=np.uint64) for prime in section.moduli
    ]
    return np.stack(rows, axis=1)


@EACH
def test_items_of_a_section_are_told_from_others(section):
    good = items(section, 2)
    assert section.contains(good)
    for spoilt in (good[:0], good[0], good[:, :1], good[:, :, 1:], good.astype(np.int64)):
        assert not section.contains(spoilt)
    for row, prime in enumerate(section.moduli):
        spoilt = good.copy()
        spoilt[1, row, 5] = prime
        assert not section.contains(spoilt)


@EACH
def test_what_is_written_is_read(section):
    good = items(section, 2)
    file = io.BytesIO()
    assert len(section.write(good, file)) == 2
    assert len(file.getvalue()) == 2 * section.item_bytes
    assert np.array_equal(section.read(file.getvalue(), "A"), good)


@EACH
def test_a_residue_at_its_prime_is_refused_in_the_senders_name(section):
    spoilt = items(section, 1)
    spoilt[0, -1, 0] = section.moduli[-1]
    file = io.BytesIO()
    section.write(spoilt, file)
    with pytest.raises(MessageError, match="prime") as caught:
        section.read(file.getvalue(), "A")
    assert caught.value.whose == "A"


@EACH
def test_each_row_is_added_modulo_its_own_prime(section):
    one, other = items(section, 2, 1), items(section, 2, 2)
    total = section.add(one, other)
    for row, prime in enumerate(section.moduli):
        expected = [
            (x + y) % prime
            for x, y in zip(one[1, row].tolist(), other[1, row].tolist(), strict=True)
        ]
        assert total[1, row].tolist() == expected


def test_only_ciphertexts_are_masked():
    assert CIPHERTEXTS.masked
    assert not ELEMENTS.masked


def test_blocks_fit_a_processor_s_cache_and_cover_every_item_once():
    section = Section(10, 4096, ciphertext_section(1).moduli, masked=True)
    planned = list(blocks_of((section, ELEMENTS)))
    assert all((stop - start) * part.item_bytes <= 1 << 18 for part, start, stop in planned)
    assert [(start, stop) for part, start, stop in planned if part is section] == [
        (0, 4), (4, 8), (8, 10)
    ]  # fmt: skip
    assert planned[-1] == (ELEMENTS, 0, 1)
