"""Round whose hospitals are summed by disjoint groups: only each group's sum opens.

The hospitals' lot draws the groups (:mod:`securefl.secagg.group_draw`). Each group is a full round
of its own under the round's key: masks cancel within it alone, and nothing opens unless all of it
contributed. The sums are combined number by number, which is post-processing; what comes out stands
for the sum of all hospitals (:mod:`securefl.learning.robust_sums`). Rounds that are no training are
sums of the full cohort.
"""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

import numpy as np

from securefl.errors import MessageError
from securefl.federation.evidence import Recomputed, missing_error, present, reading
from securefl.federation.full_cohort import FullCohort
from securefl.federation.group_round import GroupRound
from securefl.federation.messages import GroupedAnnouncement
from securefl.federation.opened_sum import OpenedSum
from securefl.federation.round_board import RoundBoard
from securefl.federation.streamed_sum import StreamedGroups, full_sum
from securefl.learning.robust_sums import combined
from securefl.secagg.group_contexts import context_of, group_contexts
from securefl.secagg.opening import open_sum
from securefl.secagg.sum import check_parts, same_sum
from securefl.secagg.total_check import ShownKeys
from securefl.study.groups import group_rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import BinaryIO

    from numpy.typing import NDArray

    from securefl.boards.board import Board
    from securefl.federation.exchange import Exchange
    from securefl.federation.full_round import FullRound
    from securefl.federation.hospital_keys import HospitalKeys
    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.round_strategy import Aggregation
    from securefl.federation.run_memory import OpeningMemory
    from securefl.federation.streamed_sum import StreamedSum
    from securefl.federation.unmasking_stage import UnmaskingStage
    from securefl.secagg.cipher import RoundKeys, SumCipher
    from securefl.secagg.group_draw import Groups, Lot
    from securefl.secagg.publickey import PublicKey
    from securefl.secagg.round_context import RoundContext
    from securefl.types import IntArray, Sign


