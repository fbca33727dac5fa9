"""Sizes of a design: published figures, or the released result of a first study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from securefl.designer.by_task import designer_of
from securefl.designer.question import CURVE, Sizes
from securefl.designer.released_curve import sizes_of_curve
from securefl.errors import UsageError

if TYPE_CHECKING:
    from securefl.designer.question import Question

Shares = float | str | Decimal | Sequence[float | str | Decimal]
_UNNAMED: Final = "Published size, as the researcher names it"
_MOST_PATIENTS: Final = 10**8


def with_sizes(
    question: Question,
    patients: int | Mapping[str, Any] | None,
    share: Shares | None,
    source: str | None,
) -> Question:
    """The question with sizes as given; with those that it has, where none are.

    Raises:
        UsageError: shares that are missing, too many, or not between 0 and 1.
    """
    if isinstance(patients, Mapping):
        return replace(question, sizes=_counted(question, patients))
    before = question.sizes
    if patients is None and before is None:
        if share is None:
            return question
        raise UsageError(
            "A share was given, and no number of patients.",
            next_step="Give both, as published, or neither: the design is then a count.",
        )
    number = 0
    shares: tuple[Decimal, ...] = ()
    told = _UNNAMED
    if before is not None:
        number = before.patients
        shares = before.shares
        told = before.source
    if patients is not None:
        number = patients
    if not 1 <= number <= _MOST_PATIENTS:
        raise UsageError(
            f"{number} patients are no published size.",
            next_step="Give the number of patients in all hospitals together.",
        )
    if share is not None:
        shares = _shares(share)
    _check_shares(question, shares)
    sizes = Sizes(number, shares, source or told)
    return replace(question, sizes=sizes)


def _shares(given: Shares) -> tuple[Decimal, ...]:
    if isinstance(given, str):
        given = [part.strip() for part in given.split(",")]
    listed: Sequence[Any] = given if isinstance(given, Sequence) else [given]
    try:
        return tuple(Decimal(str(one)) for one in listed)
    except InvalidOperation:
        raise UsageError(
            f"{given!r} are no shares.", next_step="Write numbers between 0 and 1, like 0.08."
        ) from None


def _check_shares(question: Question, shares: tuple[Decimal, ...]) -> None:
    designer = designer_of(question)
    due = designer.shares_due(question.label)
    if question.kind == CURVE:
        # curves are what is asked for: nobody has to know them before
        due = len(shares)
    if len(shares) != due:
        raise UsageError(
            f"{len(shares)} published shares were given; due is"
            f" {designer.shares_words(question.label)}.",
            next_step="Give --share as published, or leave sizes out: the design is then a first"
            " study that finds them.",
        )
    if any(not 0 < one < 1 for one in shares):
        raise UsageError("A share lies between 0 and 1.", next_step="Write 8 % as 0.08.")
    designer.check_shares(shares)


def _counted(question: Question, report: Mapping[str, Any]) -> Sizes:
    """Sizes out of a count that was run: noised figures, so they cost nothing more.

    Raises:
        UsageError: the report is of no count, or of another label.
    """
    designer = designer_of(question)
    curve = next((one for one in report.get("stages", ()) if one.get("kind") == CURVE), None)
    name = str(report.get("study", "a count"))
    if curve is not None and designer.shares_due(question.label) > 1:
        return sizes_of_curve(curve, question.label, name)
    found = next((one for one in report.get("stages", ()) if "strata" in one), None)
    if found is None:
        raise UsageError(
            "That study counted nothing.",
            next_step="Give the report of the count, or a number of patients.",
        )
    strata = [max(int(count), 1) for count in found["strata"].values()]
    due = designer.shares_due(question.label)
    if due > 1 and due != len(strata):
        raise UsageError(
            f"The count tells {len(strata)} outcomes apart, and the label {due}.",
            next_step="Design the study with the label that was counted.",
        )
    whole = sum(strata)
    shares: tuple[Decimal, ...] = ()
    if due == 1:
        # the strata of a yes or no: negatives, then positives
        shares = (_share(strata[-1], whole),)
    elif due:
        shares = tuple(_share(count, whole) for count in strata)
    return Sizes(
        whole,
        shares,
        f"Noised count of the study {name}",
    )


def _share(count: int, whole: int) -> Decimal:
    return Decimal(f"{count / whole:.3g}")
