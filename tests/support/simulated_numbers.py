"""Releases of a number's evaluation over and over: how often intervals cover, and where points lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from securefl.learning.tasks.number.evaluation import evaluate, frame_of
from securefl.learning.tasks.number.moments import row_numbers
from securefl.learning.tasks.number.scale import Scale

#: The scale itself as the unit, so that predictions are places.
UNIT = Scale(-1.0, 1.0)
_POPULATION = 200_000


@dataclass(frozen=True)
class Setting:
    """Values and a model of them, on the scale."""

    patients: int = 2750
    r2: float = 0.5
    spread: float = 0.3
    middle: float = 0.0
    heavy: bool = False
    typical: float = 0.0
    contributors: int = 5

    def people(self, generator, count):
        """(predictions, values), float64[count] each."""
        signal = generator.normal(0, self.spread * self.r2**0.5, count)
        noise = generator.normal(size=count)
        if self.heavy:
            noise = generator.standard_t(5, count) * 0.6**0.5
        values = self.middle + signal + noise * self.spread * (1 - self.r2) ** 0.5
        return np.clip(self.middle + signal, -1, 1), np.clip(values, -1, 1)


@dataclass(frozen=True)
class Simulated:
    """Shares of runs in which an interval covers, and means of what was released."""

    r2: float
    mae: float
    bias: float
    point: float
    truth: float
    given: float
    width: float


def simulate(setting, section, runs, seed=1, noise=1.0):
    """Fresh patients out of a large population and fresh noise in every run; ``noise`` times as
    much as the section says.
    """
    generator = np.random.default_rng(seed)
    frame = frame_of(UNIT, setting.typical, section)
    said, values = setting.people(generator, _POPULATION)
    errors = np.clip(said - values, -frame.most, frame.most)
    truth = 1 - np.mean(errors**2) / np.var(values)
    deviation = noise * setting.contributors**0.5 * float(section.sigma)
    away = np.clip((values - setting.typical) / frame.reach, -1, 1)
    numbers = row_numbers(away, errors / frame.most, section.units)
    covered, points, widths = np.zeros(3), [], []
    for _ in range(runs):
        drawn = generator.integers(_POPULATION, size=setting.patients)
        noises = np.rint(generator.normal(0, deviation, numbers.shape[1])).astype(np.int64)
        found = evaluate(numbers[drawn].sum(axis=0) + noises, frame, section, setting.contributors)
        covered += [
            found.low <= truth <= found.high,
            found.mae_low <= np.abs(errors).mean() <= found.mae_high,
            found.bias_low <= errors.mean() <= found.bias_high,
        ]
        points.append(found.r2)
        widths.append(found.high - found.low)
    known = [point for point in points if point is not None]
    return Simulated(
        *(covered / runs),
        point=float(np.mean(known)) if known else float("nan"),
        truth=float(truth),
        given=len(known) / runs,
        width=float(np.mean(widths)),
    )
