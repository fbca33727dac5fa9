import io

import numpy as np
import pytest

from securefl.errors import UnreadableError
from securefl.secagg.residues import keep_residues, kept_residues
from securefl.secagg.ring import DEGREE, MODULUS

BLOCKS = [np.random.default_rng(n).integers(0, MODULUS, (n, 2, DEGREE), dtype=np.uint64) for n in (2, 3)]


@pytest.fixture
def file():
    made = io.BytesIO()
    keep_residues(iter(BLOCKS), made)
    return made


@pytest.mark.parametrize("size", [1, 2, 5, 99])
def test_ciphertexts_come_back_in_blocks_of_any_size(file, size):
    blocks = list(kept_residues(file, 5, size))
    assert all(len(b) <= size for b in blocks)
    assert np.array_equal(np.concatenate(blocks), np.concatenate(BLOCKS))


def test_two_read_one_file_at_the_same_time(file):
    assert all(np.array_equal(a, b) for a, b in zip(kept_residues(file, 5, 2), kept_residues(file, 5, 2), strict=True))


def test_what_is_read_can_be_written_on_and_changes_nothing(file):
    first = next(kept_residues(file, 5, 2))
    first[:] = 0
    assert np.array_equal(next(kept_residues(file, 5, 2)), BLOCKS[0])


def test_a_file_that_is_cut_off_is_no_sum_of_fewer(file):
    file.truncate(5 * 2 * DEGREE * 8 - 1)
    with pytest.raises(UnreadableError, match="cut off"):
        list(kept_residues(file, 5, 2))