class GroupCohort(FullCohort):
    """Implements :class:`securefl.federation.round_strategy.RoundStrategy`."""

    needs_lot = True
    announcement = GroupedAnnouncement

    def groups(self, number: int, lot: Callable[[], Lot]) -> Groups:
        """See :class:`RoundStrategy`: groups in rounds of training."""
        if not self._plan.by_groups(number):
            return ()
        return lot().groups(self._plan.study.secagg.min_contributors)

    # --- a hospital

    def own_context(self, context: RoundContext, site: str) -> RoundContext:
        """The facts of its group."""
        return context_of(context, site)

    def write_contribution(
        self,
        file: BinaryIO,
        values: NDArray[np.int64],
        *,
        context: RoundContext,
        public: PublicKey,
        keys: HospitalKeys,
        cipher: SumCipher,
    ) -> None:
        """See :class:`RoundStrategy`. Masks are those of the hospital's group."""
        own = context_of(context, keys.name)
        super().write_contribution(
            file,
            values,
            context=own,
            public=public,
            keys=keys.within(own.cohort),
            cipher=cipher,
        )

    def streamed_sum(
        self,
        context: RoundContext,
        later: UnmaskingStage | None,
        board: Board,
    ) -> AbstractContextManager[StreamedSum]:
        """See :class:`RoundStrategy`."""
        if not context.groups:
            return super().streamed_sum(context, later, board)
        return self._streamed_groups(context, board)

    @contextmanager
    def _streamed_groups(self, context: RoundContext, board: Board) -> Iterator[StreamedSum]:
        with ExitStack() as stack:
            sums = [
                (group, stack.enter_context(full_sum(self._plan, group, board)))
                for group in group_contexts(context)
            ]
            yield StreamedGroups(sums, self._combined)

    # --- the coordinator

    def open(
        self,
        exchange: Exchange,
        context: RoundContext,
        keys: RoundKeys,
        sign: Sign,
        memory: OpeningMemory,
    ) -> OpenedSum:
        """See :class:`RoundStrategy`.

        Every group is complete, and its sum the aggregator's, before the first one is opened.
        """
        if not context.groups:
            return super().open(exchange, context, keys, sign, memory)
        study = self._plan.study
        aggregator = study.aggregator.name
        with closing(GroupRound(self._plan, context)) as arrivals:
            claimed = exchange.collect(arrivals, float(study.schedule.round_deadline))
            for group, claim in zip(arrivals.groups, claimed.sums, strict=True):
                check_parts(claim.parts, group.parts, aggregator)
                for _ in same_sum(claim.blocks(), group.sum_blocks(), aggregator):
                    pass
            memory.intend(arrivals.parts)
            totals = self._opened(arrivals.groups, keys)
            parts = dict(arrivals.parts)
            size = arrivals.frame_bytes
        total = self._combined(context, totals)
        return OpenedSum(total, parts, claimed.sha256, size)

    def _opened(self, groups: Sequence[FullRound], keys: RoundKeys) -> list[IntArray]:
        """Open the sum of each group; the key is gone afterwards, whatever happened."""
        secret = keys.secret()
        public = keys.public
        keys.erase()
        totals = []
        try:
            for group in groups:
                values = np.empty(group.facts.length, dtype=np.int64)
                open_sum(ShownKeys(public, secret), group.sum_blocks(), group.facts, values)
                totals.append(values)
        finally:
            secret.erase()
        return totals

    def _combined(self, context: RoundContext, totals: Sequence[IntArray]) -> IntArray:
        """The sum of all hospitals as the groups' sums speak for it, int64[length]."""
        sizes = [len(group) for group in context.groups]
        return combined(totals, sizes, group_rule(self._plan.study))

    # --- the aggregator, and whoever verifies

    def aggregation(self, context: RoundContext) -> Aggregation:
        """See :class:`RoundStrategy`."""
        if not context.groups:
            return super().aggregation(context)
        return GroupRound(self._plan, context)

    def recompute(self, board: Board, context: RoundContext) -> Recomputed:
        """See :class:`RoundStrategy`."""
        if not context.groups:
            return super().recompute(board, context)
        aggregator = self._plan.study.aggregator.name
        what = f"sum of round {context.round}"
        with closing(GroupRound(self._plan, context)) as arrivals:
            if not arrivals.poll(board):
                raise missing_error(f"contribution of {arrivals.missing_words()}")
            with (
                reading(what, aggregator),
                RoundBoard.of(board, context).sum(arrivals.sum_limit).open() as file,
            ):
                claimed = arrivals.check_sum(present(file, what))
            for group, claim in zip(arrivals.groups, claimed.sums, strict=True):
                check_parts(claim.parts, group.parts, aggregator)
                for _ in same_sum(claim.blocks(), group.sum_blocks(), aggregator):
                    pass
            return Recomputed(dict(arrivals.parts), dict(arrivals.parts), claimed.sha256)


def check_division(plan: RoundPlan, number: int, groups: Groups) -> None:
    """Check that a round has as many groups as the study says, each large enough.

    That they are disjoint and hold everybody is checked where the round's facts are made
    (:class:`securefl.secagg.round_context.RoundContext`); that the lot drew them, by every hospital
    (:meth:`securefl.federation.participant.Participant.check`).

    Raises:
        MessageError: it has others.
    """
    if not groups and not plan.by_groups(number):
        return
    least = plan.study.secagg.min_contributors
    count = len(plan.study.participants) // least
    sizes = [len(group) for group in groups]
    if plan.by_groups(number) and len(sizes) == count and min(sizes) >= least:
        return
    raise MessageError(
        f"Round {number} is announced in groups of {sizes}; the study makes {count} of at least"
        f" {least} hospitals in each round of training, and none in others.",
        whose="the coordinator",
        next_step="The study ends here. Tell the other hospitals.",
    )
