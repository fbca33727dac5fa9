"""The coordinator: announces rounds, opens each sum once, takes the server step.

It never holds anything but sums. What it does in a round is durable before it is done
(:mod:`securefl.federation.run_memory`), so that a run that was killed goes on.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from securefl.errors import RoundError
from securefl.federation.checked_round import AnnouncedRound, Broadcast, announcement_of
from securefl.federation.messages import Call
from securefl.federation.round_plan import card_of
from securefl.federation.round_record import RoundRecord
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.run_memory import FinishedRound, KeptRound
from securefl.federation.sealing import seal_model
from securefl.federation.shown_opening import readers_of, show_opening
from securefl.federation.study_progress import StudyProgress
from securefl.federation.transcript import Transcript, transcript_sha256
from securefl.learning.models import weights_sha256, weights_to_bytes
from securefl.learning.stages.stage import newest_model
from securefl.secagg.frame import write_public_key
from securefl.secagg.round_context import ATTEMPT
from securefl.secagg.stored_keys import StoredKeys
from securefl.secagg.total_check import RoundSecret, total_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from securefl.federation.exchange import Exchange
    from securefl.federation.opened_sum import OpenedSum
    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.run_memory import RunMemory
    from securefl.identity import Identity
    from securefl.learning.stages.stage import Result
    from securefl.secagg.cipher import RoundKeys, SumCipher
    from securefl.secagg.group_draw import Groups
    from securefl.secagg.round_context import RoundContext


@dataclass(frozen=True)
class Outcome:
    """A completed study.

    Attributes:
        results: one a stage, in order.
        records: one a round.
        transcripts: the signed transcript of each round, in order.
    """

    results: tuple[Result, ...]
    records: tuple[RoundRecord, ...]
    transcripts: tuple[bytes, ...] = ()

    @property
    def theta(self) -> NDArray[np.float64]:
        """float64[p], the model that stands at the end.

        Raises:
            LookupError: the study makes none.
        """
        return newest_model(self.results)

    def __repr__(self) -> str:
        size = sum(result.model.size for result in self.results if result.model is not None)
        return f"Outcome({len(self.records)} rounds, {size} parameters)"


def _at_once() -> None:
    pass


class Watcher(Protocol):
    """Told of every opened sum."""

    def __call__(self, record: RoundRecord) -> None:
        """``record`` was just completed."""


@dataclass
class _Done:
    """Rounds of a run that are over."""

    progress: StudyProgress
    records: list[RoundRecord] = field(default_factory=list)
    transcripts: list[bytes] = field(default_factory=list)

    @property
    def last_transcript(self) -> bytes:
        """The newest one, signed; empty before the first."""
        if not self.transcripts:
            return b""
        return self.transcripts[-1]

    def absorb(self, finished: FinishedRound) -> None:
        """Go on with a round's total.

        Raises:
            RoundError: a stage ends the study by it.
        """
        self.progress.absorb(finished.total, len(finished.record.contributions))


class Coordinator:
    """Runs the rounds of one study over an exchange.

    Args:
        plan: the study.
        identity: the coordinator's keys.
        exchange: the door to the others.
        cipher: the home of the encryption.
        memory: what is durable of the run. One that was killed goes on from there: rounds that are
            over are gone over again without a word to the others, and the round that was going on
            is posted with the same bytes.
        pace: waits until the next round may begin.
    """

    def __init__(
        self,
        plan: RoundPlan,
        identity: Identity,
        exchange: Exchange,
        cipher: SumCipher,
        memory: RunMemory,
        *,
        pace: Callable[[], None] = _at_once,
    ) -> None:
        self._plan = plan
        self._me = identity
        self._exchange = exchange
        self._cipher = cipher
        self._memory = memory
        self._pace = pace
        self._rounds = round_strategy_of(plan)
        #: Who is in the next round.
        self._cohort = plan.study.cohort
        #: Hospital → nonce of the run of its agent that said that it is ready; empty before. Whoever
        #: was lost comes back as the same run.
        self._instances: Mapping[str, str] = {}

    def assemble(self, seconds: float) -> None:
        """Call every hospital, and wait until all are ready.

        Nobody is charged before the first announcement.

        Args:
            seconds: how long they are waited for.

        Raises:
            EndedError: one ended its part.
            RoundError: one did not answer in time.
        """
        call = Call(self._plan.digest, secrets.token_hex(32))
        self._instances = self._exchange.assemble(
            call,
            call.dump(self._me.sign),
            seconds,
        )

    def run(self, watch: Watcher | None = None) -> Outcome:
        """All rounds of all stages; after :meth:`assemble`, which is done here where it was not.

        Rounds that were over before this process began are told to ``watch`` once more.

        Raises:
            RoundError: a round could not be completed, or a stage ends the study.
            MessageError: the aggregator's sum or a contribution was refused.
            UnreadableError: what the memory holds was altered or damaged.
        """
        study = self._plan.study
        self._cohort = study.cohort
        done = _Done(StudyProgress(self._plan))
        last = None
        for finished in self._memory.finished():
            if last is not None:
                done.absorb(last[0])
            last = finished, self._take(finished, done)
            self._exchange.leave(finished.record.round, done.last_transcript)
            if watch:
                watch(finished.record)
        if last is not None:
            self._tell(*last, done.last_transcript)
            done.absorb(last[0])
        if not self._instances and not done.records and self._memory.begun(1) is None:
            self.assemble(2.0 * study.schedule.round_deadline)
        while len(done.records) < self._plan.last_round:
            finished = self._round(len(done.records) + 1, done.progress.broadcast())
            context = self._take(finished, done)
            self._tell(finished, context, done.last_transcript)
            if watch:
                watch(finished.record)
            done.absorb(finished)  # a stage may end the study here: the round is told all the same
        return Outcome(
            tuple(done.progress.results),
            tuple(done.records),
            tuple(done.transcripts),
        )

    def _take(self, finished: FinishedRound, done: _Done) -> RoundContext:
        """Note a round whose total is durable; return its facts."""
        record = finished.record
        context = AnnouncedRound.open(self._plan, finished.announcement).checked_context()
        transcript = self._transcript(record, context.cohort, done.last_transcript)
        done.transcripts.append(transcript)
        done.records.append(record)
        announced = dict(zip(context.cohort, context.instances, strict=True))
        self._instances = {**self._instances, **announced}
        return context

    def _tell(
        self,
        finished: FinishedRound,
        context: RoundContext,
        transcript: bytes,
    ) -> None:
        """Show the participants how the sum was opened, and see who is left."""
        if finished.opening:
            self._exchange.show(context.round, finished.opening)
        self._exchange.leave(context.round, transcript)
        self._cohort = self._rounds.next_cohort(
            context,
            finished.record.contributions,
            self._exchange,
        )

    def _round(self, number: int, theta: NDArray[np.float64]) -> FinishedRound:
        """One round, up to its durable total."""
        begun = self._memory.begun(number)
        if begun is None:
            self._pace()
            keys = self._cipher.generate(self._plan.ring(number, len(self._cohort)))
            context, given = self._announce(number, theta, keys)
            begun = KeptRound(given, keys.secret())
            self._memory.begin(number, given, begun.secret)
        else:
            context, keys = self._reopened(begun, theta)
        try:
            self._exchange.broadcast(context, begun.given)
            opened = self._rounds.open(
                self._exchange,
                context,
                keys,
                self._me.sign,
                self._memory.opening(number),
            )
            finished = FinishedRound(
                begun.given.announcement,
                self._record(context, opened),
                opened.values,
                # Only now: a key whose sum did not open is shown to nobody.
                self._opening(context, begun.secret, opened),
            )
            self._memory.finish(finished)
        finally:
            keys.erase()
            begun.secret.erase()
        return finished

    def _reopened(
        self,
        begun: KeptRound,
        theta: NDArray[np.float64],
    ) -> tuple[RoundContext, RoundKeys]:
        """Facts and keys of a round that may have been announced before this process began.

        Raises:
            MessageError: what was kept is no round of this study.
            RoundError: it does not start from what the totals before it make.
        """
        announced = AnnouncedRound.open(self._plan, begun.given.announcement)
        context = announced.checked_context()
        public = announced.with_payload(begun.given.key, begun.given.model).public
        if context.model_sha256 != weights_sha256(theta):
            raise RoundError(
                f"Round {context.round} was announced, and it does not start from what the totals"
                " in this folder make.",
                whose="whoever changed the study's folder",
                next_step="The study ends here, what was charged stays charged.",
            )
        secret = RoundSecret(begun.secret.values.copy())
        return context, StoredKeys(public, secret)

    def _record(self, context: RoundContext, opened: OpenedSum) -> RoundRecord:
        return RoundRecord(
            context.round,
            context.kind,
            self._rounds.round_digest(context),
            context.model_sha256,
            dict(opened.contributions),
            opened.sum_sha256,
            opened.frame_bytes,
        )

    def _opening(
        self,
        facts: RoundContext,
        secret: RoundSecret,
        opened: OpenedSum,
    ) -> bytes:
        """Seal how the sum was opened to the participants; empty where it is shown to nobody."""
        names = readers_of(
            self._plan,
            facts.round,
            opened.contributions,
        )
        if not names:
            return b""
        runs = {
            **self._instances,
            **dict(zip(facts.cohort, facts.instances, strict=True)),
        }
        return show_opening(
            self._plan,
            facts.round,
            self._rounds.round_digest(facts),
            secret=secret,
            total_sha256=total_sha256(opened.values),
            readers={site: runs[site] for site in names if site in runs},
            sign=self._me.sign,
        )

    def _transcript(
        self,
        record: RoundRecord,
        cohort: tuple[str, ...],
        before: bytes,
    ) -> bytes:
        return Transcript(
            study=self._plan.digest,
            round=record.round,
            attempt=ATTEMPT,
            kind=record.kind,
            cohort=cohort,
            contributions=record.contributions,
            round_digest=record.round_digest,
            model_sha256=record.model_sha256,
            sum_sha256=record.sum_sha256,
            previous=transcript_sha256(before) if before else "",
        ).dump(self._me.sign)

    def _announce(
        self,
        number: int,
        theta: NDArray[np.float64],
        keys: RoundKeys,
    ) -> tuple[RoundContext, Broadcast]:
        plan = self._plan
        model = weights_to_bytes(theta)
        sealed = seal_model(
            model,
            [card_of(p) for p in plan.study.participants if p.name in self._cohort],
            plan.context(number),
        )
        model_sha256 = hashlib.sha256(model).hexdigest()
        facts = plan.facts(
            number,
            keys.public.sha256,
            model_sha256,
            self._cohort,
            instances=self._instances,
            groups=self._groups(number),
        )
        announcement = announcement_of(
            plan,
            facts,
            parameters=len(theta),
            sealed_sha256=hashlib.sha256(sealed).hexdigest(),
            round_digest=self._rounds.round_digest(facts),
        )
        key = write_public_key(
            keys.public,
            study=plan.digest,
            round_number=number,
            attempt=ATTEMPT,
            kind=facts.kind,
            sender=plan.study.coordinator.name,
            sign=self._me.sign,
        )
        return facts, Broadcast(
            announcement.dump(self._me.sign),
            key,
            sealed,
        )

    def _groups(self, number: int) -> Groups:
        """The groups that the hospitals' lot draws for a round; none where all make one sum."""
        return self._rounds.groups(number, self._exchange.lot)
