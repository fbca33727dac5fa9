"""Estimate and interval of the AUC over many simulated checks, and the loss to the bands; writes
README.md beside it.

    python benchmarks/evaluation/run.py [--runs 1000]

About a minute. Everything is seeded; the settings are those of `tests/support/simulated_evaluations.py`, which
the tests run smaller.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "support"))

from simulated_evaluations import (  # noqa: E402 - the path stands above
    SETTINGS,
    Setting,
    mended_auc,
    simulate,
)

from securefl.learning.tasks.binary.discrimination import expected_interval, histogram_auc  # noqa: E402
from securefl.learning.tasks.binary.expected import band_shares  # noqa: E402
from securefl.study.edges import default_edges  # noqa: E402

SEED = 1
AUCS = (0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.986)
PREVALENCES = ("0.02", "0.05", "0.1", "0.2", "0.35", "0.5")
BINS = (4, 6, 8, 10, 12, 16, 24)
GUESSED = tuple(Decimal(i) / 10 for i in range(1, 10))


def nine_settings(runs: int) -> str:
    """Bias, coverage and width in the nine settings; the estimate of before beside it."""
    rows = [
        (
            "| true AUC, positives of all | bias | of the bands | covers | covers the bands' | told"
            " from chance | width | bias before |"
        ),
        "|---|---|---|---|---|---|---|---|",
    ]
    for setting in SETTINGS:
        found = simulate(setting, runs, SEED)
        before = simulate(setting, runs, SEED, estimate=mended_auc)
        rows.append(
            f"| {setting} | {found.bias:+.4f} ± {found.error_of_bias:.4f} |"
            f" {setting.banded_auc() - setting.auc:+.4f} | {found.covered_exact:.1%} |"
            f" {found.covered:.1%} | {found.told:.1%} | {found.width:.3f} | {before.bias:+.3f} |"
        )
    return "\n".join(rows)


def loss_by_prevalence() -> str:
    """The largest loss over the AUCs for each prevalence, default edges and guessed ones."""
    rows = [
        "| prevalence | default edges lose at most | guessed .1, .2 ... .9 lose up to |",
        "|---|---|---|",
    ]
    for prevalence in PREVALENCES:
        share = float(prevalence)
        default, guessed = (
            max(auc - histogram_auc(*band_shares(auc, share, edges)) for auc in AUCS)
            for edges in (default_edges(Decimal(prevalence)), GUESSED)
        )
        rows.append(f"| {share:.0%} | {default:.4f} | {guessed:.3f} |")
    return "\n".join(rows)


def bins_trade() -> str:
    """Largest loss and expected width for each number of bands."""
    sizes = (Setting(0.8, 150, 1000), Setting(0.8, 600, 6000), Setting(0.8, 3000, 27_000))
    rows = [
        "| bands | lose at most | "
        + " | ".join(f"width, {s.positives} positives" for s in sizes)
        + " |",
        "|---|---|" + "---|" * len(sizes),
    ]
    for bins in BINS:
        lost = max(auc - replace(sizes[1], auc=auc, bins=bins).banded_auc() for auc in AUCS)
        widths = []
        for size in sizes:
            setting = replace(size, bins=bins)
            low, high = expected_interval(*setting.expected_counts(), setting.noise_variance)
            widths.append(f"{high - low:.3f}")
        rows.append(f"| {bins} | {lost:.4f} | {' | '.join(widths)} |")
    return "\n".join(rows)


def misplaced_scores() -> str:
    """Loss with default edges where the model is not calibrated: its odds are off by a factor, or
    its logits shrunk.
    """
    rows = [
        "| the score's odds are | AUC .6 loses | .7 | .8 | .9 | .986 |",
        "|---|---|---|---|---|---|",
    ]
    for words, factor, shrink in (
        ("as they should be", 1.0, 1.0),
        ("3 times too low", 1 / 3, 1.0),
        ("10 times too low", 0.1, 1.0),
        ("drawn to the middle: half the logit", 1.0, 0.5),
        ("exaggerated: 1.5 times the logit", 1.0, 1.5),
    ):
        rows.append(
            f"| {words} | "
            + " | ".join(
                f"{_moved_loss(auc, factor, shrink):.3f}" for auc in (0.6, 0.7, 0.8, 0.9, 0.986)
            )
            + " |"
        )
    return "\n".join(rows)


def _moved_loss(auc: float, factor: float, shrink: float, prevalence: float = 0.07) -> float:
    """The loss where a calibrated model's odds about the prevalence are raised to ``shrink`` and
    multiplied by ``factor``.
    """
    middle = prevalence / (1 - prevalence)

    def calibrated(edge: Decimal) -> Decimal:
        odds = middle * (float(edge) / (1 - float(edge)) / factor / middle) ** (1 / shrink)
        return Decimal(odds / (1 + odds))

    edges = [calibrated(edge) for edge in default_edges(Decimal(str(prevalence)))]
    return auc - histogram_auc(*band_shares(auc, prevalence, edges))


def page(runs: int) -> str:
    """The README."""
    text = (HERE / "page.md").read_text("utf-8")
    for name, table in (
        ("nine", nine_settings(runs)),
        ("loss", loss_by_prevalence()),
        ("bins", bins_trade()),
        ("misplaced", misplaced_scores()),
        ("runs", f"{runs:,}"),
    ):
        text = text.replace(f"{{{name}}}", table)
    return text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    (HERE / "README.md").write_text(page(parser.parse_args().runs), "utf-8")
