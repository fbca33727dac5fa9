"""Costs of stopping, as sentences: of leaving a study, and of a pause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.privacy.explain import percent
from securefl.report.words import plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal


def leaving_sentences(
    *,
    begun: bool,
    sent: int,
    rounds: int,
    population: str,
    share: Decimal,
    others: Sequence[str],
) -> list[str]:
    """What leaving a study costs this hospital and the others.

    Args:
        begun: a round was announced, so that the budget is charged.
        sent: the last round that was answered; 0 for none.
        rounds: how many there are.
        population: whose budget it is charged to.
        share: of that budget, 0 to 1.
        others: the other hospitals.
    """
    return [
        _own(begun=begun, population=population, share=share),
        _sent(sent, rounds),
        _others(others, begun=begun),
        "It cannot be undone: the same study is not approved a second time.",
    ]


def pausing_sentence(name: str, *, begun: bool, goes_on: bool) -> str:
    """What a pause means for one study that is approved or runs."""
    if not begun:
        return f"{name} does not start while you pause."
    if goes_on:
        return (
            f"{name} goes on without you once you miss a deadline, while enough are left; you do"
            " not come back into it."
        )
    return f"{name} fails at its next deadline, for all hospitals; what was charged stays charged."


def _own(*, begun: bool, population: str, share: Decimal) -> str:
    if not begun:
        return (
            "No round has begun, so nothing is charged: what was reserved of the budget of"
            f" {population} ({percent(share)}) is free again."
        )
    return (
        f"{percent(share)} of the budget of {population} stays spent, whatever the study has come"
        " to."
    )


def _sent(sent: int, rounds: int) -> str:
    if not sent:
        return "Nothing has left this hospital."
    return f"Answers up to round {sent} of {rounds} have left and cannot be called back."


def _others(others: Sequence[str], *, begun: bool) -> str:
    named = ", ".join(others)
    count = plural(len(others), "other hospital")
    if not begun:
        return f"The study ends for {count} too ({named})."
    return f"The study ends for {count} too ({named}): what they spent stays spent."
