import io

import numpy as np
import pytest

from securefl.errors import UnreadableError
from securefl.secagg import sections
from securefl.secagg.residues import keep_residues, kept_residues
from securefl.secagg.ring import CHUNK_BYTES, DEGREE, MODULUS
from securefl.secagg.sections import Section, ciphertext_section

BLOCKS = [
    np.random.default_rng(n).integers(0, MODULUS, (n, 2, DEGREE), dtype=np.uint64) for n in (2, 3)
]


FIVE = (ciphertext_section(5),)


@pytest.fixture(autouse=True)
def _blocks_of_two(monkeypatch):
    monkeypatch.setattr(sections, "_BLOCK_BYTES", 2 * CHUNK_BYTES)


@pytest.fixture
def file():
    made = io.BytesIO()
    keep_residues(iter(BLOCKS), made)
    return made


@pytest.mark.parametrize("size", [1, 2, 5, 99])
def test_ciphertexts_come_back_in_blocks_of_any_size(file, size, monkeypatch):
    monkeypatch.setattr(sections, "_BLOCK_BYTES", size * CHUNK_BYTES)
    blocks = list(kept_residues(file, FIVE))
    assert all(len(b) <= size for b in blocks)
    assert np.array_equal(np.concatenate(blocks), np.concatenate(BLOCKS))


def test_two_read_one_file_at_the_same_time(file):
    assert all(
        np.array_equal(a, b)
        for a, b in zip(kept_residues(file, FIVE), kept_residues(file, FIVE), strict=True)
    )


def test_what_is_read_can_be_written_on_and_changes_nothing(file):
    first = next(kept_residues(file, FIVE))
    first[:] = 0
    assert np.array_equal(next(kept_residues(file, FIVE)), BLOCKS[0])


def test_a_file_that_is_cut_off_is_no_sum_of_fewer(file):
    file.truncate(5 * 2 * DEGREE * 8 - 1)
    with pytest.raises(UnreadableError, match="cut off"):
        list(kept_residues(file, FIVE))


def test_sections_of_several_shapes_come_back_one_after_the_other():
    plan = (
        ciphertext_section(3),
        Section(2, 128, (MODULUS,), masked=False),
        Section(1, 64, (MODULUS,), masked=False),
    )
    rng = np.random.default_rng(1)
    blocks = [
        rng.integers(0, MODULUS, (n, *section.item_shape), dtype=np.uint64)
        for section, n in zip(plan, (3, 2, 1), strict=True)
    ]
    file = io.BytesIO()
    keep_residues(blocks, file)
    back = list(kept_residues(file, plan))
    assert [b.shape for b in back] == [(2, 2, 4096), (1, 2, 4096), (2, 1, 128), (1, 1, 64)]
    assert np.array_equal(np.concatenate(back[:2]), blocks[0])
    assert all(np.array_equal(a, b) for a, b in zip(back[2:], blocks[1:], strict=True))
