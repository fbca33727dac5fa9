"""Simulated evaluations: calibrated models of a given AUC, noised histograms, the estimate and its
interval over many runs.

Shared by the tests and by `benchmarks/evaluation/run.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from securefl.learning.tasks.binary.discrimination import auc_interval, histogram_auc, unbiased_auc
from securefl.learning.tasks.binary.expected import band_shares
from securefl.study.edges import DEFAULT_BINS, default_edges

#: Epsilon 1 at delta 1e-5, by the PLD accountant.
NOISE = 3.75
Estimate = Callable[[np.ndarray, np.ndarray, float], float]


@dataclass(frozen=True)
class Setting:
    """A model of this true AUC (by exact scores) and the held-out patients it is checked on."""

    auc: float
    positives: int
    negatives: int
    contributors: int = 5
    bins: int = DEFAULT_BINS

    def __str__(self) -> str:
        return f"AUC {self.auc:g}, {self.positives} of {self.positives + self.negatives}"

    @property
    def prevalence(self) -> float:
        """The published share of positives: here the true one."""
        return round(self.positives / (self.positives + self.negatives), 4)

    @property
    def noise_variance(self) -> float:
        """Of each summed count."""
        return self.contributors * NOISE**2

    def shares(self) -> tuple[np.ndarray, np.ndarray]:
        """Each class' share in each band.

        Below .5 the classes change places; at .5 both score alike.
        """
        edges = default_edges(Decimal(str(self.prevalence)), self.bins)
        if self.auc == 0.5:
            chance = band_shares(0.6, self.prevalence, edges)[0]
            return chance, chance
        negative, positive = band_shares(max(self.auc, 1 - self.auc), self.prevalence, edges)
        return (positive, negative) if self.auc < 0.5 else (negative, positive)

    def banded_auc(self) -> float:
        """The AUC of the score in its bands."""
        return histogram_auc(*self.shares())

    def expected_counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Expected counts of negatives and positives in each band."""
        negative, positive = self.shares()
        return negative * self.negatives, positive * self.positives


#: AUC .155 to .986, 40 to 3,000 positives, five hospitals at epsilon 1.
SETTINGS = (
    Setting(0.5, 40, 360),
    Setting(0.5, 200, 2500),
    Setting(0.5, 3000, 27_000),
    Setting(0.155, 300, 3000),
    Setting(0.35, 400, 1600),
    Setting(0.704, 250, 6000),
    Setting(0.8, 150, 1000),
    Setting(0.95, 600, 6000),
    Setting(0.986, 3000, 30_000),
)


@dataclass(frozen=True)
class Simulated:
    """Figures over many runs; ``bias`` is against the AUC by exact scores, ``bias_in_bands``
    against that in bands.
    """

    bias: float
    bias_in_bands: float
    error_of_bias: float
    covered: float
    covered_exact: float
    told: float
    known: float
    width: float


def simulate(
    setting: Setting, runs: int, seed: int, estimate: Estimate = unbiased_auc
) -> Simulated:
    """``runs`` evaluations, each twice with opposite noise: their mean shows a bias with less
    scatter.
    """
    generator = np.random.default_rng(seed)
    negative, positive = setting.shares()
    banded, variance = setting.banded_auc(), setting.noise_variance
    estimates, intervals = [], []
    for _ in range(runs):
        negatives = generator.multinomial(setting.negatives, negative)
        positives = generator.multinomial(setting.positives, positive)
        noise = np.rint(generator.normal(0, math.sqrt(variance), (2, setting.bins)))
        pair = [
            estimate(negatives + s * noise[0], positives + s * noise[1], variance) for s in (1, -1)
        ]
        estimates.append(float(np.mean(pair)))
        intervals.append(auc_interval(negatives + noise[0], positives + noise[1], variance))
    low, high = np.array(intervals).T
    mean = float(np.mean(estimates))
    return Simulated(
        mean - setting.auc,
        mean - banded,
        float(np.std(estimates)) / math.sqrt(runs),
        float(np.mean((low <= banded) & (banded <= high))),
        float(np.mean((low <= setting.auc) & (setting.auc <= high))),
        float(np.mean((low > 0.5) | (high < 0.5))),
        float(np.mean((low > 0) | (high < 1))),
        float(np.mean(high - low)),
    )


def mended_auc(negatives: np.ndarray, positives: np.ndarray, _variance: float) -> float:
    """The estimate of before, as a control: negative counts lifted, shares of positives made to
    rise by pooling.
    """
    lifted = _lifted(negatives)
    patients = np.maximum(lifted + positives, 1.0)
    share = np.clip(_rising(positives / patients, patients), 0.0, 1.0)
    return histogram_auc(patients * (1.0 - share), patients * share)


def _lifted(counts: np.ndarray) -> np.ndarray:
    total = max(float(counts.sum()), 1.0)
    down = np.sort(counts)[::-1]
    excess = (np.cumsum(down) - total) / np.arange(1, counts.size + 1)
    return np.maximum(counts - excess[int(np.flatnonzero(down > excess)[-1])], 0.0)


def _rising(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] >= pool[0]:
            other = pools.pop()
            mass = other[1] + pool[1]
            pool = ((other[0] * other[1] + pool[0] * pool[1]) / mass, mass, other[2] + pool[2])
        pools.append(pool)
    return np.concatenate([np.full(size, value) for value, _, size in pools])
