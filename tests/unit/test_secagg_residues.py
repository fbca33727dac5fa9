"""Where a checked body is kept: in memory up to a limit, else in a private file."""

import io

import numpy as np
import pytest

from securefl.errors import UnreadableError
from securefl.secagg.residues import keep, kept_residues
from securefl.secagg.ring import MODULUS, SPECIAL_MODULUS
from securefl.secagg.sections import Section

SECTIONS = (
    Section(3, 64, (MODULUS, SPECIAL_MODULUS), masked=True),
    Section(2, 192, (MODULUS,), masked=False),
)
#: Bytes of its residues: (3 x 2 x 64 + 2 x 1 x 192) x 8.
SIZE = 6144


def body():
    """Blocks of numbers that are all different."""
    ciphertexts = np.arange(384, dtype=np.uint64).reshape(3, 2, 64)
    return [ciphertexts, np.arange(384, 768, dtype=np.uint64).reshape(2, 1, 192)]


@pytest.fixture
def spools():
    return []


@pytest.fixture
def kept(spools):
    """Keeps the body where so many bytes may stay in memory."""

    def spool():
        spools.append(io.BytesIO())
        return spools[-1]

    return lambda most: keep(iter(body()), SECTIONS, spool, most)


@pytest.mark.parametrize(("most", "files"), [(SIZE, 0), (SIZE - 1, 1)])
def test_a_body_up_to_the_limit_needs_no_file_and_a_byte_more_does(kept, spools, most, files):
    found = kept(most)
    assert len(spools) == files
    for block, expected in zip(found.blocks(), body(), strict=True):
        np.testing.assert_array_equal(block, expected)


@pytest.mark.parametrize("most", [SIZE, 0])
def test_what_is_read_may_be_written_on_and_is_read_again_as_it_was(kept, most):
    found = kept(most)
    for block in found.blocks():
        block[:] = 0
    for block, expected in zip(found.blocks(), body(), strict=True):
        np.testing.assert_array_equal(block, expected)


def test_a_closed_body_in_memory_is_let_go_of(kept):
    found = kept(SIZE)
    for _ in range(2):
        found.close()
    assert list(found.blocks()) == []


def test_a_closed_file_is_closed(kept, spools):
    found = kept(0)
    for _ in range(2):
        found.close()
    assert spools[0].closed


def test_where_the_blocks_fail_the_file_is_closed(spools):
    def failing():
        yield body()[0]
        raise UnreadableError("the disk is full")

    def spool():
        spools.append(io.BytesIO())
        return spools[-1]

    with pytest.raises(UnreadableError):
        keep(failing(), SECTIONS, spool, 0)
    assert spools[0].closed


def test_a_file_that_is_too_short_is_refused():
    whole = b"".join(block.tobytes() for block in body())
    assert len(whole) == SIZE
    with pytest.raises(UnreadableError):
        list(kept_residues(io.BytesIO(whole[:-8]), SECTIONS))
