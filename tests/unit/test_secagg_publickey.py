import numpy as np
import pytest

from securefl.errors import MessageError
from securefl.secagg.masks import uniform_residues
from securefl.secagg.publickey import PUBLIC_KEY_BYTES, PublicKey
from securefl.secagg.ring import DEGREE, MODULUS, SPECIAL_MODULUS


def residues():
    array = np.empty((2, 2, DEGREE), dtype=np.uint64)
    array[:, 0] = uniform_residues(bytes(32), 2 * DEGREE, MODULUS).reshape(2, DEGREE)
    array[:, 1] = uniform_residues(bytes(32), 2 * DEGREE, SPECIAL_MODULUS).reshape(2, DEGREE)
    return array


def test_a_key_survives_its_body():
    key = PublicKey(residues())
    assert len(key.body) == PUBLIC_KEY_BYTES == 81920
    again = PublicKey.from_body(key.body)
    assert np.array_equal(again.residues, key.residues)
    assert again.sha256 == key.sha256


@pytest.mark.parametrize(
    ("where", "value", "why"),
    [
        ((0, 0, 5), MODULUS, "above its prime"),
        ((1, 1, 5), SPECIAL_MODULUS, "above its prime"),
        ((1, 0), 0, "degenerate"),
        ((0, 1), 3, "degenerate"),
    ],
)
def test_numbers_that_make_no_key_are_refused(where, value, why):
    array = residues()
    array[where] = value
    with pytest.raises(MessageError, match=why) as caught:
        PublicKey(array)
    assert caught.value.whose == "the coordinator"


@pytest.mark.parametrize("array", [np.zeros((2, 2, 8), dtype=np.uint64), np.zeros((2, 2, DEGREE))])
def test_other_shapes_are_refused(array):
    with pytest.raises(MessageError, match="shape"):
        PublicKey(array)


@pytest.mark.parametrize("size", [0, PUBLIC_KEY_BYTES - 1, PUBLIC_KEY_BYTES + 1])
def test_other_lengths_are_refused(size):
    with pytest.raises(MessageError, match="bytes"):
        PublicKey.from_body(bytes(size))
