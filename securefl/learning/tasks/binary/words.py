"""Figures of the binary task in words, the interval first: for the screen, the model card and the
study's report.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from securefl.learning.tasks.told import Told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.tasks.binary.calibration import CalibrationRow, CalibrationVerdict
    from securefl.learning.tasks.binary.evaluation import Evaluation
    from securefl.learning.tasks.binary.expected import EvaluationPlan
    from securefl.learning.tasks.binary.own_figures import Band, OwnFigures

NO_PREVALENCE = (
    "This file names no prevalence, so the interval to expect cannot be worked out. "
    "Write the published share of positives into the evaluation, with its prevalence_source."
)
_MEANINGS = {
    "supported": (
        "The released shares of positives agree with the score: it may be read as an estimated"
        " probability."
    ),
    "contradicted": (
        "It is a score, not a probability: the share of positives lies outside the band of the"
        " score."
    ),
    "cannot-be-told": (
        "It is a score, not a probability: the released shares do not show that it is one."
    ),
}


def told(e: Evaluation) -> Told:
    """An evaluation: ranking, right or wrong, and what the bands of the score hold."""
    ranking = []
    if e.known:
        ranking = [("in words", ranking_words(e.low, e.high))]
    patients = (
        f"about {e.negatives + e.positives:,.0f} patients kept aside, about {e.positives:,.0f} of"
        " them positive"
    )
    return Told(
        metric="AUC",
        headline=auc_words(e.low, e.high, e.auc),
        short=f"{e.low:.3f} to {e.high:.3f}",
        rows=(*ranking, ("right or wrong", right_or_wrong(e)), ("checked on", patients)),
        sentences=(calibration_words(e.calibrated),),
        header=("score", "patients, about", "really positive"),
        cells=tuple(_cells(row) for row in e.calibration),
        right=frozenset({1, 2}),
        note=(
            "Shares as 95 % intervals. Neighbouring bands were read together until the noise left"
            " something to say."
        ),
        lines=calibration_lines(e.calibration),
        probability=e.calibrated == "supported",
    )


def told_own(figures: OwnFigures, units: str) -> Told:
    """Exact figures of one hospital's own held-out patients.

    Args:
        figures: without noise.
        units: what is counted, "patients" or "rows".
    """
    share = figures.positives / figures.patients
    held_out = f"{figures.patients:,}, {figures.positives:,} of them positive ({100 * share:.1f} %)"
    auc = f"{figures.auc:.3f}"
    if math.isnan(figures.auc):
        auc = "cannot be worked out: all have the same outcome"
    return Told(
        metric="AUC",
        headline=auc,
        rows=(
            (f"{units} held out", held_out),
            ("AUC", auc),
            ("mean score", f"{100 * figures.mean_score:.1f} %"),
        ),
        header=("score", units, "really positive", "mean score"),
        cells=tuple(_own_cells(band) for band in figures.bands),
        right=frozenset({1, 2, 3}),
    )


def told_plan(plan: EvaluationPlan | None) -> Told:
    """The interval to expect; what is missing, where a study names no prevalence."""
    if plan is None:
        return Told(note=NO_PREVALENCE)
    cells = []
    for row in plan.expected:
        chance = ", which holds .5: no figure"
        if row.told:
            chance = ""
        interval = f"{row.low:.2f} to {row.high:.2f}{chance}"
        cells.append((f"{row.auc:.2f}", interval, f"{row.lost:.3f}"))
    return Told(
        sentences=tuple(plan_words(plan)),
        header=("true AUC", "interval to expect", "lost to the bands"),
        cells=tuple(cells),
        right=frozenset({0, 2}),
    )


def auc_words(low: float, high: float, auc: float | None) -> str:
    """The AUC with its interval first; no single figure where it holds .5, and none where nothing
    is known.

    >>> auc_words(0.805, 0.934, 0.872)
    '95 % interval 0.805 to 0.934, around 0.872'
    >>> auc_words(0.4, 0.63, None)
    'cannot be told from chance: 95 % interval 0.400 to 0.630'
    >>> auc_words(0.0, 1.0, None)
    'nothing can be said: too few positives or negatives for the noise'
    """
    if (low, high) == (0.0, 1.0):
        return "nothing can be said: too few positives or negatives for the noise"
    interval = f"95 % interval {low:.3f} to {high:.3f}"
    if auc is None:
        return f"cannot be told from chance: {interval}"
    return f"{interval}, around {auc:.3f}"


def ranking_words(low: float, high: float) -> str:
    """Say what the interval means for two patients.

    >>> ranking_words(0.805, 0.934)[-45:]
    'the higher score in 805 to 934 of 1,000 cases'
    """
    cases = f"in {1000 * low:.0f} to {1000 * high:.0f} of 1,000 cases"
    return (
        "of a patient with and one without the condition, the model gives the first the higher"
        f" score {cases}"
    )


def right_or_wrong(e: Evaluation) -> str:
    """Share of patients classified rightly, beside the rate of saying always the same."""
    if e.accuracy is None:
        return "nothing can be said: too few patients for the noise"
    most = max(e.negatives, e.positives) / max(e.negatives + e.positives, 1.0)
    always = "positive"
    if e.negatives >= e.positives:
        always = "negative"
    return (
        f"with a score of {e.threshold:g} or more taken as positive,"
        f" {percent_range(e.accuracy_low, e.accuracy_high)} are classified rightly; always saying"
        f" '{always}' would be right for {100 * most:.1f} %"
    )


def calibration_words(verdict: CalibrationVerdict) -> str:
    """Say whether the score may be called a probability, and why."""
    return _MEANINGS[verdict]


def calibration_lines(rows: Sequence[CalibrationRow]) -> tuple[str, ...]:
    """Each row in a line, as the model card has it.

    >>> from securefl.learning.tasks.binary.calibration import CalibrationRow
    >>> calibration_lines([CalibrationRow(0, 0.07, 820.4, 0.011, 0.034, 0.0221, 0.01, 0.04, 6)])
    ('score 0 to 0.07: 1.1 to 3.4 % of about 820 patients are positive',)
    """
    return tuple(
        f"score {band_words(row)}: {_share(row)} of about {row.patients:,.0f} patients are positive"
        for row in rows
    )


def band_words(row: CalibrationRow) -> str:
    """The band of the score."""
    return f"{row.low:g} to {row.high:g}"


def percent_range(low: float, high: float) -> str:
    """Two shares as a range of percents.

    >>> percent_range(0.011, 0.034)
    '1.1 to 3.4 %'
    """
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def plan_words(plan: EvaluationPlan) -> list[str]:
    """The interval to expect, in sentences."""
    known = [row for row in plan.expected if (row.low, row.high) != (0.0, 1.0)]
    sizes = (
        f"By the published figures about {plan.patients:,.0f} patients are kept aside to check the"
        f" model, about {plan.positives:,.0f} of them positive, and their scores are counted in"
        f" {plan.bins} bands."
    )
    lines = [sizes]
    if not known:
        return [
            *lines,
            "The noise hides them all: whatever the model is worth, nothing can be said about it.",
            "More patients, fewer bands or a larger epsilon would change that.",
        ]
    example = min(known, key=lambda row: abs(row.auc - 0.8))
    lines.append(
        f"If the model's true AUC is {example.auc:.2f}, expect an interval from about"
        f" {example.low:.2f} to {example.high:.2f}."
    )
    if plan.least_told is None:
        lines.append(
            "No model is expected to be told from chance with so few patients and so much noise."
        )
    else:
        told = (
            "A model is expected to be told from chance from a true AUC of"
            f" {plan.least_told:.2f} on"
        )
        lines.append(f"{told}; below that no single figure is likely to be given.")
    rule = f"The quality rule, at least {plan.minimum:g} on the interval's lower end"
    if plan.least_met is None:
        lines.append(f"{rule}, is not expected to be met by any model.")
    elif plan.minimum:
        lines.append(f"{rule}, is expected to be met from a true AUC of {plan.least_met:.2f} on.")
    return lines


def _cells(row: CalibrationRow) -> tuple[str | None, ...]:
    share = None
    if row.positive_share is not None:
        share = _share(row)
    return band_words(row), f"{row.patients:,.0f}", share


def _own_cells(band: Band) -> tuple[str | None, ...]:
    edges = f"{band.low:g} to {band.high:g}"
    if not band.patients:
        return edges, "0", "–", "–"
    share = 100 * band.positives / band.patients
    return (
        edges,
        f"{band.patients:,}",
        f"{band.positives:,} ({share:.1f} %)",
        f"{100 * band.mean_score:.1f} %",
    )


def _share(row: CalibrationRow) -> str:
    if row.positive_share is None:
        return "an unknown part"
    return percent_range(row.share_low, row.share_high)
