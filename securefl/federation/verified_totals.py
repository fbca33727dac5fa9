"""Totals of finished rounds, each opened again by a hospital before it answers the next (rule 11).

The coordinator shows the round's key (:mod:`securefl.federation.shown_opening`). The hospital adds
the signed frames, opens their sum with it, and works out what must follow
(:mod:`securefl.federation.following`). When it does so, and for how long, depends on what lies in
the store and on the public length of the frames; nothing here touches the hospital's data (rule 1).

Anybody can write into the store: an opening or a frame that is not by whom it should be is not
there yet. What the coordinator did sign is judged.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Final

from securefl.backoff import Backoff
from securefl.errors import BrokenRuleError, MessageError, RoundError
from securefl.federation.following import broken_rule
from securefl.federation.participant import Accepted
from securefl.federation.round_board import RoundBoard
from securefl.federation.round_inbox import RoundInbox
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.shown_opening import ShownOpening, readers_of
from securefl.federation.transcript import Transcript
from securefl.secagg.round_context import ATTEMPT
from securefl.secagg.total_check import ShownKeys, check_secret, total_sha256

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.boards.board import Board
    from securefl.federation.following import Following
    from securefl.federation.participant import Participant
    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.streamed_sum import StreamedSum
    from securefl.identity import Identity
    from securefl.secagg.round_context import RoundContext
    from securefl.types import IntArray

#: Seconds between two tries at a round whose frames are not all there: at least and at most.
_SOON: Final = 0.5
_SELDOM: Final = 30.0


def _nothing(number: int, total: IntArray, contributors: int) -> None:
    """Nothing is kept."""


class VerifiedTotals:
    """Verifies the totals of one study at one hospital.

    Args:
        plan: the study.
        reader: this hospital's keys.
        clock: the monotonic clock, in seconds.
        keep: makes a verified total durable, before it is gone on from: round, int64[length],
            contributors.

    Attributes:
        missing: why the last total cannot be verified yet; empty where nothing is missing.
    """

    def __init__(
        self,
        plan: RoundPlan,
        reader: Identity,
        clock: Callable[[], float] = time.monotonic,
        keep: Callable[[int, IntArray, int], None] = _nothing,
    ) -> None:
        self._plan = plan
        self._reader = reader
        self._keep = keep
        self._rounds = round_strategy_of(plan)
        self._retry = Backoff(
            shortest=_SOON,
            longest=_SELDOM,
            clock=clock,
        )
        self._missed_inbox = RoundInbox(plan)
        self.missing = ""

    def look_soon(self) -> None:
        """Look often again: something came, however long nothing had."""
        self._retry.reset()

    def verify(
        self,
        board: Board,
        participant: Participant,
    ) -> bool:
        """Verify the total of the round that was answered last; whether nothing is left to verify.

        False while the coordinator has not shown the opening, or the frames are not all there.

        Raises:
            StoreError: the store is away; call again.
            BrokenRuleError: what the coordinator shows is not the opening of the signed frames.
            RoundError: a hospital's frame is another than the one that was added.
        """
        following = participant.following
        last = participant.last
        if following is None or last is None or following.verified >= last.facts.round:
            return True
        names = self._rounds.contributors(last.facts, participant.later)
        if participant.name not in readers_of(
            self._plan,
            last.facts.round,
            names,
        ):
            # Not in a sum that others opened, which another check says; or the end, and no recipient.
            return True
        shown = self._shown(board, last)
        if shown is None:
            self.missing = "the coordinator has not shown the opening of the last round"
            return False
        if not self._retry.ready:
            return False
        try:
            total = self._open(
                board,
                participant,
                last,
                shown,
            )
        except MessageError as error:
            self.missing = error.what
            self._retry.failed()
            return False
        self.missing = ""
        self._retry.reset()
        self._keep(last.facts.round, total, len(names))
        following.take(
            last.facts.round,
            total,
            len(names),
        )
        return True

    def catch_up(
        self,
        board: Board,
        participant: Participant,
    ) -> bool:
        """Verify a round that went on without this hospital; whether none is left to verify.

        Raises:
            StoreError, BrokenRuleError: as :meth:`verify`.
        """
        following = participant.following
        if following is None or following.verified >= participant.done:
            return True
        if not self._retry.ready:
            return False
        try:
            self._take_missed(board, following)
        except (MessageError, RoundError) as error:
            if isinstance(error, BrokenRuleError):
                raise
            self.missing = error.what
            self._retry.failed()
            return False
        self.missing = ""
        self._retry.reset()
        return following.verified >= participant.done

    def _take_missed(self, board: Board, following: Following) -> None:
        """Verify the round after the last verified one, by what its hospitals signed."""
        number = following.verified + 1
        announced = self._missed_inbox.announced(board, number)
        key = RoundBoard.numbered(board, self._plan.digest, number).key.read()
        if announced is None or key is None or announced.said.round != number:
            raise MessageError(f"the announcement of round {number} is not in the store")
        context = announced.checked_context()
        following.check_start(number, context.model_sha256)
        last = Accepted(context, announced.public(key))
        shown = self._shown(board, last)
        if shown is None:
            raise MessageError(f"the coordinator has not shown the opening of round {number}")
        keys, said = self._shown_keys(shown, last)
        digest = self._rounds.round_digest(context)
        with self._rounds.missed_sum(context, board) as (names, summed):
            values = summed.open(keys, context, len(names), digest)
        if total_sha256(values) != said:
            raise broken_rule(
                f"the total of round {number} that it names is not that of the signed contributions"
            )
        self._keep(number, values, len(names))
        following.take(number, values, len(names))

    def _shown_keys(
        self, shown: ShownOpening, last: Accepted
    ) -> tuple[Callable[[], ShownKeys], str]:
        """What makes the keys that were shown, and the hash of the total.

        Raises:
            BrokenRuleError: they are no opening of the round.
        """
        try:
            secret, said = shown.read(self._reader)
            check_secret(last.public, secret)
            return partial(ShownKeys, last.public, secret), said
        except MessageError as error:
            where = f"of round {last.facts.round}"
            raise broken_rule(f"the opening {where} is none: {error.what}") from None

    def _shown(
        self,
        board: Board,
        last: Accepted,
    ) -> ShownOpening | None:
        """The opening that the coordinator signed for the round."""
        facts = last.facts
        read = partial(
            ShownOpening.open,
            study=facts.study,
            round=facts.round,
            attempt=ATTEMPT,
            round_digest=self._rounds.round_digest(facts),
            verify=self._plan.coordinator,
        )
        hospitals = len(self._plan.study.participants)
        return RoundBoard.of(board, facts).opening(hospitals).read_as(read)

    def _open(
        self,
        board: Board,
        participant: Participant,
        last: Accepted,
        shown: ShownOpening,
    ) -> IntArray:
        """Open the sum of the signed frames, int64[length].

        Raises:
            MessageError: frames or answers are not there, or not as they were signed.
            BrokenRuleError: they are, and the opening is not theirs.
            RoundError: as :meth:`verify`.
        """
        facts = last.facts
        where = f"of round {facts.round}"
        keys, said = self._shown_keys(shown, last)
        names = self._rounds.contributors(facts, participant.later)
        digest = self._rounds.round_digest(facts)
        with ExitStack() as stack:
            try:
                summed = stack.enter_context(
                    self._rounds.streamed_sum(
                        facts,
                        participant.later,
                        board,
                    )
                )
            except RoundError as error:
                raise MessageError(error.what, whose=error.whose) from None
            try:
                values = summed.open(keys, facts, len(names), digest)
            except RoundError as error:
                self._check_added(board, facts, summed)
                raise broken_rule(
                    f"the key that was shown does not open the sum {where}: {error.what}"
                ) from None
            if total_sha256(values) != said:
                self._check_added(board, facts, summed)
                raise broken_rule(
                    f"the total {where} that it names is not that of the signed contributions"
                )
        return values

    def _check_added(
        self,
        board: Board,
        facts: RoundContext,
        summed: StreamedSum,
    ) -> None:
        """Check that the frames in the store are those that the coordinator says it added.

        Before it is accused: a hospital that signed two could exchange its own afterwards.

        Raises:
            MessageError: its transcript of the round is not there yet.
            RoundError: naming whose frame is another.
        """
        if not summed.frames:
            return
        # A sum that did not open was left midway.
        summed.read_to_end()
        read = partial(Transcript.open, study=facts.study, verify=self._plan.coordinator)
        slot = RoundBoard.of(board, facts).transcript
        transcript = slot.read_as(read)
        if transcript is None or transcript.round != facts.round:
            raise MessageError(
                f"the coordinator's transcript of round {facts.round} is not in the store",
                whose="the coordinator",
            )
        unlike = ", ".join(summed.unlike(transcript.contributions))
        if unlike:
            raise RoundError(
                f"The contribution of {unlike} to round {facts.round} that lies in the store is"
                " signed by it, and is another than the coordinator says it added: the round's"
                " total cannot be verified.",
                whose=f"{unlike}, which signed two, or the coordinator, which names another",
                next_step="The study ends here. Tell the other hospitals.",
            )
