"""Figures of an evaluation in words, the interval first: for the screen, the model card and the
study's report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.report.page import Span, Table, Tone
from securefl.report.quality import quality_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from securefl.learning.tasks.binary.calibration import CalibrationRow, CalibrationVerdict
    from securefl.learning.tasks.binary.evaluation import Evaluation
    from securefl.study.schema import Verdict

_TONES = {"met": Tone.GOOD, "not-met": Tone.BAD, "cannot-be-judged": Tone.WARN}
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
    return (
        f"cannot be told from chance: {interval}"
        if auc is None
        else f"{interval}, around {auc:.3f}"
    )


def ranking_words(low: float, high: float) -> str:
    """Meaning of the interval for two patients.

    >>> ranking_words(0.805, 0.934)
    'of a patient with and one without the condition, the model gives the first the higher score in
    805 to 934 of 1,000 cases'
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
    always = "negative" if e.negatives >= e.positives else "positive"
    return (
        f"with a score of {e.threshold:g} or more taken as positive,"
        f" {percent_range(e.accuracy_low, e.accuracy_high)} are classified rightly; always saying"
        f" '{always}' would be right for {100 * most:.1f} %"
    )


def quality_text(verdict: Verdict, minimum: Decimal) -> Span:
    """The judgement of the quality rule, in its tone."""
    return Span(quality_words(verdict, minimum), _TONES[verdict])


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


def calibration_table(rows: Sequence[CalibrationRow]) -> Table:
    """The rows as a table."""
    unknown = Span("too few to say", Tone.QUIET)
    return Table(
        ("score", "patients, about", "really positive"),
        tuple(
            (
                band_words(row),
                f"{row.patients:,.0f}",
                unknown if row.positive_share is None else _share(row),
            )
            for row in rows
        ),
        right=frozenset({1, 2}),
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


def _share(row: CalibrationRow) -> str:
    if row.positive_share is None:
        return "an unknown part"
    return percent_range(row.share_low, row.share_high)
