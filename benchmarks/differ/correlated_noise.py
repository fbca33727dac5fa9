"""Noise that is correlated across rounds beside independent noise, on the thyroid table.

``python benchmarks/differ/correlated_noise.py`` writes ``correlated_noise.json`` and its table in
``README.md``; some minutes on one core. A trial for a decision, outside the product: the gradients
are plain floats, and nothing here is released.

Banded matrix factorisation (Choquette-Choo et al. 2023, arXiv:2306.08153): in round t the noise is
the t-th row of C^-1 Z, with Z independent and C lower triangular with b bands. Patients are divided
into b parts by lot; round t draws from part t mod b alone, with b times the rate, so a patient's
contributions are b rounds apart and columns of C of length 1 bound what one patient changes. Its
epsilon is that of rounds / b independent steps at b times the rate (theorem 4 there). One band is
today's training.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machine import machine

from securefl.privacy.planning import noise_for_epsilon
from securefl.rehearsal import Data
from securefl.simulation.trial import virtual_hospitals
from securefl.simulation.virtual_study import read_template, virtual_study

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.simulation.trial import VirtualHospital
    from securefl.types import FloatArray

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE.parents[1] / "protocols/studies/thyroid/protocol.toml"
ROUNDS: Final = 40
RATE: Final = Fraction(1, 5)
DELTA: Final = Decimal("1e-5")
CLIP: Final = 0.125
MOMENTUM: Final = 0.7
PATIENTS: Final = 1284.08
BANDS: Final = (1, 2, 4, 5)
EPSILONS: Final = ("1", "0.25")
#: Rates of the server that each setting may choose from, on other seeds than those of the table.
RATES: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 16.0)
TUNED_ON: Final = range(100, 105)
SEEDS: Final = range(20)


@dataclass(frozen=True)
class Noise:
    """A way to draw the noise of all rounds.

    Attributes:
        bands: b; 0 for no noise at all, with the batches of one band.
        multiplier: standard deviation of Z, in clip norms.
        mixing: C^-1, float64[rounds, rounds].
    """

    bands: int
    multiplier: float
    mixing: FloatArray

    @property
    def parts(self) -> int:
        """Parts into which patients are divided."""
        return max(1, self.bands)


def workload() -> FloatArray:
    """Sums of gradients in the model after each round, float64[rounds, rounds]: with momentum m a
    gradient of k rounds ago counts 1 + m + ... + m^k.
    """
    ages = np.subtract.outer(np.arange(ROUNDS), np.arange(ROUNDS))
    grown = (1 - MOMENTUM ** (ages + 1.0)) / (1 - MOMENTUM)
    return np.where(ages >= 0, grown, 0.0)


def banded(coefficients: FloatArray) -> FloatArray:
    """C with these bands below a diagonal of ones, each column brought to length 1."""
    found = np.eye(ROUNDS)
    for below, value in enumerate(coefficients, start=1):
        found += value * np.eye(ROUNDS, k=-below)
    return found / np.linalg.norm(found, axis=0)


def mixing_of(bands: int) -> FloatArray:
    """C^-1 of the bands that make the mean squared error of all models least."""
    wanted = workload()

    def error(coefficients: FloatArray) -> float:
        spread = wanted @ np.linalg.inv(banded(coefficients))
        return float(np.square(spread).sum())

    start = np.array([0.5**below for below in range(1, bands)])
    if bands == 1:
        return np.eye(ROUNDS)
    return np.linalg.inv(banded(minimize(error, start, method="Nelder-Mead").x))


def noises(epsilon: str) -> list[Noise]:
    """One for each number of bands, and none."""
    found = []
    for bands in BANDS:
        rate, steps = RATE * bands, ROUNDS // bands
        multiplier = noise_for_epsilon(Decimal(epsilon), DELTA, rate, steps)
        found.append(Noise(bands, float(multiplier), mixing_of(bands)))
    return [*found, Noise(0, 0.0, np.eye(ROUNDS))]


def hospitals_of(seed: int) -> list[VirtualHospital]:
    """The five sites, split as `securefl study simulate` splits them."""
    template, weights = read_template(TEMPLATE.read_bytes())
    source = Data(public="thyroid").source(seed)(template)
    study = virtual_study(template, source.sites, weights)
    tables = source.division(study.data.patient, seed, 0)
    return virtual_hospitals(study, tables, seed, 0)


def with_ones(x: FloatArray) -> FloatArray:
    """Features and the intercept's."""
    return np.hstack([np.asarray(x, dtype=np.float64), np.ones((len(x), 1))])


