"""Designs that train nothing: a count or a survival curve, asked for or before a study whose sizes
nobody has published.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any, Final

from securefl.designer.by_task import designer_of, task_name
from securefl.designer.commented import Entry, Part
from securefl.designer.own_table import two_digits
from securefl.designer.question import CURVE
from securefl.designer.rules import Figure, count_noise, delta_for
from securefl.designer.study_tables import around, features_of, privacy_part
from securefl.errors import UsageError
from securefl.study.counts import CountSection
from securefl.study.stages import kind_of
from securefl.study.survival_curve import SurvivalCurveSection
from securefl.study.survival_label import TimeToEventLabel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from securefl.designer.question import Question

#: A study that comes before another spends this part of its epsilon.
_FIRST_PART: Final = Decimal("0.1")
#: The largest count, when nobody knows yet how many patients there are.
_UNKNOWN_BOUND: Final = 1_000_000
#: Delta, likewise.
_UNKNOWN_DELTA: Final = Figure(
    "1e-6", "Below a tenth of 1 in the patients of any usual consortium."
)
_FIRST: Final = (
    "Sizes are not published, so they are asked for first. With the result, run `securefl study"
    " design` again."
)


def parts_without_model(question: Question, today: datetime) -> list[Part]:
    """The tables of a study of one release.

    Args:
        question: whose design trains nothing.
        today: from which the study may run.

    Raises:
        UsageError: curves are to be split by a column that cannot split them.
    """
    designer = designer_of(question)
    epsilon = question.epsilon
    part = "what the whole study may spend"
    if question.kind != CURVE:
        epsilon = question.epsilon * _FIRST_PART
        part = "a tenth of what the study itself may spend"
    delta = _UNKNOWN_DELTA
    if question.sizes is not None:
        delta = delta_for(question.sizes)
    noise, claimed = count_noise(epsilon, Decimal(delta.value))
    why = f"The least, in hundredths and at least 2, that costs at most epsilon {epsilon}: {part}."
    priced = (
        Entry("noise_multiplier", str(noise), why),
        Entry("epsilon", claimed),
        _bound(question),
    )
    middle = [
        privacy_part(claimed, claimed, delta),
        _stage(question, priced),
    ]
    return around(question, designer, middle, today, Figure("1", ""))


def _stage(question: Question, priced: tuple[Entry, ...]) -> Part:
    """The one stage: a curve for a time to an event, else a count."""
    if task_name(question.label) != TimeToEventLabel.task:
        least = Entry("minimum", 0, "Whatever is found is released.")
        kind = Entry("kind", kind_of(CountSection))
        return Part("[[stages]]", (kind, *priced, least), _FIRST)
    kind = Entry("kind", kind_of(SurvivalCurveSection))
    if question.kind != CURVE:
        return Part("[[stages]]", (kind, *priced), _FIRST)
    split = []
    if question.by:
        _check_split(question)
        split = [
            Entry(
                "by",
                question.by,
                "A curve for each of its levels. A patient counts in one number all the same, so the"
                " noise on each stays what it is; a curve of fewer patients is told less exactly.",
            )
        ]
    return Part("[[stages]]", (kind, *split, *priced), "Curves, from one noised list of counts.")


def _check_split(question: Question) -> None:
    levels = [str(one["name"]) for one in features_of(question) if _has_levels(one)]
    if question.by not in levels:
        listed = ", ".join(levels) if levels else "none"
        raise UsageError(
            f"{question.by[:40]} cannot split curves: it is no column with levels.",
            next_step=f"Columns that can: {listed}.",
        )


def _has_levels(column: Mapping[str, Any]) -> bool:
    return column["kind"] in ("category", "boolean")


def _bound(question: Question) -> Entry:
    if question.sizes is None:
        return Entry("bound", _UNKNOWN_BOUND, "More patients than one hospital has.")
    most = two_digits(float(question.sizes.patients), ROUND_CEILING)
    return Entry(
        "bound",
        int(most),
        "The largest count at one hospital: all patients, should one hospital have nearly all of"
        " them.",
    )
