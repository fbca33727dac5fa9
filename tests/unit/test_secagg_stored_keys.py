"""A round's key that a coordinator stored: it opens the sum, can be shown, and is overwritten."""

import numpy as np
import pytest

from securefl.errors import MessageError, RoundError
from securefl.secagg.cipher_ring import CIPHER_RINGS
from securefl.secagg.seal import CkksIntegers
from securefl.secagg.stored_keys import StoredKeys
from securefl.secagg.total_check import RoundSecret

RING = CIPHER_RINGS[-1]


@pytest.fixture
def made():
    return CkksIntegers().generate(RING)


def test_a_stored_key_is_shown_as_a_copy(made):
    wanted = made.secret().values
    keys = StoredKeys(made.public, made.secret())
    assert keys.public == made.public
    shown = keys.secret()
    assert np.array_equal(shown.values, wanted)
    shown.erase()
    assert np.array_equal(keys.secret().values, wanted)


def test_an_erased_key_is_gone_from_memory_and_opens_nothing(made):
    stored = made.secret()
    keys = StoredKeys(made.public, stored)
    assert not keys.erased
    for _ in range(2):
        keys.erase()
        assert keys.erased
        assert not stored.values.any()
    with pytest.raises(RoundError, match="used before"):
        next(keys.open_blocks([], None))


def test_a_key_of_another_round_is_refused(made):
    with pytest.raises(MessageError, match="not the one of the announced public key"):
        StoredKeys(made.public, CkksIntegers().generate(RING).secret())
    with pytest.raises(MessageError):
        StoredKeys(made.public, RoundSecret(np.zeros(RING.degree, dtype=np.int8)))
