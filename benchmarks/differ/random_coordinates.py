"""Coordinates that a public lot draws anew in each round, beside all weights, on the thyroid table.

``python benchmarks/differ/random_coordinates.py`` writes ``random_coordinates.json`` and its table
in ``README.md``; some minutes on one core. A trial for a decision, outside the product: gradients
are plain floats, and nothing here is released.

In each round k of a perceptron's 98,041 weights are drawn, the same at all hospitals (Konečný et
al. 2016, arXiv:1610.05492: random masks). A patient's gradient is cut to these before it is clipped,
so that noise falls on k numbers, and only they are sent. The server moves what was sent, and lets
all weights go on along their velocity.
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
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from correlated_noise import CLIP, DELTA, MOMENTUM, PATIENTS, ROUNDS, hospitals_of
from machine import machine

from securefl.learning.families.layers import Layers
from securefl.privacy.planning import noise_for_epsilon
from securefl.secagg.layouts import body_bytes, layout_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.types import FloatArray

HERE = Path(__file__).resolve().parent
HIDDEN: Final = (400, 220)
HOSPITALS: Final = 5
TUNED_ON: Final = range(100, 102)
SEEDS: Final = range(5)
#: Rates of the server that each setting may choose from, on other seeds than those of the table.
RATES: Final = (1.0, 4.0, 16.0)


@dataclass(frozen=True)
class Kept:
    """One row of the table.

    Attributes:
        numbers: drawn in a round; None for all weights.
        bits: of a number on the wire, for the bytes alone: nothing is rounded here.
    """

    numbers: int | None
    bits: int


SETTINGS: Final = (Kept(None, 16), Kept(8_191, 16), Kept(1_023, 9))
#: Rows of the training half, and of the half kept aside, of all hospitals: x, y, x, y.
Halves = tuple[Any, Any, Any, Any]


def halves(seed: int) -> Halves:
    """Both halves as ``securefl study simulate`` splits them."""
    found: list[Any] = []
    for part in ("train", "held_out"):
        rows = [getattr(hospital.rows, part) for hospital in hospitals_of(seed)]
        found.append(np.concatenate([one.X for one in rows]).astype(np.float32))
        found.append(np.concatenate([one.y for one in rows]).astype(np.float32))
    return tuple(found)  # type: ignore[return-value]


def forward(layers: Layers, theta: FloatArray, x: FloatArray) -> list[FloatArray]:
    """What enters each layer, then the scores."""
    tensors = layers.tensors(theta)
    last = len(layers.sizes) - 1
    found = [x]
    for i in range(last + 1):
        x = x @ tensors[f"layers.{i}.weight"].T + tensors[f"layers.{i}.bias"]
        found.append(np.tanh(x) if i < last else x)
        x = found[-1]
    return found


def clipped_sum(
    layers: Layers, theta: FloatArray, x: FloatArray, y: FloatArray, kept: FloatArray
) -> FloatArray:
    """Sum of the rows' gradients, in clip norms: cut to the kept weights, then clipped.

    A row's gradient of a layer is an outer product, so the square of what is kept of it is one
    product of the factors' squares with the mask.
    """
    tensors, masks = layers.tensors(theta), layers.tensors(kept)
    entered = forward(layers, theta, x)
    back = 1 / (1 + np.exp(-entered[-1])) - y[:, None]
    factors = []
    square = np.zeros(len(x), dtype=np.float32)
    for i in reversed(range(len(layers.sizes))):
        weight, bias = masks[f"layers.{i}.weight"], masks[f"layers.{i}.bias"]
        square += (((back**2) @ weight) * entered[i] ** 2).sum(1) + (back**2) @ bias
        factors.append((i, entered[i], back))
        if i:
            back = (back @ tensors[f"layers.{i}.weight"]) * (1 - entered[i] ** 2)
    scale = 1 / np.maximum(np.sqrt(square), CLIP)
    parts = []
    for _, activations, slopes in reversed(factors):
        scaled = slopes * scale[:, None]
        parts += [(scaled.T @ activations).reshape(-1), scaled.sum(0)]
    total: FloatArray = np.concatenate(parts) * kept
    return total


def auc(rows: Halves, setting: Kept, rate: float, seed: int) -> float:
    """Exact AUC on all rows kept aside, after the last round, with full noise at each hospital."""
    x, y, x_aside, y_aside = rows
    layers = Layers(HIDDEN, x.shape[1], 1)
    theta = layers.initial_weights("securefl thyroid 1").astype(np.float32)
    velocity = np.zeros_like(theta)
    noise = float(noise_for_epsilon(Decimal(1), DELTA, Fraction(1, 5), ROUNDS))
    spread = noise * HOSPITALS**0.5
    batches = np.random.default_rng([seed, 1])
    lot = np.random.default_rng([seed, 2])
    for _ in range(ROUNDS):
        kept = np.ones_like(theta)
        if setting.numbers is not None:
            kept = np.zeros_like(theta)
            kept[lot.choice(theta.size, setting.numbers, replace=False)] = 1
        drawn = batches.random(len(y)) < 1 / 5
        total = clipped_sum(layers, theta, x[drawn], y[drawn], kept)
        total += lot.standard_normal(theta.size, dtype=np.float32) * spread * kept
        velocity = MOMENTUM * velocity + total / PATIENTS
        theta = (theta - rate * velocity).astype(np.float32)
    return float(roc_auc_score(y_aside, forward(layers, theta, x_aside)[-1][:, 0]))


def sent(setting: Kept, weights: int) -> int:
    """Bytes that a hospital sends in all rounds."""
    length = setting.numbers or weights
    return ROUNDS * body_bytes(layout_for(setting.bits, HOSPITALS, length), length)


def measure() -> list[dict[str, Any]]:
    """A row for each setting, at the rate that was best on the tuning seeds."""
    known = {seed: halves(seed) for seed in (*TUNED_ON, *SEEDS)}
    weights = Layers(HIDDEN, known[0][0].shape[1], 1).parameters
    rows = []
    for setting in SETTINGS:
        tried = {
            rate: statistics.mean(auc(known[s], setting, rate, s) for s in TUNED_ON)
            for rate in RATES
        }
        best = max(tried, key=lambda rate: tried[rate])
        row = {
            "numbers": setting.numbers or weights,
            "bytes": sent(setting, weights),
            "rate": best,
            "tried": {str(rate): round(found, 4) for rate, found in tried.items()},
            "auc": [auc(known[s], setting, best, s) for s in SEEDS],
        }
        rows.append(row)
        print(row, flush=True)
    return rows


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Bytes, AUC, and the difference to all weights."""
    heads = ("numbers a round", "rate", "bytes a hospital", "of the first", "AUC", "difference")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    first = rows[0]
    for row in rows:
        apart = [a - b for a, b in zip(row["auc"], first["auc"], strict=True)]
        error = statistics.stdev(apart) / len(apart) ** 0.5
        cells = (
            f"{row['numbers']:,}",
            f"{row['rate']:g}",
            f"{row['bytes'] / 1e6:.2f} MB",
            f"1/{first['bytes'] / row['bytes']:.1f}",
            f"{statistics.mean(row['auc']):.4f}",
            "" if row is first else f"{statistics.mean(apart):+.4f} ± {error:.4f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write(found: dict[str, Any]) -> None:
    """The figures, and the table between its marks in the page."""
    (HERE / "random_coordinates.json").write_text(json.dumps(found, indent=1) + "\n")
    page = HERE / "README.md"
    head, start, rest = page.read_text().partition("<!-- random coordinates -->")
    _, end, tail = rest.partition("<!-- end of random coordinates -->")
    page.write_text(f"{head}{start}\n{table(found['rows'])}\n{end}{tail}")


def main() -> None:
    """Measure, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--page-only", action="store_true", help="the table of the figures kept")
    if arguments.parse_args().page_only:
        write(json.loads((HERE / "random_coordinates.json").read_text()))
        return
    write({"machine": machine("numpy"), "seeds": list(SEEDS), "rows": measure()})


if __name__ == "__main__":
    main()
