"""Round that needs its full cohort: one loss ends the study.

No hospital says anything after its contribution.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.errors import UsageError
from securefl.federation.evidence import Recomputed, missing_error, present, reading
from securefl.federation.full_round import FullRound
from securefl.federation.messages import Announcement
from securefl.federation.opened_sum import OpenedSum
from securefl.federation.round_board import RoundBoard
from securefl.federation.streamed_sum import full_sum
from securefl.secagg.contribution import contribute
from securefl.secagg.frame import sum_bytes
from securefl.secagg.opening import open_sum
from securefl.secagg.sum import check_parts, same_sum

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from contextlib import AbstractContextManager
    from typing import BinaryIO

    from numpy.typing import NDArray

    from securefl.boards.board import Board
    from securefl.federation.checked_round import AnnouncedRound
    from securefl.federation.exchange import Exchange
    from securefl.federation.hospital_keys import HospitalKeys
    from securefl.federation.messages import Status
    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.round_strategy import Aggregation, Kept
    from securefl.federation.run_memory import OpeningMemory
    from securefl.federation.streamed_sum import StreamedSum
    from securefl.federation.unmasking_stage import RecordKeeper, UnmaskingStage
    from securefl.secagg.cipher import RoundKeys, SumCipher
    from securefl.secagg.group_draw import Groups, Lot
    from securefl.secagg.publickey import PublicKey
    from securefl.secagg.round_context import RoundContext
    from securefl.types import Sign


class FullCohort:
    """Implements :class:`securefl.federation.round_strategy.RoundStrategy`."""

    needs_records: Final = False
    needs_lot: bool = False
    announcement: type[Announcement] = Announcement

    def __init__(self, plan: RoundPlan) -> None:
        self._plan = plan

    # --- rules that follow from the study

    def groups(self, number: int, lot: Callable[[], Lot]) -> Groups:  # noqa: ARG002 - the interface
        """None: all make one sum."""
        return ()

    def allows(self, cohort: tuple[str, ...], before: tuple[str, ...]) -> bool:  # noqa: ARG002 - the interface
        """Everybody, always."""
        return cohort == self._plan.study.cohort

    def round_digest(self, context: RoundContext) -> str:
        """See :class:`RoundStrategy`."""
        return context.digest()

    def ending_departure(
        self,
        said: Mapping[str, Status],
        cohort: tuple[str, ...],  # noqa: ARG002 - the interface
        keeps: frozenset[str],  # noqa: ARG002 - the interface
    ) -> Status | None:
        """Anybody's."""
        return min(said.values(), key=lambda word: (word.cause != "", word.site), default=None)

    # --- a hospital

    def check_place(
        self,
        number: int,
        name: str,
        cohort: tuple[str, ...],
        before: tuple[str, ...],
    ) -> None:
        """Nobody is ever left out."""

    def check_in_time(self, board: Board, announced: AnnouncedRound) -> None:
        """Nobody is ever left out."""

    def left_behind(self) -> None:
        """None: a study is never completed without one of its hospitals."""

    def own_context(self, context: RoundContext, site: str) -> RoundContext:  # noqa: ARG002 - the interface
        """All hospitals make one sum."""
        return context

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
        """See :class:`RoundStrategy`."""
        contribute(
            values,
            file,
            facts=context,
            public=public,
            me=keys.name,
            secrets=keys.pair_secrets,
            sign=keys.identity.sign,
            cipher=cipher,
        )

    def unmasking_stage(
        self,
        context: RoundContext,
        kept: Kept,
        keys: HospitalKeys,
        records: RecordKeeper | None,
    ) -> None:
        """None: nothing is said after the contribution."""

    def contributors(
        self,
        context: RoundContext,
        later: UnmaskingStage | None,  # noqa: ARG002 - the interface
    ) -> tuple[str, ...]:
        """Everybody, always."""
        return context.cohort

    def streamed_sum(
        self,
        context: RoundContext,
        later: UnmaskingStage | None,  # noqa: ARG002 - the interface
        board: Board,
    ) -> AbstractContextManager[StreamedSum]:
        """See :class:`RoundStrategy`."""
        return full_sum(self._plan, context, board)

    def missed_sum(
        self,
        context: RoundContext,  # noqa: ARG002 - the interface
        board: Board,  # noqa: ARG002 - the interface
    ) -> AbstractContextManager[tuple[tuple[str, ...], StreamedSum]]:
        """Refused: nobody misses a round here.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            "In this study no round goes on without a hospital.", next_step="Follow its rounds."
        )

    # --- the coordinator

    def open(
        self,
        exchange: Exchange,
        context: RoundContext,
        keys: RoundKeys,
        sign: Sign,  # noqa: ARG002 - the interface
        memory: OpeningMemory,
    ) -> OpenedSum:
        """See :class:`RoundStrategy`."""
        study = self._plan.study
        with closing(FullRound(self._plan, context)) as arrivals:
            claimed = exchange.collect(arrivals, float(study.schedule.round_deadline))
            # recomputed before it is decrypted, block by block: a crafted "sum" would read the
            # round's key out of its opening
            total = arrivals.sum_blocks()
            check_parts(claimed.parts, arrivals.parts, study.aggregator.name)
            values = np.empty(context.length, dtype=np.int64)
            blocks = same_sum(claimed.blocks(), total, study.aggregator.name)
            memory.intend(arrivals.parts)
            open_sum(keys, blocks, context, values)
            parts = dict(arrivals.parts)
            size = arrivals.frame_bytes
        return OpenedSum(values, parts, claimed.sha256, size)

    def next_cohort(
        self,
        context: RoundContext,
        contributors: Collection[str],  # noqa: ARG002 - the interface
        exchange: Exchange,  # noqa: ARG002 - the interface
    ) -> tuple[str, ...]:
        """Everybody, always."""
        return context.cohort

    # --- the aggregator, and whoever verifies

    def aggregation(self, context: RoundContext) -> Aggregation:
        """See :class:`RoundStrategy`."""
        return FullRound(self._plan, context)

    def recompute(self, board: Board, context: RoundContext) -> Recomputed:
        """See :class:`RoundStrategy`."""
        aggregator = self._plan.study.aggregator.name
        what = f"sum of round {context.round}"
        with closing(FullRound(self._plan, context)) as arrivals:
            if not arrivals.poll(board):
                raise missing_error(f"contribution of {arrivals.missing_words()}")
            with (
                reading(what, aggregator),
                RoundBoard.of(board, context).sum(sum_bytes(context)).open() as file,
            ):
                claimed = arrivals.check_sum(present(file, what))
            check_parts(claimed.parts, arrivals.parts, aggregator)
            for _ in same_sum(claimed.blocks(), arrivals.sum_blocks(), aggregator):
                pass
            return Recomputed(dict(arrivals.parts), dict(arrivals.parts), claimed.sha256)
