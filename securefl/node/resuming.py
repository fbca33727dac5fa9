"""A study that was running when this hospital's agent was killed: taken up where it stood.

What is durable (:mod:`securefl.node.kept_rounds`) makes this hospital's part again: the totals that it
verified, its last contribution, the round it had accepted. Nothing is drawn for what may have been
seen. A contribution that is on disk leaves as it is, at a public time; a step that was paid for and
not kept is taken with fresh noise. The worker starts meanwhile and is not waited for: a contribution on
disk needs none, and a round waits for its answer at public times anyway. Before anything is said the
others are asked anew what this hospital's ledger was: a folder that was put back goes on with
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.errors import RoundError
from securefl.federation.round_board import RoundBoard
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.status_board import end_of, first_departure
from securefl.node.durable_contribution import DurableContribution, kept_contribution
from securefl.node.entering import Entering
from securefl.node.instances import check_alone
from securefl.node.models import remember_total
from securefl.node.published_approvals import all_approvals
from securefl.secagg.own_place import manifest_limit
from securefl.study.longest_wait import hospital_waits, wait_words
from securefl.study.study_id import short_digest

if TYPE_CHECKING:
    from securefl.federation.participant import Participant
    from securefl.study.approval import Approval


@dataclass(frozen=True)
class Resumed:
    """This hospital's part in a running study, as it stood.

    Args:
        participant: after its last contribution.
        unsent: the last contribution, where the store does not hold it.
    """

    participant: Participant
    unsent: DurableContribution | None


@dataclass
class Resuming(Entering):
    """One hospital on its way back into a study. :meth:`resume` never waits; it is called again."""

    def resume(self) -> Resumed | None:
        """Do what can be done now; the study as it stood when it may go on.

        Raises:
            StoreError: the store is away; call again.
            SecureFLError: the study cannot go on here.
        """
        check_alone(self.own.site, self.own.plan, self.instances)
        self._prepare_worker()
        approvals = all_approvals(self.own.site, self.own.plan, self._not_there)
        self.waiting = "the other hospitals' approvals"
        if approvals is not None:
            self.waiting = self._without_lot()
        if approvals is None or self.waiting:
            self._check_waiting()
            return None
        if not self.witness.agreed() and not self._is_over():
            self.waiting = self.witness.unheard() or "the others' word on this ledger's checkpoints"
            self._check_waiting()
            return None
        return self._restored(approvals)

    def _is_over(self) -> bool:
        """True where the study ended meanwhile: nothing more will be said in it."""
        board = self.own.site.board
        plan = self.own.plan
        return end_of(board, plan) is not None or first_departure(board, plan) is not None

    def _prepare_worker(self) -> None:
        """Start the worker while the others are asked; where they are away for long, it costs none."""
        usual = 2 * self.own.plan.study.schedule.round_deadline
        if self.own.clock() - self._since <= usual:
            self._launch()
        elif self.worker is not None:
            self.set_aside()

    def _check_waiting(self) -> None:
        """Refuse to wait longer than the others do.

        Raises:
            RoundError: it has been as long as the study says.
        """
        schedule = self.own.plan.study.schedule
        if self.own.clock() - self._since > hospital_waits(schedule):
            raise RoundError(
                f"This hospital's agent was started again, and waited for {wait_words(schedule)} for"
                f" {self.waiting}.",
                whose="this hospital",
                next_step="The study ends here; its budget stays charged.",
            )

    def _restored(self, approvals: dict[str, Approval]) -> Resumed:
        own = self.own
        participant = self._participant(approvals)
        following = participant.following
        if following is not None:
            for number, total, contributors in self.rounds.totals.all():
                following.take(number, total, contributors)
                # killed between the two, it would not know the last one's hash
                remember_total(own.site, own.plan, number, following.last_total)
        number = self.rounds.contributed()
        unsent = None
        if number:
            accepted = self.rounds.accepted(number)
            rounds = round_strategy_of(own.plan)
            facts = rounds.own_context(accepted.facts, own.site.name)
            kept = kept_contribution(own.folder, facts)
            participant.restore(accepted, kept)
            if not self._is_there(kept):
                unsent = kept
        own.say(
            f"study {short_digest(own.plan.digest)}: taken up again after round {number} of"
            f" {own.plan.last_round}"
        )
        return Resumed(participant, unsent)

    def _is_there(self, kept: DurableContribution) -> bool:
        """True where it left the house before. Another one in its place is found when it leaves."""
        site = self.own.site
        sent = site.ledger.state.study(self.own.plan.digest).sent
        if not any(number == kept.facts.round for number, _ in sent):
            return False
        size = manifest_limit(kept.facts)
        place = RoundBoard.of(site.board, kept.facts).contribution(site.name)
        return place.read_head(size) == kept.head(size)
