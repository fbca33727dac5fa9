"""Privacy ledger of a hospital: what was granted, approved, reserved, sent and refused.

Nothing is reserved beyond what is left. Each method appends events in one immediate transaction: it
reads what others wrote meanwhile, decides by the rules of
:mod:`~securefl.privacy.ledger_state`, and commits to the disk before it returns. A process killed
at any moment leaves either all events of a call or none. Clock and keys are passed in.

A budget is checked and reserved together with the approval, for the most the study can spend (rule
3). A crash leaves it charged.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from securefl.errors import UsageError
from securefl.identity import verify as verify_key
from securefl.privacy import ledger_events as ev
from securefl.privacy.accounting import RDP_METHOD, epsilon_method
from securefl.privacy.ledger_chain import Checkpoint, read_checkpoint, rotation_message
from securefl.privacy.ledger_own_files import OwnFilesLog
from securefl.privacy.ledger_reading import Reading, read_ledger
from securefl.privacy.ledger_state import BUDGET, Budget, LedgerState
from securefl.privacy.planning import OrderChoice, Quote, over_budget, quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.privacy.charges import Charge, ChargeTerms, Purpose
    from securefl.privacy.mechanisms import Mechanism
    from securefl.types import Sign, Verify

__all__ = ["Checkpoint", "Ledger", "Reading", "read_checkpoint", "read_ledger"]


class Ledger(OwnFilesLog):
    """A hospital's open ledger, with everything that its owner and its agent may note.

    See :class:`OwnFilesLog`.
    """

    def quote(
        self,
        population: str,
        charges: Sequence[Charge],
        attempts: int = 1,
    ) -> Quote:
        """Price a study against the population's budget; nothing is written.

        Raises:
            BudgetError: no budget was granted for this population.
        """
        return _quote(self.state, population, charges, attempts)

    # Writing: the owner

    def grant(
        self,
        population: str,
        *,
        epsilon: Decimal,
        delta: Decimal,
        choice: OrderChoice,
        typical: str,
        charges: Sequence[Charge],
        attempts: int = 1,
    ) -> None:
        """Add ``epsilon`` to a population's budget.

        Args:
            population: whose patients.
            epsilon: what is added; the total is the sum of all grants.
            delta: the same for every grant of a population.
            choice: from :func:`~securefl.privacy.planning.choose_order`; a later grant keeps the
                first one's order.
            typical: the name of the study the order was chosen for.
            charges: what that study costs.
            attempts: how often that study may try.

        Raises:
            BudgetError: the budget could not pay for one more such study.
            UsageError: another delta, or figures out of range.
        """

        def events(state: LedgerState) -> list[ev.Event]:
            old = state.budgets.get(population)
            # Costs at two orders cannot be added, so the first grant's order stays.
            order = old.order if old else choice.order
            # The rules price the grant against the budget; here only the parts are wanted.
            price = quote(0, 0, order, charges, attempts)
            reason = choice.reason
            if order != choice.order:
                reason = f"A later grant keeps order {order} of the first one."
            fields: dict[str, Any] = {
                "at": self._now(),
                "population": population,
                "epsilon": epsilon,
                "delta": delta,
                "order": order,
                "typical": typical,
                "typical_parts": _parts(price),
                "reason": reason,
            }
            return [ev.checked_event(ev.Grant, fields)]

        self._append(events)

    def register_dataset(
        self,
        name: str,
        *,
        population: str,
        snapshot: str,
    ) -> None:
        """Register a data set, or a new snapshot of it.

        Args:
            name: of the data set.
            population: whose patients it holds.
            snapshot: SHA-256 (hex) keyed with a secret of the site.

        Raises:
            UsageError: the name belongs to another population.
        """
        self._append_one(
            ev.Dataset,
            name=name,
            population=population,
            snapshot=snapshot,
        )

    def approve(
        self,
        *,
        study: str,
        study_id: str,
        researcher: str,
        statement: str,
        population: str,
        dataset: str,
        charges: Sequence[Charge],
        attempts: int,
        epsilon: Decimal,
        delta: Decimal,
        terms: ChargeTerms,
        rule: str | None = None,
    ) -> Quote:
        """Note the owner's yes and reserve the most that the study can spend: both or neither.

        Args:
            study: the digest.
            study_id: its name for people.
            researcher: who asks.
            statement: SHA-256 (hex) of the signed approval.
            population: whose budget pays.
            dataset: which registered data set is used.
            charges: every kind of release in one attempt.
            attempts: how often the study may try.
            epsilon: the study's own PLD figure at ``delta``
                (:func:`~securefl.privacy.planning.study_epsilon`), for display.
            delta: the study's delta.
            terms: what the figures rest on.
            rule: of the owner's policy that says this yes, noted before by :meth:`delegate`; None
                where the owner says it.

        Returns:
            The price, with the budget as it was before.

        Raises:
            BudgetError: more than is left. The refusal is noted in the ledger; the text has the
                figures.
            NotApprovedError: approved before, or refused by the owner; or the rule's yes was not
                noted, or its policy is not in force any more.
            UsageError: unknown data set, or a value that does not fit.
        """
        prices: list[Quote] = []
        budgets: list[Budget] = []
        named: dict[str, object] = {"study": study, "id": study_id, "researcher": researcher}

        def events(state: LedgerState) -> list[ev.Event]:
            snapshot = state.dataset(dataset).snapshot
            budget = state.budget(population)
            used = state.used(population)
            price = quote(budget.cap, used, budget.order, charges, attempts)
            prices.append(price)
            budgets.append(budget)
            # A digest decided on before is left to the rules: its fault is not the budget.
            undecided = study not in state.studies and not state.declined(study)
            if undecided and (budget.revoked or not price.fits):
                refused = self._over_budget(budget, price, {**named, "dataset": dataset})
                return [refused]
            at = self._now()
            yes = {
                **named,
                "at": at,
                "statement": statement,
                "cost": price.asked,
                "rule": rule,
            }
            reserved = {
                "at": at,
                "study": study,
                "population": population,
                "dataset": dataset,
                "snapshot": snapshot,
                "order": price.order,
                "attempts": attempts,
                "parts": _parts(price),
                "epsilon": epsilon,
                "delta": delta,
                "accountants": (RDP_METHOD, epsilon_method(delta)),
                "terms": terms,
            }
            return [ev.checked_event(ev.Approve, yes), ev.checked_event(ev.Reserve, reserved)]

        first = self._append(events)[0]
        # The refusal is committed first: an error that left the transaction would roll it back.
        if not isinstance(first, ev.Refuse):
            return prices[-1]
        if budgets[-1].revoked:
            raise budgets[-1].taken_back()
        raise over_budget(prices[-1])

    def _over_budget(
        self,
        budget: Budget,
        price: Quote,
        named: Mapping[str, object],
    ) -> ev.Event:
        """Event of a refusal for lack of budget, or because it was taken back."""
        note = ""
        left = price.left_share
        if budget.revoked:
            note = "the budget was taken back"
            left = Decimal(0)
        figures = {"reason": BUDGET, "note": note, "asked": price.asked_share, "left": left}
        return ev.checked_event(ev.Refuse, {"at": self._now(), **named, **figures})

    def refuse(
        self,
        *,
        study: str,
        study_id: str,
        researcher: str,
        dataset: str,
        reason: str = "owner",
        note: str = "",
    ) -> None:
        """Note the owner's no to a digest; final.

        ``reason`` is a code that others may see, ``note`` stays here.

        Raises:
            UsageError: the study was approved; withdraw it instead.
        """
        if reason == BUDGET:
            raise UsageError(
                "Only the ledger refuses for lack of budget.",
                next_step="Give the owner's own reason.",
            )
        self._append_one(
            ev.Refuse,
            study=study,
            id=study_id,
            researcher=researcher,
            dataset=dataset,
            reason=reason,
            note=note,
            asked=None,
            left=None,
        )

    def withdraw(self, study: str, note: str = "") -> None:
        """Leave a study: from now on nothing of it is sent.

        It stays charged with what it reserved, if it had started.

        Raises:
            NotApprovedError: not approved here, or ended already.
        """
        self._append_one(ev.Withdraw, study=study, note=note)

    def revoke(self, population: str, note: str = "") -> None:
        """Take back the rest of a population's budget until another grant.

        Nothing more is reserved from it. What was reserved stays reserved: withdraw from a study to
        end it.

        Raises:
            BudgetError: there is no budget, or it was taken back before.
        """
        self._append_one(ev.Revoke, population=population, note=note)

    def rotate(
        self,
        key: str,
        *,
        sign: Sign,
        verify: Verify,
    ) -> None:
        """Let a new key sign from now on.

        The old one signs this last event, and the new one that it takes over.

        Args:
            key: the new Ed25519 public key in hex.
            sign: signs with it.
            verify: checks its signatures.

        Raises:
            UsageError: the key signed here before, or ``sign`` is not by that key.
        """

        def events(_: LedgerState) -> list[ev.Event]:
            # Within the transaction nothing comes between this head and the rotation.
            message = rotation_message(self._head, key)
            proof = sign(message)
            if not (verify_key(key, proof, message) and verify(proof, message)):
                raise UsageError(
                    "The new signing and verifying keys do not belong together.",
                    next_step="Use one key pair.",
                )
            return [
                ev.checked_event(ev.Rotate, {"at": self._now(), "key": key, "proof": proof.hex()})
            ]

        self._append(events, testify=False)
        self._sign = sign
        self._verify = verify
        # By the new key: what the old one signs about its own last row does not count.
        self._testify()

    def pause(self, note: str = "") -> None:
        """Let nothing start and nothing be sent from now on; pausing twice is one pause."""

        def events(state: LedgerState) -> list[ev.Event]:
            if state.paused:
                return []
            return [ev.checked_event(ev.Pause, {"at": self._now(), "note": note})]

        self._append(events)

    def resume(self) -> None:
        """End the pause, if there is one."""

        def events(state: LedgerState) -> list[ev.Event]:
            if not state.paused:
                return []
            return [ev.checked_event(ev.Resume, {"at": self._now()})]

        self._append(events)

    def personalize(self, study: str, *, snapshot: str) -> None:
        """Note that a personal model is made at home of a study's model; only after this returns
        may the table be read for it.

        Args:
            study: the digest.
            snapshot: keyed hash (hex) of the table that will be read.

        Raises:
            NotApprovedError: this hospital never approved that digest.
            UsageError: the study was not completed here.
        """
        self._append_one(ev.Personalize, study=study, snapshot=snapshot)

    def endorse(self, study: str, *, person: str, statement: str) -> None:
        """Note a person's yes to a study, by the SHA-256 (hex) of the word that they signed.

        Raises:
            NotApprovedError: the study was decided before, or this was noted before.
        """
        self._append_one(ev.Endorse, study=study, person=person, statement=statement)

    def exclude(self, population: str, *, patients: str) -> None:
        """Note that patients are out of a population: studies read their rows no more.

        Args:
            population: whose budget they belong to.
            patients: keyed hash (hex) of the list of all who are out.

        Raises:
            UsageError: no data set was registered for that population.
        """
        self._append_one(ev.Exclude, population=population, list=patients)

    def agree(
        self,
        *,
        agreement: str,
        consortium: str,
        version: int,
        supersedes: str | None,
        populations: tuple[str, ...],
    ) -> None:
        """Note that an agreement comes into force: its populations are bound from now on.

        Args:
            agreement: its digest.
            consortium: its id.
            version: from 1.
            supersedes: digest of the version before; None for the first.
            populations: that it names.

        Raises:
            UsageError: it was in force before, or is no later version.
            NotApprovedError: another agreement binds one of the populations.
        """
        self._append_one(
            ev.Agree,
            agreement=agreement,
            consortium=consortium,
            version=version,
            supersedes=supersedes,
            populations=populations,
        )

    def depart(self, agreement: str, *, party: str, effective: str) -> None:
        """Note a party's notice of leaving an agreement.

        Args:
            agreement: its digest.
            party: who leaves.
            effective: UTC in ISO 8601, from when on it takes part in nothing.

        Raises:
            UsageError: the agreement is not in force here, or the party gave its notice before.
        """
        self._append_one(ev.Depart, agreement=agreement, party=party, effective=effective)

    # Writing: the agent

    def start(self, study: str, walls: tuple[str, ...] | None = None) -> None:
        """Use the approval up; only after this returns may private data be touched.

        Args:
            study: the digest.
            walls: names of those that hold round the worker.

        Raises:
            NotApprovedError: not approved, used, ended or paused.
        """
        self._append_one(ev.Start, study=study, walls=walls)

    def sent(
        self,
        study: str,
        *,
        round_number: int,
        purpose: Purpose,
        mechanism: Mechanism,
        payload: bytes | str,
    ) -> bool:
        """Note what is about to leave the house; publish only after this returns.

        Args:
            study: the digest.
            round_number: the study's round.
            purpose: kind of the release.
            mechanism: as it was charged, with the count of this release alone (its steps).
            payload: the bytes, or their SHA-256 in hex.

        Returns:
            True if it is new, False if exactly this was noted before (the same bytes may be sent
            again).

        Raises:
            RoundError: something else was sent for this round (rule 6).
            BudgetError: more releases than were reserved.
            NotApprovedError: not started, ended or paused.
        """
        digest = _sha256(payload)

        def events(state: LedgerState) -> list[ev.Event]:
            event = ev.checked_event(
                ev.Sent,
                {
                    "at": self._now(),
                    "study": study,
                    "round": round_number,
                    "purpose": purpose,
                    "mechanism": mechanism,
                    "sha256": digest,
                },
            )
            before = state.study(study).sent.get((round_number, purpose))
            same = before is not None and (before.sha256, before.mechanism) == (digest, mechanism)
            # An ended or paused study does not send again either: let the rules speak.
            if same and not state.paused and not state.study(study).ended:
                return []
            return [event]

        return bool(self._append(events))

    def answer(
        self,
        study: str,
        *,
        round_number: int,
        payload: bytes | str,
    ) -> bool:
        """Note this hospital's unmasking answer to a round (rule 4).

        Give it only after this returns.

        Returns:
            True if it is new, False if exactly this one was noted before (it may be given again).

        Raises:
            RoundError: another answer was noted for this round, in whatever attempt.
            NotApprovedError: not started, ended or paused.
        """
        digest = _sha256(payload)

        def events(state: LedgerState) -> list[ev.Event]:
            before = state.study(study).answers.get(round_number)
            same = before is not None and before.sha256 == digest
            event = ev.checked_event(
                ev.Answer,
                {"at": self._now(), "study": study, "round": round_number, "sha256": digest},
            )
            # As for a contribution: a paused or ended study is for the rules to refuse.
            if same and not state.paused and not state.study(study).ended:
                return []
            return [event]

        return bool(self._append(events))

    def witness(self, checkpoint: Checkpoint) -> bool:
        """Note the checkpoint of another hospital's ledger; False if that one was noted before.

        Raises:
            UntrustedError: it contradicts an earlier one: that hospital's ledger was cut, restored
                or rewritten.
        """

        def events(state: LedgerState) -> list[ev.Event]:
            old = state.witnessed.get(checkpoint.site)
            if old is not None and (old.size, old.head) == (checkpoint.size, checkpoint.head):
                return []
            return [
                ev.checked_event(
                    ev.Witness,
                    {
                        "at": self._now(),
                        "site": checkpoint.site,
                        "size": checkpoint.size,
                        "head": checkpoint.head,
                    },
                )
            ]

        return bool(self._append(events))

    def settle(self, study: str, status: ev.Ending) -> None:
        """Note a study's end; settling it again with the same status changes nothing.

        Raises:
            NotApprovedError: not approved here, or ended otherwise.
        """

        def events(state: LedgerState) -> list[ev.Event]:
            if state.study(study).status == status:
                return []
            fields: dict[str, object] = {"at": self._now(), "study": study, "status": status}
            return [ev.checked_event(ev.Settle, fields)]

        self._append(events)


def _sha256(payload: bytes | str) -> str:
    """Hash a payload, unless its hash in hex was given."""
    if isinstance(payload, str):
        return payload
    return hashlib.sha256(payload).hexdigest()


def _parts(price: Quote) -> tuple[ev.Part, ...]:
    """Write each charge with its cost, as an event holds it."""
    return tuple(
        ev.Part(purpose=c.purpose, mechanism=c.mechanism, cost=cost) for c, cost in price.parts
    )


def _quote(
    state: LedgerState,
    population: str,
    charges: Sequence[Charge],
    attempts: int,
) -> Quote:
    """Price charges against a budget that can be charged to."""
    budget = state.open_budget(population)
    return quote(budget.cap, state.used(population), budget.order, charges, attempts)
