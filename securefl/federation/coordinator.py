"""The coordinator: announces rounds, opens each sum once, takes the server step.

It never holds anything but sums.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from securefl.federation.checked_round import Broadcast
from securefl.federation.messages import Announcement, Call
from securefl.federation.round_plan import card_of
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.sealing import seal_model
from securefl.federation.shown_opening import readers_of, show_opening
from securefl.federation.study_progress import StudyProgress
from securefl.federation.transcript import Transcript, transcript_sha256
from securefl.learning.models import weights_to_bytes
from securefl.learning.stages.stage import newest_model
from securefl.secagg.frame import write_public_key
from securefl.secagg.round_context import ATTEMPT
from securefl.secagg.total_check import total_sha256
from securefl.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from securefl.federation.exchange import Exchange
    from securefl.federation.opened_sum import OpenedSum
    from securefl.federation.round_plan import RoundPlan
    from securefl.identity import Identity
    from securefl.learning.stages.stage import Result
    from securefl.secagg.cipher import RoundKeys, SumCipher
    from securefl.secagg.round_context import RoundContext
    from securefl.secagg.total_check import RoundSecret


@dataclass(frozen=True, repr=False)
class RoundRecord(Shown):
    """Coordinator's record of a round: hashes and sizes, no contribution and no key."""

    round: int
    kind: str
    round_digest: str
    model_sha256: str
    contributions: dict[str, str]
    sum_sha256: str
    upload_bytes: int

    def _shown(self) -> list[tuple[str, str]]:
        return [
            ("round", f"round {self.round}"),
            ("kind", self.kind),
            ("hospitals", f"{len(self.contributions)}"),
            ("upload", f"{self.upload_bytes:,} bytes"),
        ]


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


class Watcher(Protocol):
    """Told of every opened sum."""

    def __call__(self, record: RoundRecord) -> None:
        """``record`` was just completed."""


class Coordinator:
    """Runs the rounds of one study over an exchange."""

    def __init__(
        self,
        plan: RoundPlan,
        identity: Identity,
        exchange: Exchange,
        cipher: SumCipher,
    ) -> None:
        self._plan, self._me, self._exchange, self._cipher = plan, identity, exchange, cipher
        self._rounds = round_strategy_of(plan)
        #: Who is still in the study; nobody comes back.
        self._cohort = plan.study.cohort
        #: Hospital → nonce of the run of its agent that said that it is ready; empty before.
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

        Raises:
            RoundError: a round could not be completed, or a stage ends the study.
            MessageError: the aggregator's sum or a contribution was refused.
        """
        study = self._plan.study
        if not self._instances:
            self.assemble(2.0 * study.schedule.round_deadline)
        self._cohort = study.cohort
        records: list[RoundRecord] = []
        transcripts: list[bytes] = []
        progress = StudyProgress(self._plan)
        for number in range(1, self._plan.last_round + 1):
            cohort = self._cohort
            total, record = self._round(number, progress.broadcast())
            transcripts.append(
                self._transcript(
                    record,
                    cohort,
                    transcripts[-1] if transcripts else b"",
                )
            )
            self._exchange.leave(number, transcripts[-1])
            records.append(record)
            if watch:
                watch(record)
            progress.absorb(total, len(record.contributions))
            del total
        return Outcome(
            tuple(progress.results),
            tuple(records),
            tuple(transcripts),
        )

    def _round(
        self, number: int, theta: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], RoundRecord]:
        keys = self._cipher.generate()
        secret = keys.secret()
        try:
            facts, given = self._announce(
                number,
                theta,
                keys,
            )
            self._exchange.broadcast(facts, given)
            del given  # the model twice over
            opened = self._rounds.open(
                self._exchange,
                facts,
                keys,
                self._me.sign,
            )
            # Only now: a key whose sum did not open is shown to nobody.
            self._show(
                facts,
                secret,
                opened,
            )
        finally:
            keys.erase()
            secret.erase()
        self._cohort = self._rounds.next_cohort(
            facts,
            opened.contributions,
            self._exchange,
        )
        record = RoundRecord(
            facts.round,
            facts.kind,
            self._rounds.round_digest(facts),
            facts.model_sha256,
            dict(opened.contributions),
            opened.sum_sha256,
            opened.frame_bytes,
        )
        return opened.values, record

    def _show(
        self,
        facts: RoundContext,
        secret: RoundSecret,
        opened: OpenedSum,
    ) -> None:
        """Show the participants how the sum was opened."""
        names = readers_of(
            self._plan,
            facts.round,
            opened.contributions,
        )
        if not names:
            return
        runs = dict(
            zip(
                facts.cohort,
                facts.instances,
                strict=True,
            )
        )
        opening = show_opening(
            self._plan,
            facts.round,
            self._rounds.round_digest(facts),
            secret=secret,
            total_sha256=total_sha256(opened.values),
            readers={site: runs[site] for site in names},
            sign=self._me.sign,
        )
        self._exchange.show(facts.round, opening)

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
        )
        announcement = Announcement(
            study=plan.digest,
            round=number,
            attempt=ATTEMPT,
            kind=facts.kind,
            cohort=facts.cohort,
            instances=facts.instances,
            length=facts.length,
            parameters=len(theta),
            model_sha256=model_sha256,
            sealed_sha256=hashlib.sha256(sealed).hexdigest(),
            public_key_sha256=keys.public.sha256,
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
