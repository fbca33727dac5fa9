"""One hospital's replies to the rounds of a study: the worker is asked at once, and each reply
leaves at a public time.

The order in which a contribution leaves (rules 4, 6 and 7): the worker is asked, and the agent goes
on; at the reply's public time its answer is looked at, encrypted and on disk, then the ledger says
that it leaves, then the ledger is asked once more, and only then the store has it. An owner who
withdraws or pauses in between keeps it in the house.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from securefl.node.durable_contribution import keep_contribution
from securefl.node.models import remember_model
from securefl.node.patients import TableComparison
from securefl.node.public_times import PublicTimes
from securefl.node.removed_patients import RemovedPatients, removed_patients
from securefl.node.round_models import keep_round_model

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from securefl.federation.participant import Accepted, Participant
    from securefl.node.durable_contribution import DurableContribution
    from securefl.node.launcher import Worker
    from securefl.node.leaving import Leaving
    from securefl.node.own_study import OwnStudy
    from securefl.node.worker_question import Asked

#: The first reply leaves this much later than the others, and at most a fourth of the round's
#: deadline: the table is prepared too.
SETTLE_SECONDS: Final = 3.0
_SETTLE_SHARE: Final = 0.25


@dataclass(frozen=True)
class Released:
    """The worker's answer: noised int64[length], how many values met the bound, and the first time
    what it read of the table.
    """

    values: NDArray[np.int64]
    clamped: int
    counts: dict[str, Any] | None = None


@dataclass
class PendingReply:
    """A round that was announced and whose reply has not left.

    Args:
        accepted: the round; None where its contribution was on disk when the agent was started.
        released: what the worker was asked for; None as well then.
        times: when the reply may leave.
        made: the contribution, once it is on disk.
    """

    accepted: Accepted | None
    released: Asked[Released] | None
    times: PublicTimes
    made: DurableContribution | None = None


class RoundReply:
    """Replies to one round at a time. Nothing here waits for the worker.

    Args:
        own: the study.
        worker: gives the process that trains, which was started.
        ask: asks it without waiting for it.
        leaving: lets contributions go.
        settle_seconds: see :data:`SETTLE_SECONDS`.

    Attributes:
        pending: the round that is replied to; None between two.
    """

    def __init__(
        self,
        own: OwnStudy,
        worker: Callable[[], Worker],
        ask: Callable[[Callable[[], Any]], Asked[Any]],
        leaving: Leaving,
        settle_seconds: float,
    ) -> None:
        self._own = own
        self._worker = worker
        #: The process that was asked to prepare the table.
        self._prepared: Worker | None = None
        self._ask = ask
        self._leaving = leaving
        self._settle_seconds = settle_seconds
        self._removed = RemovedPatients()
        self.pending: PendingReply | None = None

    def begin(
        self,
        accepted: Accepted,
        model: bytes,
        seen: float,
    ) -> None:
        """Ask the worker for what an accepted round wants, and for its first one to prepare the
        table before; anew where the owner took patients out since the last round.

        Args:
            accepted: the round.
            model: the global model that it starts from.
            seen: when it was announced, by the monotonic clock: public times count from there.

        Raises:
            UnreadableError: the list of those who are out was lost or changed.
        """
        own = self._own
        schedule = self._own.plan.study.schedule
        remember_model(own.site, own.plan, accepted.facts)
        keep_round_model(own.site, own.plan, accepted.facts.round, model)
        deadline = float(schedule.round_deadline)
        worker = self._worker()
        first = worker is not self._prepared
        self._prepared = worker
        settle = 0.0
        if first:
            settle = min(self._settle_seconds, _SETTLE_SHARE * deadline)
        times = PublicTimes(seen, float(schedule.reply_after), settle)
        removed = removed_patients(own.site, own.plan.study.data.population)
        prepare = first or removed != self._removed
        if prepare and not first:
            own.say("patients were taken out: the table is prepared anew without their rows")
        self._removed = removed
        asked = self._ask(self._question(worker, accepted, model, deadline, prepare=prepare))
        self.pending = PendingReply(accepted, asked, times)
        own.say(
            f"round {accepted.facts.round} of {own.plan.last_round}: announced; the reply leaves"
            f" {times.first - seen:g} s later"
        )

    def resume(self, unsent: DurableContribution, seen: float) -> None:
        """Send a contribution that an earlier process of this hospital's made, as it is.

        Args:
            unsent: it is on disk.
            seen: when this process took the study up, by the monotonic clock: its public time
                counts from there.
        """
        times = PublicTimes(seen, float(self._own.plan.study.schedule.reply_after))
        self.pending = PendingReply(None, None, times, unsent)

    def _question(
        self,
        worker: Worker,
        accepted: Accepted,
        model: bytes,
        deadline: float,
        *,
        prepare: bool,
    ) -> Callable[[], Released]:
        """What the worker is asked, as a function that touches nothing but the worker."""
        own = self._own
        facts = accepted.facts
        data = own.plan.study.data
        text = own.plan.sealed.text
        name = own.site.name
        secret = own.site.split_secret(data.population)
        compare = TableComparison.of(own.site, data.dataset)
        removed = self._removed.hashes
        number = facts.round
        length = facts.length
        largest = facts.layout.max_value

        def release() -> Released:
            counts = None
            if prepare:
                counts = worker.prepare(text, name, secret, compare.key, removed)
                compare(counts)
            values = worker.release(number, model, length, largest, deadline)
            return Released(values, worker.clamped, counts)

        return release

    def step(self, participant: Participant) -> bool:
        """At a public time and at no other: take what the worker answered, or let the next one be
        the time; whether the reply left.

        Raises:
            StoreError: the store is away; call again.
            SecureFLError: the worker failed, or the reply may not leave.
        """
        pending = self.pending
        if pending is None:
            return False
        now = self._own.clock()
        if now < pending.times.due:
            return False
        if pending.made is not None:
            return self._leave(pending.made, pending.times)
        if pending.accepted is None or pending.released is None:
            raise AssertionError("what was not asked for is on disk")
        if not pending.released.done:
            pending.times.miss(now)
            return False
        released = pending.released.answer()
        self._leaving.read(released.counts, released.clamped)
        # Durable before its mask is used; there is one for each round, ever.
        keep = partial(keep_contribution, self._own.folder)
        pending.made = participant.contribute(pending.accepted, released.values, keep)
        return False

    def _leave(self, made: DurableContribution, times: PublicTimes) -> bool:
        left = self._leaving.leave(made, times)
        if left:
            self.pending = None
        return left

    def stop(self) -> None:
        """End a worker that is still at work."""
        if self.pending is None or self.pending.released is None:
            return
        if not self.pending.released.done and self._prepared is not None:
            self._prepared.kill()
            self.pending.released.join()
