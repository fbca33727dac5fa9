"""One approved study at one hospital, step by step: wait for all approvals, start, answer each round once, settle."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from securefl.errors import MessageError, NotApprovedError, RoundError
from securefl.federation import paths
from securefl.federation.messages import MAX_ANNOUNCEMENT, MAX_SMALL, open_end
from securefl.federation.participant import Participant, RoundInput
from securefl.federation.sealing import sealed_limit
from securefl.identity import replace_file, verify
from securefl.node.launcher import Worker
from securefl.node.policy import charges_of, review
from securefl.secagg.frame import public_key_bytes
from securefl.study.approval import MAX_BYTES, Approval, open_approval

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from securefl.federation.rounds import Plan
    from securefl.node.site import Site
    from securefl.secagg.facts import RoundFacts


@dataclass
class StudyRun:
    """A study between its approval and its end. :meth:`step` never waits for others; the agent calls it again.

    Args:
        site: the hospital.
        plan: the approved study.
        text: its text as it was approved.
        say: writes a line to the owner's own log.
        now: the wall clock, for the schedule.
    """

    site: Site
    plan: Plan
    text: bytes
    say: Callable[[str], None]
    now: Callable[[], datetime]
    worker: Worker | None = None
    participant: Participant | None = None
    counts: dict[str, Any] = field(default_factory=dict)
    late: int = 0
    _heard: float = field(default_factory=time.monotonic)

    @property
    def started(self) -> bool:
        """Whether the approval was used."""
        return self.participant is not None

    def step(self) -> str | None:
        """Do what can be done now; ``completed`` when the study is over, else None.

        Raises:
            SecureFLError: the study cannot go on here; the agent settles it.
        """
        if self.worker is None:
            self._launch()
        if self.participant is None:
            approvals = self._approvals()
            if approvals is None:
                return None
            self._start(approvals)
        return self._rounds()

    def stop(self) -> None:
        """End the worker."""
        if self.worker is not None:
            self.worker.stop()

    # --- before the first round --------------------------------------------------------------------------------------

    def _launch(self) -> None:
        """Start the worker's process early: it imports its libraries while the others decide. It reads no data yet."""
        entry = self.site.dataset(self.plan.study.data.dataset)
        longest = max(self.plan.length(1), self.plan.length(self.plan.last_round))
        self.worker = Worker(self.site.path / entry.path, max_bytes=8 * longest, log=self.site.path / "worker.log")

    def _approvals(self) -> dict[str, Approval] | None:
        """Every hospital's approval, checked with the keys this hospital trusts; None while some are missing."""
        digest, found = self.plan.digest, {}
        cards = {**self.site.book.cards(), self.site.name: self.site.identity.card}
        for site in self.plan.study.cohort:
            data = self.site.store.get(paths.approval(digest, site), MAX_BYTES)
            if data is None:
                return None
            if site not in cards:
                raise NotApprovedError(f"{site} is no longer in this hospital's list.", whose=site, next_step="Trust its card again, or withdraw.")
            found[site] = open_approval(data, site=site, study=digest, verify=cards[site].verify)
        return found

    def _start(self, approvals: dict[str, Approval]) -> None:
        """Use the approval up, then touch the data. The request is reviewed once more: lists and software may have changed."""
        again = review(self.site, self.text, self.now())
        faults = [f for f in again.faults if f.code != "budget"]  # its budget is reserved already
        if again.digest != self.plan.digest or faults:
            raise faults[0] if faults else NotApprovedError("The study's text changed after it was approved.")
        if self.worker is None:
            raise RoundError("The worker is not running.", whose="this hospital")
        self.site.ledger.start(self.plan.digest)
        key = self.site.study_key(self.plan.digest)
        population = self.plan.study.data.population
        self.counts = self.worker.prepare(self.text, self.site.name, self.site.split_secret(population))
        self.say(f"{self.counts['kept']} of {self.counts['rows']} rows used, {self.counts['training']} to train, {self.counts['held_out']} held out")
        for reason, rows in sorted(self.counts["set_aside"].items()):
            self.say(f"set aside: {rows} rows, {reason}")
        from securefl.secagg.seal import CkksIntegers

        self.participant = Participant(
            plan=self.plan, identity=self.site.identity, study_key=key, approvals=approvals,
            trainer=self._train, keeper=self._keep, cipher=CkksIntegers(),
        )
        self._heard = time.monotonic()

    # --- rounds ------------------------------------------------------------------------------------------------------

    def _rounds(self) -> str | None:
        if self.participant is None:
            return None
        store, plan = self.site.store, self.plan
        over = self._ended()
        if over:
            return over
        number = self.participant.done + 1
        if number > plan.last_round:
            return "completed" if self._waited() else None
        at = paths.RoundPaths(plan.digest, number, 1)
        announcement = store.get(at.announcement, MAX_ANNOUNCEMENT)
        if announcement is None:
            if self._waited():
                raise RoundError(f"Round {number} was not announced in time.", whose="the coordinator", next_step="Ask the researcher; the study ends here.")
            return None
        seen = time.monotonic()
        key = store.get(at.key, public_key_bytes())
        model = store.get(at.model, sealed_limit(plan.parameters, len(plan.study.participants)))
        if key is None or model is None:
            raise MessageError(f"Round {number} was announced without its key or model.", whose="the coordinator or the store's operator")
        frame = self.participant.answer(RoundInput(announcement, key, model))
        self._leave_at(seen + float(plan.study.schedule.reply_after))
        store.put(at.contribution(self.site.name), frame)
        self._heard = time.monotonic()
        self.say(f"round {number} of {plan.last_round}: one contribution of {len(frame)} bytes left the house")
        return None

    def _ended(self) -> str | None:
        study = self.plan.study
        data = self.site.store.get(paths.ending(self.plan.digest), MAX_SMALL)
        if data is None:
            return None
        end = open_end(data, study=self.plan.digest, verify=lambda s, m: verify(study.coordinator.signing_public, s, m))
        if end.outcome == "completed" and self.participant and self.participant.done == self.plan.last_round:
            return "completed"
        raise RoundError(f"The coordinator ended the study: {end.outcome}.", whose="the coordinator", next_step="Ask the researcher for the reason.")

    def _waited(self) -> bool:
        """Whether the coordinator has been silent for two round deadlines."""
        return time.monotonic() - self._heard > 2 * self.plan.study.schedule.round_deadline

    def _leave_at(self, moment: float) -> None:
        """Replies leave at a public time: how long training took would tell how many rows there are (rule 1)."""
        left = moment - time.monotonic()
        if left > 0:
            time.sleep(left)
        else:
            self.late += 1
            self.say(f"a reply was {-left:.2f} s late: its time says something about this hospital's size; ask for a longer reply_after")

    def _train(self, kind: str, model: bytes, length: int, largest: int) -> NDArray[np.int64]:
        if self.worker is None:
            raise RoundError("The worker is not running.", whose="this hospital")
        return self.worker.release(kind, model, length, largest, float(self.plan.study.schedule.round_deadline))

    def _keep(self, facts: RoundFacts, frame: bytes) -> None:
        """Durable first, then in the ledger, and only then out of the house."""
        update, evaluation = charges_of(self.plan.study)
        release = update.mechanism.with_count(self.plan.study.training.local_steps) if facts.kind == "update" else evaluation.mechanism
        file = self.site.study_folder(self.plan.digest) / "contributions" / f"{facts.round:05d}"
        if file.exists():
            raise RoundError(f"A contribution to round {facts.round} was made before.", whose="this hospital", next_step="The study ends here; its budget stays charged.")
        replace_file(file, frame)
        self.site.ledger.sent(
            self.plan.digest, round_number=facts.round, purpose="update" if facts.kind == "update" else "evaluation",
            mechanism=release, payload=hashlib.sha256(frame).hexdigest(),
        )
