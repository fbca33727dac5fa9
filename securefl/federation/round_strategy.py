"""The kinds of round: one needs its full cohort, one survives losses, one is summed by groups.

:func:`round_strategy_of` is the one place that decides between them. Hospital, coordinator, aggregator
and whoever verifies ask the strategy, and know nothing of the other kinds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from securefl.federation.full_cohort import FullCohort
from securefl.federation.group_cohort import GroupCohort
from securefl.federation.survivor_cohort import SurvivorCohort

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from contextlib import AbstractContextManager
    from typing import BinaryIO

    import numpy as np
    from numpy.typing import NDArray

    from securefl.boards.board import Board
    from securefl.errors import RoundError
    from securefl.federation.checked_round import AnnouncedRound
    from securefl.federation.evidence import Recomputed
    from securefl.federation.exchange import Exchange
    from securefl.federation.hospital_keys import HospitalKeys
    from securefl.federation.messages import Announcement, Status
    from securefl.federation.opened_sum import OpenedSum
    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.run_memory import OpeningMemory
    from securefl.federation.streamed_sum import StreamedSum
    from securefl.federation.unmasking_stage import RecordKeeper, UnmaskingStage
    from securefl.secagg.cipher import RoundKeys, SumCipher
    from securefl.secagg.group_draw import Groups, Lot
    from securefl.secagg.publickey import PublicKey
    from securefl.secagg.round_context import RoundContext
    from securefl.types import Sign


class Aggregation(Protocol):
    """Contributions of one round as far as they came, at a party without data.

    Close it when the round is over.
    """

    @property
    def progress(self) -> tuple[int, ...]:
        """Progress of the round: it changes while something is going on."""

    @property
    def waits_for(self) -> tuple[str, ...]:
        """Hospitals whose contribution, or whose answer to the survivors, is not there yet."""

    @property
    def contributors(self) -> tuple[str, ...]:
        """Hospitals whose contribution is in the sum, or will be."""

    @property
    def frame_bytes(self) -> int:
        """The size of the largest contribution; 0 before one came."""

    def poll(self, board: Board) -> bool:
        """Add all that is new in the store; whether the sum is complete.

        Raises:
            StoreError: the store is away, or this machine's disk is full.
            RoundError: the round cannot be completed.
        """

    def write_sum(
        self,
        total: BinaryIO,
        sender: str,
        sign: Sign,
    ) -> None:
        """Write the signed sum into an empty file.

        Raises:
            RoundError: it is not complete.
            MessageError: naming whose frame or shares do not hold.
        """

    def close(self) -> None:
        """Let go of what was added; harmless when repeated."""


class Kept(Protocol):
    """A contribution that is durable."""

    def head(self, size: int) -> bytes:
        """The first ``size`` bytes of its frame."""


class RoundStrategy(Protocol):
    """One kind of round, as each end asks for it."""

    @property
    def needs_records(self) -> bool:
        """True if a hospital says something after its contribution, which must be durable."""

    @property
    def needs_lot(self) -> bool:
        """True if the hospitals draw lots before the first round."""

    @property
    def announcement(self) -> type[Announcement]:
        """How a round is announced."""

    def groups(self, number: int, lot: Callable[[], Lot]) -> Groups:
        """The groups that the hospitals' lot draws for a round; none where all make one sum.

        Args:
            number: of the round.
            lot: the lot, which is asked for only where groups are drawn.
        """

    def allows(self, cohort: tuple[str, ...], before: tuple[str, ...]) -> bool:
        """True if a round may be announced to ``cohort`` after one with ``before``."""

    def round_digest(self, context: RoundContext) -> str:
        """The digest that masks and messages of the round are bound to, hex SHA-256."""

    def ending_departure(
        self,
        said: Mapping[str, Status],
        cohort: tuple[str, ...],
        keeps: frozenset[str],
    ) -> Status | None:
        """The word that ends the study for all; None when there is none.

        Args:
            said: party → its status, of all that ended their part.
            cohort: who is still in the study.
            keeps: who counts as there whatever they said, since nothing more is needed of them in
                this round.
        """

    def check_place(
        self,
        number: int,
        name: str,
        cohort: tuple[str, ...],
        before: tuple[str, ...],
    ) -> None:
        """Refuse a round to which the others go on without hospital ``name``.

        Raises:
            LeftOutError: they do.
        """

    def check_in_time(self, board: Board, announced: AnnouncedRound) -> None:
        """Refuse a round that is too far for a contribution: nothing is trained for it.

        Raises:
            LeftOutError: it is.
            StoreError: the store is away; call again.
        """

    def left_behind(self) -> RoundError | None:
        """The error of a hospital without which the study was completed; None where it is never."""

    def own_context(self, context: RoundContext, site: str) -> RoundContext:
        """The facts of the sum that a hospital's contribution is part of: those of its group, where
        hospitals are summed by groups, else of the round.
        """

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
        """Write the noised ``values`` (int64[length]) encrypted, masked and signed.

        Raises:
            RoundError: the values do not fit.
        """

    def unmasking_stage(
        self,
        context: RoundContext,
        kept: Kept,
        keys: HospitalKeys,
        records: RecordKeeper | None,
    ) -> UnmaskingStage | None:
        """The rest of what the hospital says in the round; None where that is nothing.

        Args:
            context: of the round.
            kept: its contribution, which is durable.
            keys: its keys.
            records: makes what it says durable.
        """

    def open(
        self,
        exchange: Exchange,
        context: RoundContext,
        keys: RoundKeys,
        sign: Sign,
        memory: OpeningMemory,
    ) -> OpenedSum:
        """Collect a round that was announced, and open its sum once.

        Args:
            exchange: the door to the others.
            context: of the round.
            keys: of the round.
            sign: the coordinator's signature.
            memory: makes durable what is about to be opened, and what was is opened alone.

        Raises:
            RoundError: it was not complete in time.
            MessageError: the aggregator's sum or a contribution was refused.
        """

    def next_cohort(
        self,
        context: RoundContext,
        contributors: Collection[str],
        exchange: Exchange,
    ) -> tuple[str, ...]:
        """Whom the round after this one is announced to.

        Raises:
            RoundError: too few are left.
        """

    def contributors(
        self,
        context: RoundContext,
        later: UnmaskingStage | None,
    ) -> tuple[str, ...]:
        """Hospitals whose sum a finished round is, as a hospital knows them; empty where it does not.

        Args:
            context: of the round.
            later: the hospital's own part after its contribution.
        """

    def streamed_sum(
        self,
        context: RoundContext,
        later: UnmaskingStage | None,
        board: Board,
    ) -> AbstractContextManager[StreamedSum]:
        """Open the sum of a finished round's signed frames, a block of items at a time.

        Raises:
            RoundError: something is not there.
            MessageError: naming whose frame or shares are refused.
        """

    def missed_sum(
        self,
        context: RoundContext,
        board: Board,
    ) -> AbstractContextManager[tuple[tuple[str, ...], StreamedSum]]:
        """Open the sum of a round that went on without the one who reads it, and whose it is.

        Everything in it is signed by the coordinator and by those whose sum it is.

        Raises:
            RoundError: something is not there, or not as it was signed.
            MessageError: naming whose frame or shares are refused.
        """

    def aggregation(self, context: RoundContext) -> Aggregation:
        """An empty round, to add contributions to."""

    def recompute(self, board: Board, context: RoundContext) -> Recomputed:
        """Add a finished round again, and compare with the sum that the aggregator signed.

        Raises:
            RoundError: something is not there, or not as it was signed.
            MessageError: the sum is not that of the contributions.
        """


def round_strategy_of(plan: RoundPlan) -> RoundStrategy:
    """The kind of this study's rounds: ``groups`` and ``on_dropout`` say which."""
    if plan.draws_groups:
        return GroupCohort(plan)
    if plan.survives_losses:
        return SurvivorCohort(plan)
    return FullCohort(plan)
