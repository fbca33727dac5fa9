"""The exact-integer ring against TenSEAL's own public ``ckks_vector``: two ciphers with nothing in
common give the same integers.
"""

import numpy as np
import pytest
import tenseal as ts
from secagg_round import NAMES, Round
from secagg_survivors import World, run_round
from secagg_whole import add_contributions, open_sum

from securefl.secagg.seal import CkksIntegers


class PlainVectors:
    """The slow home: a whole number in each slot, 81 bytes each, one key holder who could open
    every part.
    """

    def __init__(self):
        self.context = ts.context(ts.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[60, 40, 40, 60])
        self.context.global_scale = 2**40

    def sum(self, vectors):
        total = None
        for vector in vectors:
            encrypted = ts.ckks_vector(self.context, vector.astype(float).tolist())
            total = encrypted if total is None else total + encrypted
        floats = np.array(total.decrypt())
        assert np.abs(floats - np.rint(floats)).max() < 0.01
        return np.rint(floats).astype(np.int64)


@pytest.fixture(scope="module")
def plain():
    return PlainVectors()


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_a_complete_round_opens_to_what_plain_ckks_vectors_open_to(plain, bits):
    a_round = Round(length=4000, bits=bits)
    values = a_round.values(bits)
    total = add_contributions(a_round.contributions(values), a_round.facts)
    opened = open_sum(a_round.keys, total.ciphertext, a_round.facts).values
    assert np.array_equal(opened, plain.sum(values.values()))


def test_a_round_of_survivors_opens_to_what_plain_ckks_vectors_open_to(plain):
    world = World(NAMES, 4, 1, length=4000, cipher=CkksIntegers())
    left = NAMES[1:]
    proposer, frames, _ = run_round(world, left)
    opened = world.opened(proposer.unmasking(), frames)
    assert np.array_equal(opened, plain.sum([world.values(name) for name in left]))
    assert not np.array_equal(
        opened, plain.sum([world.values(name) for name in NAMES])
    )  # the check can fail