def clipped_gradients(theta: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Sum of the rows' clipped gradients, in clip norms: one row a patient."""
    slopes = 1 / (1 + np.exp(-(x @ theta))) - y
    lengths = np.abs(slopes) * np.linalg.norm(x, axis=1)
    slopes = slopes / np.maximum(lengths, CLIP)
    total: FloatArray = slopes @ x
    return total


def auc(hospitals: Sequence[VirtualHospital], noise: Noise, rate: float, seed: int) -> float:
    """Exact AUC on all rows kept aside, after the last round.

    Every hospital adds the full noise for its own patients, as ``noise = "local"`` says.
    """
    lot = np.random.default_rng([seed, noise.bands])
    rows = [(with_ones(h.rows.train.X), np.asarray(h.rows.train.y)) for h in hospitals]
    parts = [lot.integers(noise.parts, size=len(y)) for _, y in rows]
    width = rows[0][0].shape[1]
    drawn = lot.standard_normal((len(rows), ROUNDS, width)) * noise.multiplier
    added = np.einsum("ts,hsd->td", noise.mixing, drawn)
    theta, velocity = np.zeros(width), np.zeros(width)
    chance = float(RATE) * noise.parts
    for turn in range(ROUNDS):
        total = added[turn].copy()
        for (x, y), part in zip(rows, parts, strict=True):
            chosen = (part == turn % noise.parts) & (lot.random(len(y)) < chance)
            total += clipped_gradients(theta, x[chosen], y[chosen])
        velocity = MOMENTUM * velocity + total / PATIENTS
        theta = theta - rate * velocity
    x = with_ones(np.concatenate([h.rows.held_out.X for h in hospitals]))
    y = np.concatenate([h.rows.held_out.y for h in hospitals])
    return float(roc_auc_score(y, x @ theta))


def measure() -> list[dict[str, Any]]:
    """A row for each epsilon and noise, at the rate that was best on the tuning seeds."""
    known = {seed: hospitals_of(seed) for seed in (*TUNED_ON, *SEEDS)}
    rows = []
    for epsilon in EPSILONS:
        for noise in noises(epsilon):
            tried = {
                rate: statistics.mean(auc(known[s], noise, rate, s) for s in TUNED_ON)
                for rate in RATES
            }
            best = max(tried, key=lambda rate: tried[rate])
            spread = workload() @ noise.mixing * noise.multiplier
            row = {
                "epsilon": epsilon,
                "bands": noise.bands,
                "multiplier": noise.multiplier,
                "error": float(np.sqrt(np.square(spread).sum() / ROUNDS)),
                "rate": best,
                "auc": [auc(known[s], noise, best, s) for s in SEEDS],
            }
            rows.append(row)
            print(row, flush=True)
    return rows


def table(rows: Sequence[dict[str, Any]]) -> str:
    """AUC of each, and the difference to independent noise at its own best rate."""
    heads = ("epsilon", "noise", "multiplier", "noise in the models", "rate", "AUC", "difference")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    plain: dict[str, Any] = {}
    for row in rows:
        if row["bands"] == 1:
            plain = row
        apart = [a - b for a, b in zip(row["auc"], plain["auc"], strict=True)]
        error = statistics.stdev(apart) / len(apart) ** 0.5
        cells = (
            row["epsilon"],
            words(row["bands"]),
            f"{row['multiplier']:.2f}" if row["bands"] else "",
            f"{row['error'] / plain['error']:.2f}",
            f"{row['rate']:g}",
            f"{statistics.mean(row['auc']):.4f}",
            "" if row is plain else f"{statistics.mean(apart):+.4f} ± {error:.4f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def words(bands: int) -> str:
    """Name of a way to draw noise."""
    if bands == 0:
        return "none at all"
    if bands == 1:
        return "independent"
    return f"{bands} bands"


def write(found: dict[str, Any]) -> None:
    """The figures, and the table between its marks in the page."""
    (HERE / "correlated_noise.json").write_text(json.dumps(found, indent=1) + "\n")
    page = HERE / "README.md"
    head, start, rest = page.read_text().partition("<!-- correlated -->")
    _, end, tail = rest.partition("<!-- end of correlated -->")
    page.write_text(f"{head}{start}\n{table(found['rows'])}\n{end}{tail}")


def main() -> None:
    """Measure, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--page-only", action="store_true", help="the table of the figures kept")
    if arguments.parse_args().page_only:
        write(json.loads((HERE / "correlated_noise.json").read_text()))
        return
    write({"machine": machine("numpy"), "seeds": list(SEEDS), "rows": measure()})


if __name__ == "__main__":
    main()
