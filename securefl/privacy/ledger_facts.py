"""Values that a ledger's state is made of: budgets, data sets, studies, refusals.

Values only; what changes them is in :mod:`~securefl.privacy.ledger_state`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeAlias

from securefl.errors import BudgetError, NotApprovedError, UsageError
from securefl.privacy.accounting import NANO, rdp_cap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.privacy import ledger_events as ev
    from securefl.privacy.charges import Purpose
    from securefl.privacy.mechanisms import Mechanism

Status: TypeAlias = Literal["approved", "running", "completed", "failed", "withdrawn"]


@dataclass(frozen=True)
class Budget:
    """Budget of a population now. ``cap`` is nano units at ``order``.

    ``epsilon`` is the sum of all grants, but for a budget that was taken back and opened again:
    then it is what was used by then (as Rényi divergence) and the grants since, so that the cap is
    the use and what the new grant alone would pay for.
    """

    population: str
    epsilon: Decimal
    delta: Decimal
    order: int
    typical: str
    typical_cost: int
    grants: tuple[ev.Grant, ...]
    #: The owner took back what is left; another grant opens the budget again.
    revoked: bool = False
    #: Studies reserved before a revocation and not started since: if one ends so, what it frees is
    #: the owner's, not spendable.
    held: frozenset[str] = frozenset()

    @property
    def cap(self) -> int:
        """The most that all studies together may cost, in nano units at ``order``."""
        return rdp_cap(self.epsilon, self.delta, self.order)

    def taken_back(self) -> BudgetError:
        """Make the error of a charge to a budget that its owner took back."""
        return BudgetError(
            f"The data owner took back the budget of {self.population!r}; nothing more can be"
            " charged to it.",
            whose="the data owner",
            next_step="`securefl site budget set` opens it again with another grant.",
        )


@dataclass(frozen=True)
class StudyState:
    """One approved study: its approval, its reservation, and what it sent."""

    approval: ev.Approve
    reservation: ev.Reserve
    status: Status = "approved"
    started: bool = False
    sent: Mapping[tuple[int, Purpose], ev.Sent] = field(default_factory=dict)
    #: How many single releases of each kind were sent, kept beside so that a fold stays linear.
    counts: Mapping[tuple[Purpose, Mechanism], int] = field(default_factory=dict)
    #: Unmasking answers by round.
    answers: Mapping[int, ev.Answer] = field(default_factory=dict)
    ended_at: str | None = None

    @property
    def digest(self) -> str:
        """Digest of the study."""
        return self.approval.study

    @property
    def ended(self) -> bool:
        """True once nothing more can be sent."""
        return self.status in {"completed", "failed", "withdrawn"}

    @property
    def charged(self) -> int:
        """Nano units that the study takes from the budget.

        All that it reserved, unless it ended before it started.
        """
        # No private data were touched before the start, so an end before it costs nothing.
        if self.ended and not self.started:
            return 0
        return self.approval.cost


@dataclass(frozen=True)
class LedgerState:
    """State of a ledger after some number of events."""

    site: str = ""
    key: str = ""
    #: Every key that signed or signs, the first one first.
    keys: tuple[str, ...] = ()
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    datasets: Mapping[str, ev.Dataset] = field(default_factory=dict)
    studies: Mapping[str, StudyState] = field(default_factory=dict)
    #: Charge of each population, in nano units. Kept beside the studies, so that neither a page nor
    #: the next event adds up all of them.
    charges: Mapping[str, int] = field(default_factory=dict)
    refusals: tuple[ev.Refuse, ...] = ()
    paused: bool = False
    #: The newest checkpoint of each other hospital's ledger that was noted here.
    witnessed: Mapping[str, ev.Witness] = field(default_factory=dict)
    #: Every table that was ever registered (keyed hash), with its population.
    tables: Mapping[str, str] = field(default_factory=dict)
    #: The agreement that came into force last for each population.
    agreements: Mapping[str, ev.Agree] = field(default_factory=dict)
    #: Digests of every agreement that was ever in force.
    agreed: frozenset[str] = frozenset()
    #: Notices of leaving, by the agreement's digest and the party.
    departures: Mapping[tuple[str, str], ev.Depart] = field(default_factory=dict)
    #: For each population the keyed hash of the list of patients who were taken out of it.
    excluded: Mapping[str, str] = field(default_factory=dict)
    #: People who said yes to a study before it was approved, by its digest.
    endorsed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Digest of each file of rules that the owner signed, by its name; None where they were taken away.
    own_files: Mapping[str, str | None] = field(default_factory=dict)
    #: Rules of the owner that said yes to a study, by its digest: the newest.
    delegated: Mapping[str, ev.Delegate] = field(default_factory=dict)
    #: An approval whose reservation must be the next event.
    pending: ev.Approve | None = None

    def used(self, population: str) -> int:
        """Charge of a population, in nano units: the sum of :attr:`StudyState.charged`."""
        return self.charges.get(population, 0)

    def epsilon_after(self, population: str, granted: Decimal) -> Decimal:
        """Return the epsilon of the population's budget once ``granted`` is added.

        After a revocation the earlier grants are gone; what was used stays used. A Rényi use U (at
        the budget's order) and a grant of its own make the cap ``U + cap(granted)``, which is the
        cap of epsilon ``U + granted``. It is the cautious choice: U is less than the epsilon that U
        alone implies.
        """
        old = self.budgets.get(population)
        if old is None:
            return granted
        if old.revoked:
            return granted + Decimal(self.used(population)) / NANO
        return granted + old.epsilon

    def budget(self, population: str) -> Budget:
        """Return the population's budget.

        Raises:
            BudgetError: none was granted.
        """
        if population not in self.budgets:
            known = ""
            if self.budgets:
                known = f" There are budgets for: {', '.join(sorted(self.budgets))}."
            raise BudgetError(
                f"No budget was granted for the patients of {population!r}.{known}",
                whose="the data owner",
                next_step="`securefl site budget set` grants one.",
            )
        return self.budgets[population]

    def open_budget(self, population: str) -> Budget:
        """Return the population's budget, if studies can be charged to it.

        Raises:
            BudgetError: none was granted, or its owner took it back.
        """
        budget = self.budget(population)
        if budget.revoked:
            raise budget.taken_back()
        return budget

    def dataset(self, name: str) -> ev.Dataset:
        """Return a registered data set.

        Raises:
            UsageError: no such data set.
        """
        if name not in self.datasets:
            raise UsageError(
                f"No data set {name!r} is registered here.",
                whose="the data owner",
                next_step="`securefl site data add` registers one.",
            )
        return self.datasets[name]

    def study(self, digest: str) -> StudyState:
        """Return an approved study.

        Raises:
            NotApprovedError: this hospital never approved that digest.
        """
        if digest not in self.studies:
            raise NotApprovedError(
                f"The study with digest {digest[:16]}… was not approved here.",
                next_step="`securefl site inbox` lists what waits for a decision.",
            )
        return self.studies[digest]

    def declined(self, digest: str) -> bool:
        """True if the owner refused this digest.

        A refusal for lack of budget is not the owner's no.
        """
        return any(r.study == digest and r.reason != BUDGET for r in self.refusals)

    @property
    def declined_studies(self) -> frozenset[str]:
        """All digests that are :meth:`declined`, for whoever asks for many."""
        return frozenset(r.study for r in self.refusals if r.reason != BUDGET)


#: The reason code of a refusal by the filter.
BUDGET = "budget"
