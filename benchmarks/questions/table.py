"""The table of patients at epsilon 0.3 beside exact figures, on the thyroid table.

``python benchmarks/questions/table.py`` releases ``protocols/studies/thyroid-table`` a thousand
times on the published table, and a thousand times on tables whose 9172 patients are drawn from it
with replacement, in one process with the product's own counts, noise and reading of the sum. It
writes ``table.json``: how far counts and quartiles lie from the exact ones, and how often 95 %
intervals hold the figures of the population, which is the published table. About three minutes on
one core.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from machine import machine

from securefl.demo.thyroid import demo_secret, site_tables
from securefl.learning.counts import release_counts, row_counts
from securefl.learning.features import prepare
from securefl.learning.stages.programme import Programme
from securefl.learning.statistics.blocks import blocks_of, places, recorded_features
from securefl.learning.statistics.estimates import QUARTILES, estimates
from securefl.learning.steps import RandomDraws
from securefl.learning.table import read_table
from securefl.privacy.randomness import SystemRandomness
from securefl.study.parse import parse_protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.features import Prepared
    from securefl.learning.statistics.blocks import Block
    from securefl.learning.statistics.estimates import BlockFigures, Estimate, GroupFigures
    from securefl.types import FloatArray, IntArray

HERE = Path(__file__).resolve().parent
STUDY = parse_protocol(
    (HERE.parents[1] / "protocols/studies/thyroid-table/protocol.toml").read_bytes()
)
RUNS = 1000
#: Noise of a reading that is as good as exact.
NONE = 1e-9


def main() -> None:
    """Measure, write, print."""
    stage = Programme(STUDY).stages[0]
    (release,) = stage.releases()
    blocks = blocks_of(stage.section, STUDY.data)
    hospitals = [
        prepare(read_table(table), STUDY.data, demo_secret(0, site))
        for site, table in site_tables().items()
    ]
    counted = [places(stage.section, STUDY.data, rows) for rows in hospitals]
    exact = sum_of(counted, release.length)
    truth = estimates(blocks, exact, NONE)
    raw = raw_figures(blocks, hospitals)
    everybody = np.concatenate(counted)
    numbers = stage.shares.numbers(stage.section)
    draws = RandomDraws(SystemRandomness())
    chance = np.random.default_rng(0)
    found: dict[str, Any] = {"counts": [], "quartiles": [], "told": 0, "all": 0}
    held: dict[str, list[bool]] = {}
    for _ in range(RUNS):
        lists = [
            release_counts(row_counts(some, release.length), numbers, draws) for some in counted
        ]
        result = stage.absorb(None, np.sum(lists, axis=0), len(lists))
        deviation = result.figures[0].noise_sd
        found["counts"].append(np.abs(result.total - exact) / deviation)
        look_at_quartiles(result.figures, raw, found)
        # another table of the same population, divided among the hospitals as this one is
        drawn = everybody[chance.integers(len(everybody), size=len(everybody))]
        ends = np.cumsum([len(some) for some in counted])[:-1]
        lists = [
            release_counts(row_counts(some, release.length), numbers, draws)
            for some in np.split(drawn, ends)
        ]
        result = stage.absorb(None, np.sum(lists, axis=0), len(lists))
        sizes = group_sizes(blocks, drawn, release.length)
        look_at_intervals(result.figures, (truth, raw, sizes), held)
    counts = np.concatenate(found["counts"])
    everything = np.concatenate([np.array(one) for one in held.values()])
    said = {
        "machine": machine(),
        "runs": RUNS,
        "noise_sd": round(deviation, 1),
        "largest_error_of_a_count_in_noise_sd": round(float(counts.max()), 2),
        "counts_within_3_noise_sd": round(float(np.mean(counts <= 3)), 4),
        "quartiles_told": f"{found['told']} of {found['all']}",
        "quartiles_within_one_bin": round(float(np.mean(np.array(found["quartiles"]) <= 1)), 4),
        "largest_error_of_a_quartile_in_bins": round(max(found["quartiles"]), 2),
        "intervals_that_hold": round(float(np.mean(everything)), 4),
        "intervals_that_hold_by_figure": {
            kind: round(float(np.mean(one)), 4) for kind, one in held.items()
        },
    }
    (HERE / "table.json").write_text(json.dumps(said, indent=1) + "\n")
    sys.stdout.write(json.dumps(said, indent=1) + "\n")


def sum_of(counted: Sequence[IntArray], length: int) -> IntArray:
    """Exact counts of all hospitals together."""
    found: IntArray = np.sum([row_counts(some, length) for some in counted], axis=0)
    return found


def group_sizes(blocks: Sequence[Block], drawn: IntArray, length: int) -> list[FloatArray]:
    """Patients of each group of each block in a table that was drawn: their interval holds noise
    alone, so it is of this table's patients.
    """
    counts = row_counts(drawn, length)
    return [block.of(counts).sum(axis=1) for block in blocks]


def raw_figures(
    blocks: Sequence[Block], hospitals: Sequence[Prepared]
) -> dict[tuple[str, int], dict[str, Any]]:
    """Mean, deviation and quartiles of the values themselves, which no bin has rounded: of each
    number and group, in places from 0 to 1 on the column's scale.
    """
    found = {}
    outcome = np.concatenate([rows.y for rows in hospitals])
    for block in blocks:
        if not block.scale:
            continue
        parts = [recorded_features(STUDY.data, block.name, rows) for rows in hospitals]
        values = np.concatenate([part[0][:, 0] for part in parts])
        missing = np.concatenate([part[1] for part in parts])
        for group in range(len(block.groups)):
            place = (values[~missing & (outcome == group)] + 1) / 2
            found[block.name, group] = {
                "mean": float(place.mean()),
                "deviation": float(place.std()),
                "quartiles": np.quantile(place, QUARTILES),
            }
    return found


def look_at_quartiles(
    figures: Sequence[BlockFigures],
    raw: dict[tuple[str, int], dict[str, Any]],
    found: dict[str, Any],
) -> None:
    """Distance in bins of each quartile that is told to the exact one."""
    for one in figures:
        if not one.scale:
            continue
        bins = len(one.scale) - 1
        for place, group in enumerate(one.groups):
            for mine, exactly in zip(
                group.quartiles, raw[one.name, place]["quartiles"], strict=True
            ):
                found["all"] += 1
                if mine.value is None:
                    continue
                found["told"] += 1
                found["quartiles"].append(abs(on_scale(one, mine.value) - exactly) * bins)


def look_at_intervals(
    figures: Sequence[BlockFigures],
    true: tuple[
        Sequence[BlockFigures],
        dict[tuple[str, int], dict[str, Any]],
        Sequence[FloatArray],
    ],
    held: dict[str, list[bool]],
) -> None:
    """Note which intervals hold the population's figure; where nothing is told, none is judged."""
    exact, raw, sizes = true
    for one, block, of_groups in zip(figures, exact, sizes, strict=True):
        if one.table:
            continue
        for place, (group, exactly) in enumerate(zip(one.groups, block.groups, strict=True)):
            note(held, "patients", group.patients, float(of_groups[place]))
            if group.missing is not None and exactly.missing is not None:
                note(held, "missing", group.missing, exactly.missing.value)
            for share, truly in zip(group.shares, exactly.shares, strict=True):
                note(held, "shares", share, truly.value)
            if one.scale:
                look_at_number(one, group, raw[one.name, place], held)


