"""The hospital's privacy ledger: what was granted, approved, reserved, sent and refused, and nothing more than was left.

Each method appends events in one immediate transaction: it reads what others wrote meanwhile, decides by the rules
of :mod:`~securefl.privacy.ledger_state`, and commits to the disk before it returns. A process killed at any moment
leaves either all events of a call or none. Clock and keys are passed in.

A budget is checked and reserved together with the approval, for the most the study can spend (rule 3). A crash
leaves it charged.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Self

from securefl.errors import LedgerAlteredError, UsageError
from securefl.privacy import ledger_events as ev
from securefl.privacy.accounting import PLD_METHOD, RDP_METHOD
from securefl.privacy.ledger_chain import (
    Checkpoint,
    Head,
    Sign,
    Verify,
    follow_all,
    make_row,
    read_checkpoint,
    signed_message,
)
from securefl.privacy.ledger_file import LedgerFile
from securefl.privacy.ledger_reading import Reading, read_ledger, read_rows
from securefl.privacy.ledger_state import BUDGET, LedgerState, apply
from securefl.privacy.planning import OrderChoice, Quote, over_budget, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from decimal import Decimal
    from pathlib import Path

    from securefl.privacy.charges import Charge, Purpose, Terms
    from securefl.privacy.mechanisms import Mechanism

__all__ = ["Checkpoint", "Ledger", "Reading", "read_checkpoint", "read_ledger"]


class Ledger:
    """An open ledger that can be written to. Use it in one thread and never across a fork.

    Args:
        file: the open file.
        sign: signs a row with the site's Ed25519 key.
        verify: checks such a signature.
        now: the time, UTC in ISO 8601, such as ``2026-01-31T12:00:00Z``.
    """

    def __init__(self, file: LedgerFile, *, sign: Sign, verify: Verify, now: Callable[[], str]) -> None:
        self._file = file
        self._sign = sign
        self._verify = verify
        self._now = now
        self._head = Head()

    @classmethod
    def create(cls, path: Path, *, site: str, key: str, sign: Sign, verify: Verify, now: Callable[[], str]) -> Self:
        """Make a site's ledger with its genesis. ``key`` is the Ed25519 public key in hex.

        Raises:
            UsageError: something exists at ``path``, or the keys do not belong together.
            StoreError: the folder cannot be written.
        """
        genesis = ev.checked_event(ev.Genesis, {"at": now(), "site": site, "key": key})
        if not verify(sign(signed_message("00" * 32)), signed_message("00" * 32)):
            raise UsageError("The ledger's signing and verifying keys do not belong together.", next_step="Use one site's keys.")

        def write(file: LedgerFile) -> None:
            cls(file, sign=sign, verify=verify, now=now)._append(lambda _: [genesis])  # noqa: SLF001 - its own class

        LedgerFile.create(path, write)
        return cls.open(path, sign=sign, verify=verify, now=now)

    @classmethod
    def open(cls, path: Path, *, sign: Sign, verify: Verify, now: Callable[[], str]) -> Self:
        """Open a ledger and check all of it.

        Raises:
            UnreadableError: missing, damaged or of another kind.
            LedgerAlteredError: naming the first bad event.
        """
        ledger = cls(LedgerFile.open(path), sign=sign, verify=verify, now=now)
        try:
            ledger.verify()
        except BaseException:
            ledger.close()
            raise
        return ledger

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Reading

    @property
    def state(self) -> LedgerState:
        """What the ledger says now, events of other processes included.

        Raises:
            LedgerAlteredError: rows known before are gone, or new ones do not hold.
        """
        self._refresh()
        return self._head.state

    @property
    def size(self) -> int:
        """Number of events."""
        self._refresh()
        return self._head.size

    @property
    def head(self) -> str:
        """Hash of the last event."""
        self._refresh()
        return self._head.hash

    def events(self) -> tuple[ev.Event, ...]:
        """All events, each checked again from the file."""
        return read_rows(self._file, self._verify).require().events

    def verify(self, checkpoint: Checkpoint | None = None) -> Checkpoint:
        """Check the whole file again, and that it contains the past that ``checkpoint`` knows.

        Returns:
            What was found, as a checkpoint.

        Raises:
            LedgerAlteredError: naming the first bad event.
        """
        reading = read_rows(self._file, self._verify, checkpoint).require()
        self._head = reading.at
        return Checkpoint(reading.at.state.site, reading.at.size, reading.at.hash)

    def checkpoint(self) -> bytes:
        """A signed checkpoint of now, for others to hold; :func:`read_checkpoint` reads it."""
        self._refresh()
        return Checkpoint(self._head.state.site, self._head.size, self._head.hash).dump(self._sign)

    def quote(self, population: str, charges: Sequence[Charge], attempts: int = 1) -> Quote:
        """What a study would take from the population's budget; nothing is written.

        Raises:
            BudgetError: no budget was granted for this population.
        """
        return _quote(self.state, population, charges, attempts)

    # Writing: the owner

    def grant(
        self, population: str, *, epsilon: Decimal, delta: Decimal, choice: OrderChoice, typical: str,
        charges: Sequence[Charge], attempts: int = 1,
    ) -> None:
        """Add ``epsilon`` to a population's budget.

        Args:
            population: whose patients.
            epsilon: what is added; the total is the sum of all grants.
            delta: the same for every grant of a population.
            choice: from :func:`~securefl.privacy.planning.choose_order`; a later grant keeps the first one's order.
            typical: the name of the study the order was chosen for.
            charges: what that study costs.
            attempts: how often that study may try.

        Raises:
            BudgetError: the budget could not pay for one more such study.
            UsageError: another delta, or figures out of range.
        """

        def events(state: LedgerState) -> list[ev.Event]:
            old = state.budgets.get(population)
            order = old.order if old else choice.order
            price = quote(0, 0, order, charges, attempts)
            fields: dict[str, Any] = {
                "at": self._now(), "population": population, "epsilon": epsilon, "delta": delta, "order": order,
                "typical": typical, "typical_parts": _parts(price),
                "reason": choice.reason if order == choice.order else f"A later grant keeps order {order} of the first one.",
            }
            return [ev.checked_event(ev.Grant, fields)]

        self._append(events)

    def register_dataset(self, name: str, *, population: str, snapshot: str) -> None:
        """Register a data set, or a new snapshot of it. ``snapshot``: SHA-256 (hex) keyed with a secret of the site.

        Raises:
            UsageError: the name belongs to another population.
        """
        self._append_one(ev.Dataset, name=name, population=population, snapshot=snapshot)

    def approve(
        self, *, study: str, study_id: str, researcher: str, statement: str, population: str, dataset: str,
        charges: Sequence[Charge], attempts: int, epsilon: Decimal, delta: Decimal, terms: Terms,
    ) -> Quote:
        """The owner's yes, and the reservation for the most the study can spend: both or neither.

        Args:
            study: the digest.
            study_id: its name for people.
            researcher: who asks.
            statement: SHA-256 (hex) of the signed approval.
            population: whose budget pays.
            dataset: which registered data set is used.
            charges: every kind of release in one attempt.
            attempts: how often the study may try.
            epsilon: the study's own PLD figure at ``delta`` (:func:`~securefl.privacy.planning.study_epsilon`), for display.
            delta: the study's delta.
            terms: what the figures rest on.

        Returns:
            The price, with the budget as it was before.

        Raises:
            BudgetError: more than is left. The refusal is noted in the ledger; the text has the figures.
            NotApprovedError: approved before, or refused by the owner.
            UsageError: unknown data set, or a value that does not fit.
        """
        prices: list[Quote] = []

        def events(state: LedgerState) -> list[ev.Event]:
            snapshot = state.dataset(dataset).snapshot
            price = _quote(state, population, charges, attempts)
            prices.append(price)
            if not price.fits and study not in state.studies and not state.declined(study):
                return [
                    ev.checked_event(ev.Refuse, {
                        "at": self._now(), "study": study, "id": study_id, "researcher": researcher, "dataset": dataset,
                        "reason": BUDGET, "note": "", "asked": price.asked_share, "left": price.left_share,
                    })
                ]
            at = self._now()
            approve = ev.checked_event(ev.Approve, {
                "at": at, "study": study, "id": study_id, "researcher": researcher, "statement": statement, "cost": price.asked,
            })
            reserve = ev.checked_event(ev.Reserve, {
                "at": at, "study": study, "population": population, "dataset": dataset,
                "snapshot": snapshot, "order": price.order, "attempts": attempts,
                "parts": _parts(price), "epsilon": epsilon, "delta": delta,
                "accountants": (RDP_METHOD, PLD_METHOD), "terms": terms,
            })
            return [approve, reserve]

        written = self._append(events)
        if isinstance(written[0], ev.Refuse):
            raise over_budget(prices[-1])
        return prices[-1]

    def refuse(
        self, *, study: str, study_id: str, researcher: str, dataset: str, reason: str = "owner", note: str = ""
    ) -> None:
        """The owner's no to a digest; final. ``reason`` is a code others may see, ``note`` stays here.

        Raises:
            UsageError: the study was approved; withdraw it instead.
        """
        if reason == BUDGET:
            raise UsageError("Only the ledger refuses for lack of budget.", next_step="Give the owner's own reason.")
        self._append_one(
            ev.Refuse, study=study, id=study_id, researcher=researcher, dataset=dataset, reason=reason, note=note, asked=None, left=None
        )

    def withdraw(self, study: str, note: str = "") -> None:
        """Leave a study: from now on nothing of it is sent. What it reserved stays charged if it had started.

        Raises:
            NotApprovedError: not approved here, or ended already.
        """
        self._append_one(ev.Withdraw, study=study, note=note)

    def pause(self, note: str = "") -> None:
        """From now on nothing starts and nothing is sent; pausing twice is one pause."""
        self._append(lambda state: [] if state.paused else [ev.checked_event(ev.Pause, {"at": self._now(), "note": note})])

    def resume(self) -> None:
        """End the pause, if there is one."""
        self._append(lambda state: [ev.checked_event(ev.Resume, {"at": self._now()})] if state.paused else [])

    # Writing: the agent

    def start(self, study: str) -> None:
        """Use the approval up; only after this returns may private data be touched.

        Raises:
            NotApprovedError: not approved, used, ended or paused.
        """
        self._append_one(ev.Start, study=study)

    def sent(self, study: str, *, round_number: int, purpose: Purpose, mechanism: Mechanism, payload: bytes | str) -> bool:
        """Note what is about to leave the house; publish only after this returns.

        Args:
            study: the digest.
            round_number: the study's round.
            purpose: update, evaluation or preparation.
            mechanism: as it was charged, with the count of this release alone (its steps).
            payload: the bytes, or their SHA-256 in hex.

        Returns:
            True if it is new, False if exactly this was noted before (the same bytes may be sent again).

        Raises:
            RoundError: something else was sent for this round (rule 6).
            BudgetError: more releases than were reserved.
            NotApprovedError: not started, ended or paused.
        """
        digest = payload if isinstance(payload, str) else hashlib.sha256(payload).hexdigest()

        def events(state: LedgerState) -> list[ev.Event]:
            event = ev.checked_event(ev.Sent, {
                "at": self._now(), "study": study, "round": round_number, "purpose": purpose, "mechanism": mechanism, "sha256": digest,
            })
            before = state.study(study).sent.get((round_number, purpose))
            same = before is not None and (before.sha256, before.mechanism) == (digest, mechanism)
            # An ended or paused study does not send again either: let the rules speak.
            return [] if same and not state.paused and not state.study(study).ended else [event]

        return bool(self._append(events))

    def settle(self, study: str, status: ev.Ending) -> None:
        """A study's end. Settling it again with the same status changes nothing.

        Raises:
            NotApprovedError: not approved here, or ended otherwise.
        """
        fields: dict[str, object] = {"study": study, "status": status}
        self._append(
            lambda state: []
            if state.study(study).status == status
            else [ev.checked_event(ev.Settle, {"at": self._now(), **fields})]
        )

    # Inside

    def _append_one(self, kind: type[Any], **fields: object) -> None:
        self._append(lambda _: [ev.checked_event(kind, {"at": self._now(), **fields})])

    def _append(self, decide: Callable[[LedgerState], list[ev.Event]]) -> list[ev.Event]:
        with self._file.transaction():
            self._refresh()
            at = self._head
            events = decide(at.state)
            for event in events:
                state = apply(at.state, event)
                row = make_row(at, ev.dump_event(event), self._sign)
                self._file.insert(row)
                at = Head(row.seq, row.hash, state)
        self._head = at
        return events

    def _refresh(self) -> None:
        known = self._head
        if known.size and self._file.hash_at(known.size) != known.hash:
            raise LedgerAlteredError(
                f"Event {known.size} of the ledger: it was there before and is gone or changed.",
                next_step="Stop this hospital's agent, keep the file, and restore the ledger from a backup.",
            )
        self._head = follow_all(self._file.rows(known.size), self._verify, known)


def _parts(price: Quote) -> tuple[ev.Part, ...]:
    return tuple(ev.Part(purpose=c.purpose, mechanism=c.mechanism, cost=cost) for c, cost in price.parts)


def _quote(state: LedgerState, population: str, charges: Sequence[Charge], attempts: int) -> Quote:
    budget = state.budget(population)
    return quote(budget.cap, state.used(population), budget.order, charges, attempts)
