"""Judgement of a quality rule in words.

The same for the researcher's screen, the model card and the hospitals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.report.words import decimal_words

if TYPE_CHECKING:
    from decimal import Decimal


def quality_words(verdict: str, minimum: Decimal, each: Decimal | None = None) -> str:
    """The judgement, against the lowest figure that the study accepts, of all and of each hospital.

    >>> from decimal import Decimal
    >>> quality_words("not-met", Decimal("0.70"))
    'at least 0.7: NOT met; the whole interval lies below'
    """
    if each is not None:
        return _with_each(verdict, minimum, each)
    least = f"at least {decimal_words(minimum)}"
    if verdict == "met":
        return f"{least}: met; the whole interval lies above"
    if verdict == "not-met":
        return f"{least}: NOT met; the whole interval lies below"
    return f"{least}: cannot be judged; the interval holds it"


def _with_each(verdict: str, minimum: Decimal, each: Decimal) -> str:
    least = (
        f"at least {decimal_words(minimum)}, and at least {decimal_words(each)} at each hospital"
    )
    if verdict == "met":
        return f"{least}: met; all intervals lie above"
    if verdict == "not-met":
        return f"{least}: NOT met; a whole interval lies below"
    return f"{least}: cannot be judged; an interval holds it, or the noise hides a hospital"
