"""Sizes of a design: published figures, or the released result of a count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from securefl.designer.by_task import designer_for
from securefl.designer.question import Sizes
from securefl.errors import UsageError
from securefl.study.registries import LABELS

if TYPE_CHECKING:
    from securefl.designer.question import Question

Shares = float | str | Decimal | Sequence[float | str | Decimal]
_UNNAMED: Final = "Published size, as the researcher names it"
_MOST_PATIENTS: Final = 10**8
#: Shares of classes are rounded figures.
_SLACK: Final = Decimal("0.02")


def task_name(label: Mapping[str, Any]) -> str:
    """Task of a label's table."""
    kind = label.get("kind")
    if isinstance(kind, str) and kind in LABELS:
        return LABELS[kind].task
    return "binary"


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
    number = patients if patients is not None else before.patients if before else 0
    if not 1 <= number <= _MOST_PATIENTS:
        raise UsageError(
            f"{number} patients are no published size.",
            next_step="Give the number of patients in all hospitals together.",
        )
    shares = _shares(share) if share is not None else before.shares if before else ()
    _check_shares(question, shares)
    told = source or (before.source if before else _UNNAMED)
    return replace(
        question,
        sizes=Sizes(
            number,
            shares,
            told,
        ),
    )


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
    due = designer_for(task_name(question.label)).shares_due(question.label)
    if len(shares) != due:
        what = {0: "none", 1: "one, that of the positives"}.get(due, f"{due}, one for each class")
        raise UsageError(
            f"{len(shares)} published shares were given; due is {what}.",
            next_step="Give --share as published, or leave sizes out: the design is then a count.",
        )
    if any(not 0 < one < 1 for one in shares):
        raise UsageError("A share lies between 0 and 1.", next_step="Write 8 % as 0.08.")
    whole = sum(shares, Decimal(0))
    if due > 1 and abs(whole - 1) > _SLACK:
        raise UsageError(
            f"The shares of the classes add up to {whole}, not to 1.",
            next_step="Give one for each class, in the order of the label.",
        )


def _counted(question: Question, report: Mapping[str, Any]) -> Sizes:
    """Sizes out of a count that was run: noised figures, so they cost nothing more.

    Raises:
        UsageError: the report is of no count, or of another label.
    """
    found = next((one for one in report.get("stages", ()) if "strata" in one), None)
    if found is None:
        raise UsageError(
            "That study counted nothing.",
            next_step="Give the report of the count, or a number of patients.",
        )
    strata = [max(int(count), 1) for count in found["strata"].values()]
    designer = designer_for(task_name(question.label))
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
    name = str(report.get("study", "a count"))
    return Sizes(
        whole,
        shares,
        f"Noised count of the study {name}",
    )


def _share(count: int, whole: int) -> Decimal:
    return Decimal(f"{count / whole:.3g}")
