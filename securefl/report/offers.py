"""Offers of hospitals that refused a study, in words."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def offer_words(epsilon: str, until: str) -> str:
    """Say what would be agreed to.

    >>> offer_words("0.5", "2027-01-31")
    'a study of epsilon 0.5 at most that ends before 2027-01-31'
    """
    words = "a study"
    if epsilon:
        words += f" of epsilon {epsilon} at most"
    if until:
        words += f" that ends before {until}"
    return words


def lowest(offers: Sequence[tuple[str, str]]) -> str:
    """Say what all of these hospitals would agree to: the lowest epsilon and the earliest end.

    >>> lowest([("0.5", ""), ("1", "2027-01-31")])
    'a study of epsilon 0.5 at most that ends before 2027-01-31'
    """
    epsilons = [Decimal(epsilon) for epsilon, _ in offers if epsilon]
    ends = [until for _, until in offers if until]
    least = ""
    if epsilons:
        least = f"{min(epsilons):f}"
    return offer_words(least, min(ends, default=""))
