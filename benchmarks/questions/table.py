"""The table of patients at epsilon 0.3 beside exact counts, on the thyroid table.

``python benchmarks/questions/table.py`` releases ``protocols/studies/thyroid-table`` twenty times,
in one process with the product's own noise, and writes ``table.json``: how far counts and quartiles
lie from the exact ones, and how often intervals hold them. A minute on one core.
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
from securefl.learning.counts import row_counts
from securefl.learning.features import prepare
from securefl.learning.split import split_rows
from securefl.learning.stages.programme import Programme
from securefl.learning.stages.stage import Rows
from securefl.learning.statistics.blocks import blocks_of, places
from securefl.learning.statistics.estimates import estimates
from securefl.learning.steps import RandomDraws
from securefl.learning.table import read_table
from securefl.privacy.randomness import SystemRandomness
from securefl.study.parse import parse_protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.statistics.estimates import BlockFigures
    from securefl.types import FloatArray

HERE = Path(__file__).resolve().parent
STUDY = parse_protocol(
    (HERE.parents[1] / "protocols/studies/thyroid-table/protocol.toml").read_bytes()
)
RUNS = 20


def main() -> None:
    """Measure, write, print."""
    stage = Programme(STUDY).stages[0]
    (release,) = stage.releases()
    blocks = blocks_of(stage.section, STUDY.data)
    halves = []
    for site, table in site_tables().items():
        secret = demo_secret(0, site)
        rows = prepare(read_table(table), STUDY.data, secret)
        halves.append(Rows(*split_rows(rows, secret, STUDY.data.holdout)))
    exact = np.sum(
        [
            row_counts(places(stage.section, STUDY.data, rows.train), release.length)
            for rows in halves
        ],
        axis=0,
    )
    truth = estimates(blocks, exact, 1e-9)
    draws = RandomDraws(SystemRandomness())
    found: dict[str, Any] = {"counts": [], "quartiles_in_bins": [], "held": [], "told": 0, "all": 0}
    for _ in range(RUNS):
        lists = [
            stage.local(STUDY, "site", rows, draws).answer(release, np.zeros(0)) for rows in halves
        ]
        result = stage.absorb(None, np.sum(lists, axis=0), len(lists))
        deviation = result.figures[0].noise_sd
        found["counts"] += (np.abs(result.total - exact) / deviation).tolist()
        compare(result.figures, truth, found)
    said = {
        "machine": machine(),
        "runs": RUNS,
        "noise_sd": round(deviation, 1),
        "largest_error_of_a_count_in_noise_sd": round(max(found["counts"]), 2),
        "counts_within_3_noise_sd": round(float(np.mean(np.array(found["counts"]) <= 3)), 4),
        "quartiles_told": f"{found['told']} of {found['all']}",
        "quartiles_within_one_bin": round(
            float(np.mean(np.array(found["quartiles_in_bins"]) <= 1)), 4
        ),
        "largest_error_of_a_quartile_in_bins": round(max(found["quartiles_in_bins"]), 2),
        "intervals_that_hold": round(float(np.mean(found["held"])), 4),
    }
    (HERE / "table.json").write_text(json.dumps(said, indent=1) + "\n")
    sys.stdout.write(json.dumps(said, indent=1) + "\n")


def compare(
    figures: Sequence[BlockFigures], truth: Sequence[BlockFigures], found: dict[str, Any]
) -> None:
    """Quartiles that were told, beside the exact ones; sizes, shares and means as well."""
    for one, true in zip(figures, truth, strict=True):
        if one.table:
            continue
        for group, exactly in zip(one.groups, true.groups, strict=True):
            held = [(group.patients, exactly.patients)]
            held += zip(group.shares, exactly.shares, strict=True)
            if one.scale:
                held += [(group.mean, exactly.mean)]
                width = np.diff(scaled(one, one.scale))[0]
                for mine, theirs in zip(group.quartiles, exactly.quartiles, strict=True):
                    found["all"] += 1
                    if mine.value is not None:
                        found["told"] += 1
                        apart = np.abs(np.diff(scaled(one, (mine.value, theirs.value))))[0] / width
                        found["quartiles_in_bins"].append(float(apart))
            found["held"] += [a.low <= b.value <= a.high for a, b in held if b.value is not None]


def scaled(figures: BlockFigures, values: tuple[float, ...]) -> FloatArray:
    """Values on the scale on which the bins are equal."""
    if figures.logarithmic:
        return np.log(values)
    return np.array(values)


if __name__ == "__main__":
    main()
