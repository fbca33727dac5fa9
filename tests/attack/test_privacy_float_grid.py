"""The floating-point grid (Mironov 2012): low bits of a sum with float noise tell what was added to
the noise.

Float32 noise near 0 lies on a finer grid than ``1 + noise`` does there: a value that is no multiple
of 2^-24 cannot have come from a sum of 1. Integers have one grid, whatever the sum.
"""

from decimal import Decimal

import numpy as np
import pytest

from securefl.learning.clipping import clip_to_grid
from securefl.learning.steps import RandomDraws
from securefl.privacy.empirical import epsilon_lower_bound
from securefl.privacy.noise import TABLE_MAX_SIGMA, IntegerGaussian
from securefl.privacy.randomness import SystemRandomness

GRID, NOISE, COUNT = 48, Decimal("2.14"), 4000


def betrayed(values):
    """Values that cannot come from a sum of 1 in float32: finer than the grid of 1 + noise."""
    scaled = values.astype(np.float64) * 2.0**24
    return int((scaled != np.rint(scaled)).sum())


def released(present):
    """The product's release of one clipped value, 4000 times: the patient's gradient is 1 clip
    norm, or nobody is there.
    """
    signal = int(clip_to_grid(np.array([[5.0]]), 1.0, GRID)[0, 0]) if present else 0
    return signal + RandomDraws(SystemRandomness()).gaussian(NOISE * GRID, COUNT)


@pytest.mark.parametrize("present", [True, False])
def test_no_value_of_a_release_betrays_what_was_added(present):
    values = released(present)
    assert values.dtype == np.int64
    assert betrayed(values) == 0


def test_the_low_bits_of_a_release_say_nothing():
    inside, outside = released(True), released(False)
    for bits in (1, 2, 3, 4):
        assert (
            epsilon_lower_bound(
                (inside % (1 << bits)).astype(float),
                (outside % (1 << bits)).astype(float),
                delta=1e-5,
                alpha=1e-4,
            )
            < 0.05
        )


def test_the_sampler_for_large_sigmas_keeps_to_the_integers_too():
    sampler = IntegerGaussian(TABLE_MAX_SIGMA * 2, SystemRandomness())
    assert sampler.block > 1
    assert betrayed(7 + sampler.draw(COUNT)) == 0


def test_control_float32_noise_betrays_an_absent_patient_for_certain():
    generator = np.random.default_rng(7)
    with_patient, without = (
        np.float32(signal)
        + (np.float32(NOISE) * generator.standard_normal(COUNT, dtype=np.float32))
        for signal in (1.0, 0.0)
    )
    assert betrayed(with_patient) == 0
    assert betrayed(without) > 20
