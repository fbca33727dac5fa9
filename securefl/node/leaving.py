"""A contribution on its way out of the house: noted in the ledger, let go; and what only the owner
sees of it.

It is durable (:mod:`securefl.node.durable_contribution`), the ledger has it before it leaves, and
an owner who pauses or withdraws keeps it in. Whoever calls this has waited for the public time
(:mod:`securefl.node.public_times`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from securefl.errors import NotApprovedError, TwoCopiesError
from securefl.federation.round_board import RoundBoard
from securefl.files import replace_file
from securefl.node.instances import NEXT
from securefl.secagg.own_place import manifest_limit, other_contribution

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.boards.slot import Slot
    from securefl.federation.round_plan import RoundPlan
    from securefl.node.durable_contribution import DurableContribution
    from securefl.node.public_times import PublicTimes
    from securefl.node.site import Site

#: What the owner's screen shows of a study's rows and replies; it stays in the study's folder.
COUNTS = "counts.json"


@dataclass
class Leaving:
    """The contributions of one hospital to one study, from the worker's answer to the store.

    Args:
        site: the hospital.
        plan: the study.
        say: writes a line to the owner's own log.

    Attributes:
        counts: what the worker said of the rows, for the owner's own screen.
        late: how many replies missed their first public time.
    """

    site: Site
    plan: RoundPlan
    say: Callable[[str], None]
    counts: dict[str, Any] = field(default_factory=dict)
    late: int = 0
    _table_hash: str = ""
    _noted_hash: str = ""

    def read(self, counts: dict[str, Any] | None, clamped: int) -> None:
        """Keep what the worker says beside its answer.

        Args:
            counts: of the table's rows, and its ``sha256``; None where it was read before.
            clamped: how many values of the update met the study's bound.
        """
        if counts is not None:
            # A table that is prepared anew and is the same needs no second event.
            if counts["sha256"] != self._noted_hash:
                self._table_hash = str(counts["sha256"])
            rows = {name: value for name, value in counts.items() if name != "sha256"}
            self.counts = {**self.counts, **rows}
            self._show_counts()
        if clamped:
            self.counts["clamped"] = self.counts.get("clamped", 0) + clamped
            self.counts["clamped_rounds"] = self.counts.get("clamped_rounds", 0) + 1
        self._keep_counts()

    def leave(self, made: DurableContribution, times: PublicTimes) -> bool:
        """Let a kept contribution go when the ledger has it and the owner has neither paused nor
        withdrawn; whether it left.

        Raises:
            StoreError: the store is away; call again.
            NotApprovedError: the ledger refuses for another reason.
            TwoCopiesError: another contribution of this hospital lies in its place; it stays as it
                is.
        """
        if self._held(made):
            return False
        if (
            not made.noted
        ):  # only now: when the ledger grows is seen by those who hold its checkpoints
            try:
                self._note(made)
            except NotApprovedError:
                if self._held(made):  # paused or withdrawn between the two lines above
                    return False
                raise
            made.noted = True
        place = RoundBoard.of(self.site.board, made.facts).contribution(self.site.name)
        with self.site.deciding():
            if self._held(made):
                return False
            self._post(made, place)
        if times.late > 0 and not made.held:
            self._tell_late(times.late)
        self.say(
            f"round {made.facts.round} of {self.plan.last_round}: one contribution of {made.size}"
            " bytes left the house"
        )
        return True

    def _post(self, made: DurableContribution, place: Slot) -> None:
        """Nothing of its own is written over: another contribution by this hospital's key is
        another process's.
        """
        size = manifest_limit(made.facts)
        with made.file.open("rb") as kept:
            own = kept.read(size)
            kept.seek(0)

            def another(there: bytes) -> bool:
                verify = self.site.identity.card.verify
                return other_contribution(there, own, made.facts, self.site.name, verify)

            if place.post_once(kept, another, size):
                return
        raise TwoCopiesError(
            "Another copy of this hospital runs: another contribution of it lies in the store"
            f" for round {made.facts.round}. It was not written over.",
            next_step=NEXT,
        )

    def _show_counts(self) -> None:
        """For the owner's own screen: the log, and `securefl site status`."""
        counts = self.counts
        self.say(
            f"{counts['kept']} of {counts['rows']} rows used, {counts['training']} to train,"
            f" {counts['held_out']} held out"
        )
        if counts.get("taken_out"):
            self.say(f"not read: {counts['taken_out']} rows of patients whom you took out")
        for reason, rows in sorted(counts["set_aside"].items()):
            self.say(f"set aside: {rows} rows, {reason}")

    def _keep_counts(self) -> None:
        replace_file(
            self.site.study_folder(self.plan.digest) / COUNTS,
            json.dumps({**self.counts, "late": self.late}).encode(),
        )

    def _tell_late(self, behind: float) -> None:
        self.late += 1
        self._keep_counts()
        self.say(
            f"a reply is {behind:.2f} s late: its time says something about this hospital's size;"
            " ask for a longer reply_after"
        )

    def _held(self, made: DurableContribution) -> bool:
        """True while the owner keeps it in the house."""
        state = self.site.ledger.state
        held = state.paused or state.study(self.plan.digest).ended
        made.held |= held
        return held

    def _note(self, made: DurableContribution) -> None:
        """Write into the ledger what leaves, and with the first reply the table that was read: one
        event each, whatever it is.
        """
        if self._table_hash:
            self._note_table()
        release = self.plan.step(made.facts.round).release
        self.site.ledger.sent(
            self.plan.digest,
            round_number=made.facts.round,
            purpose=release.kind,
            mechanism=release.mechanism,
            payload=made.sha256,
        )

    def _note_table(self) -> None:
        """Bring up to date what the ledger knows of the table: the very bytes that the worker read.

        It is one event in every study, also where nothing changed: others count this hospital's
        events by its checkpoints.
        """
        entry = self.site.dataset(self.plan.study.data.dataset)
        snapshot = self.site.keyed_snapshot(self._table_hash)
        known = self.site.ledger.state.dataset(entry.name).snapshot
        self.site.ledger.register_dataset(
            entry.name, population=entry.population, snapshot=snapshot
        )
        if snapshot != known:
            self.say(
                f"the table of '{entry.name}' is not the one that was registered; the ledger has"
                " its new hash"
            )
        self._noted_hash = self._table_hash
        self._table_hash = ""