def look_at_number(
    one: BlockFigures, group: GroupFigures, raw: dict[str, Any], held: dict[str, list[bool]]
) -> None:
    """Note a number's mean, deviation and quartiles, in places on its scale."""
    scaled = [("mean", group.mean, raw["mean"])]
    scaled += [
        (f"quartile {part}", mine, truly)
        for part, mine, truly in zip(QUARTILES, group.quartiles, raw["quartiles"], strict=True)
    ]
    for name, mine, truly in scaled:
        if mine is not None and mine.value is not None:
            inside = on_scale(one, mine.low) <= truly <= on_scale(one, mine.high)
            held.setdefault(name, []).append(inside)
    if group.deviation is not None:
        width = one.scale[-1] - one.scale[0]
        note(held, "deviation", group.deviation, raw["deviation"] * width)


def note(held: dict[str, list[bool]], kind: str, estimate: Estimate, exactly: float | None) -> None:
    """Note one interval, where something is told."""
    if estimate.value is not None and exactly is not None:
        held.setdefault(kind, []).append(estimate.low <= exactly <= estimate.high)


def on_scale(figures: BlockFigures, value: float) -> float:
    """Place of a value between the ends of its column's scale, from 0 to 1."""
    ends = np.array([figures.scale[0], value, figures.scale[-1]])
    if figures.logarithmic:
        ends = np.log(ends)
    return float((ends[1] - ends[0]) / (ends[2] - ends[0]))


if __name__ == "__main__":
    main()
