"""Survival curves at epsilon 0.5 beside the pooled Kaplan-Meier curve, on 5000 invented patients.

``python benchmarks/questions/survival_curve.py`` releases ``protocols/studies/recurrence-curve``, as
it is and without groups, with the product's own noise in one process. It writes
``survival_curve.json``: how far the released curve lies from the pooled one at any end of an
interval, in releases with seeds 0 to 4 and in a thousand more, and how often 95 % intervals hold the
curve of the process that invents the patients, each time with patients drawn anew. Two minutes on
one core.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from machine import machine

from securefl.demo.recurrence import HOSPITALS, SCALES, STAGES, table
from securefl.learning.features import prepare
from securefl.learning.stages.programme import Programme
from securefl.learning.stages.stage import Rows
from securefl.learning.steps import RandomDraws
from securefl.learning.table import read_table
from securefl.privacy.randomness import SystemRandomness
from securefl.study.parse import parse_protocol

if TYPE_CHECKING:
    from securefl.learning.survival.figures import SurvivalFigures
    from securefl.study.schema import Template
    from securefl.types import FloatArray

HERE = Path(__file__).resolve().parent
TEXT = (HERE.parents[1] / "protocols/studies/recurrence-curve/protocol.toml").read_text("utf-8")
BY_STAGE = parse_protocol(TEXT)
TOGETHER = parse_protocol(TEXT.replace('by = "stage"\n', ""))
EDGES = np.array([float(edge) for edge in BY_STAGE.data.label.edges])
RUNS = 1000
ALL = "all"


def main() -> None:
    """Measure, write, print."""
    said: dict[str, Any] = {"machine": machine(), "runs": RUNS}
    for name, study in (("together", TOGETHER), ("by_stage", BY_STAGE)):
        seeds = [distances(*release(study, seed)) for seed in range(5)]
        held: dict[str, list[bool]] = {}
        apart: dict[str, list[float]] = {}
        told = []
        for run in range(RUNS):
            figures, pooled = release(study, 1000 + run)
            for group, far in distances(figures, pooled).items():
                apart.setdefault(group, []).append(far)
            check(figures, held, told)
        said[name] = {
            "largest_distance_to_pooled_of_seeds_0_to_4": seeds,
            "mean_largest_distance": {g: round(float(np.mean(v)), 4) for g, v in apart.items()},
            "largest_distance_95_of_100": {
                g: round(float(np.quantile(v, 0.95)), 4) for g, v in apart.items()
            },
            "largest_distance_within_0.03": {
                g: round(float(np.mean(np.array(v) <= 0.03)), 4) for g, v in apart.items()
            },
            "intervals_that_hold": {k: round(float(np.mean(v)), 4) for k, v in held.items()},
            "shares_told": round(float(np.mean(told)), 4),
        }
    (HERE / "survival_curve.json").write_text(json.dumps(said, indent=1) + "\n")
    sys.stdout.write(json.dumps(said, indent=1) + "\n")


def release(study: Template, seed: int) -> tuple[SurvivalFigures, dict[str, FloatArray]]:
    """One release on patients of this seed, and the pooled curve of each group."""
    stage = Programme(study).stages[0]
    (kind,) = stage.releases()
    draws = RandomDraws(SystemRandomness())
    generator = np.random.default_rng(seed)
    lists, lines = [], []
    for site, count in HOSPITALS.items():
        text = table(generator, site, count)
        lines += text.decode().splitlines()[1:]
        rows = prepare(read_table(text), study.data, b"s" * 32)
        nobody = rows.select(np.zeros(len(rows.y), dtype=bool))
        local = stage.local(study, site, Rows(rows, nobody), draws)
        lists.append(local.answer(kind, np.zeros(0)))
    result = stage.absorb(None, np.sum(lists, axis=0), len(lists))
    return result.figures, pooled_curves(lines)


def pooled_curves(lines: list[str]) -> dict[str, FloatArray]:
    """Kaplan-Meier curve of exact times at the edges, for all and for each stage."""
    cells = [line.split(",") for line in lines]
    stages = np.array([cell[3] for cell in cells])
    times = np.array([float(cell[4]) for cell in cells])
    events = np.array([cell[5] == "yes" for cell in cells])
    found = {ALL: kaplan_meier(times, events)}
    for stage in STAGES:
        found[stage] = kaplan_meier(times[stages == stage], events[stages == stage])
    return found


def kaplan_meier(times: FloatArray, events: FloatArray) -> FloatArray:
    """The product of 1 - d / r over the times of events, at each edge."""
    at, died = np.unique(times[events], return_counts=True)
    at_risk = len(times) - np.searchsorted(np.sort(times), at, side="left")
    curve = np.cumprod(np.append(1.0, 1 - died / at_risk))
    return curve[np.searchsorted(at, EDGES, side="right")]


def distances(figures: SurvivalFigures, pooled: dict[str, FloatArray]) -> dict[str, float]:
    """Largest distance of each group's curve to the pooled one, where it is told."""
    return {
        group.group: max(
            abs(share.value - exactly)
            for share, exactly in zip(group.survival, pooled[group.group], strict=True)
            if share.value is not None
        )
        for group in figures.groups
    }


@cache
def true_times() -> dict[str, FloatArray]:
    """Times of the process without censoring, of a million patients at each stage and together."""
    generator = np.random.default_rng(0)
    many = 1_000_000
    found = {}
    for stage, scale in zip(STAGES, SCALES, strict=True):
        age = np.clip(generator.normal(64, 11, many), 30, 95).round()
        times = scale * np.where(age < 60, 1.25, 1.0) * generator.weibull(1.2, many)
        found[stage] = times
    parts = (0.45, 0.35, 0.2)
    mixed = [times[: int(part * many)] for times, part in zip(found.values(), parts, strict=True)]
    found[ALL] = np.concatenate(mixed)
    return found


@cache
def true_shares(group: str) -> tuple[float, ...]:
    """Shares without the event at the edges."""
    return tuple(float(np.mean(true_times()[group] > edge)) for edge in EDGES)


@cache
def true_mean(group: str, horizon: float) -> float:
    """Mean time without the event, up to a horizon."""
    return float(np.minimum(true_times()[group], horizon).mean())


@cache
def true_median(group: str) -> float:
    """Time by which half have the event."""
    return float(np.median(true_times()[group]))


def check(
    figures: SurvivalFigures,
    held: dict[str, list[bool]],
    told: list[bool],
) -> None:
    """Note which intervals hold the truth: of shares, restricted means and medians."""
    for group in figures.groups:
        for share, exactly in zip(group.survival, true_shares(group.group), strict=True):
            told.append(share.value is not None)
            if share.value is not None:
                held.setdefault("share", []).append(share.low <= exactly <= share.high)
        if group.mean.value is not None:
            mean = true_mean(group.group, figures.horizon)
            held.setdefault("restricted_mean", []).append(group.mean.low <= mean <= group.mean.high)
        half = min(true_median(group.group), float(EDGES[-1]))
        held.setdefault("median", []).append(group.median.low <= half <= group.median.high)


if __name__ == "__main__":
    main()
