"""Check of a study against the agreement that it names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from securefl.agreement.article import Breach, Case


def check_study(case: Case) -> tuple[Breach, ...]:
    """Find all that goes beyond the agreement, by the articles' order; empty where nothing does.

    A population that the agreement does not name is a breach of none: the caller asks whether the
    agreement binds it.
    """
    return tuple(
        replace(breach, number=article.number)
        for article in case.agreement.articles
        for breach in article.breaches(case)
    )
