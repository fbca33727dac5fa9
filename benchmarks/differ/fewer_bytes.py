"""A perceptron moved by few numbers beside all of it, on the thyroid table at epsilon 1.

``python benchmarks/differ/fewer_bytes.py`` writes ``fewer_bytes.json`` and its table in
``README.md``: bytes and AUC; about half an hour on one core. Each run is a `securefl study
simulate` of `protocols/studies/thyroid` with another model: 40 rounds, seeds 0 to 9, the same
splits for all.
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
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machine import machine
from scipy.stats import t as student

import securefl as sf
from securefl.learning.stages.programme import Programme
from securefl.learning.stages.roles import trained
from securefl.privacy.planning import noise_for_epsilon
from securefl.secagg.layouts import body_bytes, layout_for
from securefl.study.parse import parse_protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE.parents[1] / "protocols/studies/thyroid/protocol.toml"
SEEDS = range(10)
HOSPITALS = 5
_ALL = 'kind = "mlp"\nhidden = [400, 220]'
_FEW = 'kind = "subspace"\nhidden = [400, 220]\ndimensions = 8000'
_LOW = 'kind = "low-rank"\nhidden = [400, 220]\nrank = 10\nstretch = "2.5"\ninner = "fixed"'
DELTA = Decimal("1e-5")


@dataclass(frozen=True)
class Setting:
    """One row of the table.

    Attributes:
        words: what is learnt.
        model: the table [stages.model], but for its seed.
        rounds: of the training.
        rate: of the server.
        clip: clip norm.
        bits: of a number on the wire.
    """

    words: str
    model: str
    rounds: int
    rate: str
    clip: str = "0.125"
    bits: int = 16


SETTINGS = (
    Setting("all weights", _ALL, 40, "1"),
    Setting("8,000 directions", _FEW, 40, "4"),
    Setting("low rank, 461 numbers", _LOW, 40, "2", "0.0625", 9),
)


def protocol(setting: Setting) -> str:
    """The template with this model; every edit must find its place once."""
    text = TEMPLATE.read_text()
    noise = noise_for_epsilon(Decimal(1), DELTA, Fraction(1, 5), setting.rounds)
    for old, new in (
        ('kind = "logistic-regression"', setting.model),
        ('server_learning_rate = "6"', f'server_learning_rate = "{setting.rate}"'),
        ("rounds = 40", f"rounds = {setting.rounds}"),
        ("steps = 40", f"steps = {setting.rounds}"),
        ('noise_multiplier = "4.98"', f'noise_multiplier = "{noise}"'),
        ('clip_norm = "0.125"', f'clip_norm = "{setting.clip}"'),
        ("bits = 16", f"bits = {setting.bits}"),
    ):
        if text.count(old) != 1:
            raise SystemExit(f"{TEMPLATE} does not hold {old!r} once")
        text = text.replace(old, new)
    return text


def sent(setting: Setting) -> int:
    """Bytes that a hospital sends in all rounds of the training."""
    stage = trained(Programme(parse_protocol(protocol(setting))))
    (release,) = stage.releases()
    layout = layout_for(release.bits, HOSPITALS, release.length)
    return release.rounds * body_bytes(layout, release.length)


def measure(setting: Setting) -> dict[str, Any]:
    """Exact AUC on all held-out rows, seed by seed."""
    auc: list[float] = []
    for seed in SEEDS:
        found = sf.simulate(
            protocol(setting), public="thyroid", repeat=1, seed=seed, advise=False
        ).to_dict()
        auc += found["exact"]["values"]
        print(setting, auc, flush=True)
    return {
        "words": setting.words,
        "rounds": setting.rounds,
        "rate": setting.rate,
        "bytes": sent(setting),
        "auc": auc,
    }


def interval(apart: Sequence[float]) -> str:
    """Student's, of 95 %, of the mean of paired differences."""
    error = statistics.stdev(apart) / len(apart) ** 0.5
    half = float(student.ppf(0.975, len(apart) - 1)) * error
    mean = statistics.mean(apart)
    return f"{mean:+.4f} ({mean - half:+.4f} to {mean + half:+.4f})"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Bytes, AUC, and what is lost beside the first model at its best rate, seed by seed."""
    heads = (
        "learnt",
        "rounds",
        "epsilon",
        "rate",
        "seeds",
        "bytes a hospital",
        "of the first",
        "AUC",
        "difference, 95 % interval",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    first = max(
        (row for row in rows if row["words"] == rows[0]["words"]),
        key=lambda row: statistics.mean(row["auc"]),
    )
    for row in rows:
        # A model may have been run on fewer seeds than the first.
        apart = [a - b for a, b in zip(row["auc"], first["auc"], strict=False)]
        cells = (
            row["words"],
            row["rounds"],
            1,
            row["rate"],
            len(row["auc"]),
            f"{row['bytes'] / 1e6:.2f} MB",
            f"1/{first['bytes'] / row['bytes']:.1f}",
            f"{statistics.mean(row['auc']):.4f}",
            "" if row is first else interval(apart),
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def write(found: dict[str, Any]) -> None:
    """The figures, and the table between its marks in the page."""
    (HERE / "fewer_bytes.json").write_text(json.dumps(found, indent=1) + "\n")
    page = HERE / "README.md"
    head, start, rest = page.read_text().partition("<!-- bytes -->")
    _, end, tail = rest.partition("<!-- end of bytes -->")
    page.write_text(f"{head}{start}\n{table(found['rows'])}\n{end}{tail}")


def main() -> None:
    """Measure, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--page-only", action="store_true", help="the table of the figures kept")
    if arguments.parse_args().page_only:
        write(json.loads((HERE / "fewer_bytes.json").read_text()))
        return
    rows = [measure(setting) for setting in SETTINGS]
    write({"machine": machine("numpy"), "seeds": list(SEEDS), "rows": rows})


if __name__ == "__main__":
    main()
