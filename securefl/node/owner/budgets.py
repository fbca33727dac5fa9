"""Budgets: what an owner grants to a patient population, and takes back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import TYPE_CHECKING, Final

from securefl.errors import UsageError
from securefl.learning.stages.programme import charges_of
from securefl.node import decisions
from securefl.party.folder import NAME_RULE
from securefl.privacy.accounting import PldAccountant
from securefl.privacy.mechanisms import decimal_text
from securefl.privacy.planning import choose_order, share
from securefl.study.consistency import parse_consistent
from securefl.study.fields import NAME

if TYPE_CHECKING:
    from securefl.node.site import Site
    from securefl.privacy.ledger_facts import Budget, StudyState
    from securefl.privacy.planning import OrderChoice
    from securefl.study.schema import Template

#: Least and most epsilon of one grant, and least and most delta, as the ledger can keep them.
EPSILONS: Final = ("0.0001", "1000")
DELTAS: Final = ("1e-30", "1e-3")
_MOST_DIGITS: Final = 40


class GrantKind(Enum):
    """Effect of a grant on what was granted to the population before."""

    FIRST = "first"
    ADDED = "added"
    #: The owner took the earlier budget back. What was used stays used, what was left is gone.
    REOPENED = "reopened"


@dataclass(frozen=True)
class GrantPlan:
    """A grant before the owner's yes.

    Attributes:
        population: whose budget.
        kind: what it does to an earlier budget.
        amount: the epsilon that is added.
        delta: the chance that the promise does not hold.
        before: epsilon granted so far; None where there was no budget.
        after: epsilon of the budget once it is granted.
        choice: the order of the filter.
        typical: the study that the order is chosen for.
        populations: those of the registered data sets.
    """

    population: str
    kind: GrantKind
    amount: Decimal
    delta: Decimal
    before: Decimal | None
    after: Decimal
    choice: OrderChoice
    typical: Template
    populations: tuple[str, ...]

    @property
    def unknown_population(self) -> bool:
        """True for the first grant of a name that no data set has: perhaps a misspelt one."""
        return self.kind is GrantKind.FIRST and self.population not in self.populations


@dataclass(frozen=True)
class Granted:
    """A grant that was made.

    Attributes:
        plan: what was agreed to.
        budget: the population's budget now.
        used: share of it that is used.
        room: how many more studies like the typical one fit.
    """

    plan: GrantPlan
    budget: Budget
    used: Decimal
    room: int

    @property
    def reason(self) -> str:
        """Reason for the order, for specialists."""
        return self.budget.grants[-1].reason


@dataclass(frozen=True)
class Revocation:
    """Taking back the rest of a budget.

    Attributes:
        population: whose budget.
        used: share of it that is used, and stays so.
        going_on: studies that were approved and go on with what is reserved for them.
    """

    population: str
    used: Decimal
    going_on: tuple[StudyState, ...]


def read_epsilon(text: str) -> Decimal:
    """Read a grant's epsilon. Raises :class:`ValueError` with the reason."""
    return _figure(text, *EPSILONS)


def read_delta(text: str) -> Decimal:
    """Read a grant's delta. Raises :class:`ValueError` with the reason."""
    return _figure(text, *DELTAS)


def plan_grant(
    site: Site,
    population: str,
    amount: Decimal,
    delta: Decimal,
    typical: bytes,
) -> GrantPlan:
    """Work out what a grant would do; nothing is written.

    Args:
        site: the hospital.
        population: whose budget.
        amount: the epsilon to add.
        delta: the chance that the promise does not hold.
        typical: text of a protocol or study of the kind that is expected.

    Raises:
        StudyError: the text is no protocol, or its figures contradict each other.
        UsageError: that is no name.
        BudgetError: the budget could not pay for one such study.
    """
    study = parse_consistent(typical, PldAccountant())
    if not re.fullmatch(NAME, population):
        raise UsageError(f"'{population}' cannot be the name of a population.", next_step=NAME_RULE)
    state = site.ledger.state
    old = state.budgets.get(population)
    after = state.epsilon_after(population, amount)
    return GrantPlan(
        population=population,
        kind=_kind(old),
        amount=amount,
        delta=delta,
        before=None if old is None else old.epsilon,
        after=after,
        choice=choose_order(
            after,
            delta,
            charges_of(study),
            study.privacy.max_attempts,
        ),
        typical=study,
        populations=tuple(sorted({d.population for d in site.settings.datasets})),
    )


def grant(site: Site, plan: GrantPlan) -> Granted:
    """Write the grant into the ledger.

    Raises:
        UsageError: the budget changed since it was planned, or the ledger cannot take the grant, as
            with another delta than that of the budget.
        BudgetError: what is left could not pay for one such study.
    """
    study = plan.typical
    population = plan.population
    charges = charges_of(study)
    attempts = study.privacy.max_attempts
    with site.deciding():
        _check_as_planned(site, plan)
        site.ledger.grant(
            population,
            epsilon=plan.amount,
            delta=plan.delta,
            choice=plan.choice,
            typical=study.study.id,
            charges=charges,
            attempts=attempts,
        )
    quote = site.ledger.quote(population, charges, attempts)
    return Granted(
        plan,
        site.ledger.state.budget(population),
        quote.used_share,
        quote.room,
    )


def plan_revocation(site: Site, population: str) -> Revocation:
    """Work out what taking a budget back would do; nothing is written.

    Raises:
        BudgetError: there is no such budget, or it was taken back before.
    """
    state = site.ledger.state
    budget = state.open_budget(population)
    used = share(state.used(population), budget.cap)
    return Revocation(population, used, decisions.reserved_here(site, population))


def revoke(site: Site, plan: Revocation, note: str) -> None:
    """Take back what is left. What is reserved stays reserved, what is spent stays spent.

    Raises:
        BudgetError: it was taken back meanwhile.
    """
    decisions.revoke_budget(site, plan.population, note)


def _kind(old: Budget | None) -> GrantKind:
    if old is None:
        return GrantKind.FIRST
    if old.revoked:
        return GrantKind.REOPENED
    return GrantKind.ADDED


def _check_as_planned(site: Site, plan: GrantPlan) -> None:
    """Refuse a grant that would make another budget than its owner agreed to, as if sent twice."""
    if site.ledger.state.epsilon_after(plan.population, plan.amount) != plan.after:
        raise UsageError(
            f"The budget of '{plan.population}' changed since this grant was planned.",
            next_step="Look at the budget again, then grant what is still wanted.",
        )


def _figure(text: str, least: str, most: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    if not value.is_finite() or not Decimal(least) <= value <= Decimal(most):
        raise ValueError(f"must be at least {least} and at most {most}")
    if len(decimal_text(value)) > _MOST_DIGITS:
        raise ValueError(
            f"has more digits than a budget needs: write at most {_MOST_DIGITS} characters in plain"
            " digits"
        )
    return value
