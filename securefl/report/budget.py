"""Budgets before they are granted or taken back, as their owner reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from securefl.privacy.explain import explain_epsilon, guess_percent, percent
from securefl.privacy.mechanisms import decimal_text
from securefl.report.page import Outside, Page, Paragraph, Tone, bullets, facts, page, when

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal


class GrantFacts(NamedTuple):
    """A grant before the owner's yes.

    Attributes:
        population: whose budget.
        amount: epsilon that is added.
        before: epsilon granted so far; None where there was no budget.
        after: epsilon once it is granted.
        delta: the chance that the promise does not hold.
        typical: id of the study that it is chosen for.
        studies: how many of these the whole budget pays for.
        reopened: an earlier budget was taken back.
        unknown: no data set has this population.
        reason: for the order, for specialists.
    """

    population: str
    amount: Decimal
    before: Decimal | None
    after: Decimal
    delta: Decimal
    typical: str
    studies: int
    reopened: bool
    unknown: bool
    reason: str


def grant_page(grant: GrantFacts) -> Page:
    """The page before a budget is granted."""
    before = "nothing"
    if grant.before is not None:
        before = decimal_text(grant.before)
    return page(
        f"A budget for the patients of {grant.population}",
        facts(
            [
                ("epsilon granted until now", before),
                ("epsilon added now", decimal_text(grant.amount)),
                ("epsilon after this", decimal_text(grant.after)),
                ("typical study", Outside(grant.typical)),
                ("such studies in all", f"{grant.studies:,}"),
            ]
        ),
        Paragraph(
            explain_epsilon(grant.after, grant.delta, of="all that is ever released under it")
        ),
        bullets(_what_a_grant_does(grant)),
        Paragraph(f"For specialists: {grant.reason}", Tone.QUIET),
    )


def _what_a_grant_does(grant: GrantFacts) -> list[str]:
    lines = [
        "It holds for all studies of all researchers together, and never renews by itself.",
        "A grant cannot be made smaller later; taking it back takes back all that is left.",
    ]
    if grant.before is not None:
        risen = guess_percent(grant.after)
        was = guess_percent(grant.before)
        lines.append(f"The guess can then rise to {risen}, where it was {was}.")
    if grant.reopened:
        lines.append(
            "The budget was taken back before: what was used of it stays used, and what was left of"
            " it does not come back."
        )
    if grant.unknown:
        lines.append(
            "No data set of this population is registered here. Check the spelling: a budget for a"
            " name that no data set has stays in the ledger for ever."
        )
    return lines


def revocation_page(population: str, used: Decimal, going_on: Sequence[str]) -> Page:
    """The page before the rest of a budget is taken back.

    Args:
        population: whose budget.
        used: share of it that is used, 0 to 1.
        going_on: names of studies that go on with what is reserved for them.
    """
    spent = "Nothing was spent so far."
    if used:
        spent = f"{percent(used)} of it is used: that stays spent, and stays in the audit."
    lines = [
        spent,
        (
            "No later study is approved on these patients, unless you grant a new budget: what is"
            " left today does not come back with it."
        ),
    ]
    return page(
        f"The rest of the budget of {population}",
        bullets(lines),
        when(
            going_on,
            Paragraph("These studies go on with the part that was reserved for them:"),
        ),
        bullets([Outside(name) for name in going_on]),
    )
