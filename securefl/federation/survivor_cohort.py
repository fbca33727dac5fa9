"""Round that survives losses: opened over all that came by the deadline.

Signed by them, unmasked by them. Who was lost comes back in a later round, if it says so.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.errors import LeftOutError, MessageError, RoundError, UsageError
from securefl.federation.evidence import Recomputed, missing_error, present, reading
from securefl.federation.messages import Announcement
from securefl.federation.opened_sum import OpenedSum
from securefl.federation.round_board import RoundBoard
from securefl.federation.round_plan import card_of
from securefl.federation.streamed_sum import StreamedSum, StreamedWhole, survivors_sum
from securefl.federation.survivor_round import SurvivorRound
from securefl.federation.unmasking_stage import UnmaskingStage
from securefl.secagg.envelope import write_frame
from securefl.secagg.masks import pair_seed
from securefl.secagg.streaming import open_survivors, sum_limit
from securefl.secagg.sum import same_sum
from securefl.secagg.survivor_contribution import head_bytes, spool_contribution
from securefl.secagg.survivors import read_proposal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from contextlib import AbstractContextManager
    from typing import BinaryIO

    from numpy.typing import NDArray

    from securefl.boards.board import Board
    from securefl.federation.checked_round import AnnouncedRound
    from securefl.federation.exchange import Exchange
    from securefl.federation.hospital_keys import HospitalKeys
    from securefl.federation.messages import Status
    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.round_strategy import Kept
    from securefl.federation.run_memory import OpeningMemory
    from securefl.federation.unmasking_stage import RecordKeeper
    from securefl.secagg.cipher import RoundKeys, SumCipher
    from securefl.secagg.group_draw import Groups, Lot
    from securefl.secagg.publickey import PublicKey
    from securefl.secagg.round_context import RoundContext
    from securefl.types import Sign

_CHARGED: Final = "The study has ended here; its budget stays charged."


class SurvivorCohort:
    """Implements :class:`securefl.federation.round_strategy.RoundStrategy`."""

    needs_records: Final = True
    needs_lot: bool = False
    announcement: type[Announcement] = Announcement

    def __init__(self, plan: RoundPlan) -> None:
        self._plan = plan

    # --- rules that follow from the study

    def groups(self, number: int, lot: Callable[[], Lot]) -> Groups:  # noqa: ARG002 - the interface
        """None: all make one sum."""
        return ()

    def allows(self, cohort: tuple[str, ...], before: tuple[str, ...]) -> bool:
        """Enough of those that were left."""
        return (
            list(cohort) == sorted(set(cohort))
            and set(cohort) <= set(before)
            and len(cohort) >= self._plan.study.secagg.min_contributors
        )

    def round_digest(self, context: RoundContext) -> str:
        """See :class:`RoundStrategy`."""
        return self._plan.terms(context).round_digest

    def ending_departure(
        self,
        said: Mapping[str, Status],
        cohort: tuple[str, ...],
        keeps: frozenset[str],
    ) -> Status | None:
        """Find the word that ends the study.

        The aggregator's, a withdrawal where the study says that it ends then, or the one with which
        too few hospitals are left.
        """
        study = self._plan.study
        for name, word in sorted(said.items()):
            if name == study.aggregator.name or (
                name in cohort
                and word.code == "withdrawn"
                and study.exit.on_withdrawal == "study-ends"
            ):
                return word
        gone = [word for name, word in sorted(said.items()) if name in cohort and name not in keeps]
        gone.sort(key=lambda word: (word.cause != "", word.site))
        if len(cohort) - len(gone) < study.secagg.min_contributors:
            return gone[0]
        return None

    # --- a hospital

    def check_place(
        self,
        number: int,
        name: str,
        cohort: tuple[str, ...],
        before: tuple[str, ...],
    ) -> None:
        """See :class:`RoundStrategy`."""
        if name in before and name not in cohort:
            raise LeftOutError(
                "The others go on without this hospital.",
                round=number,
                whose="this hospital",
                next_step=_CHARGED,
            )

    def check_in_time(self, board: Board, announced: AnnouncedRound) -> None:
        """Refuse a round whose survivors are proposed already: this hospital is not among them.

        Anybody can write into the store: only what the coordinator signed for exactly this round is
        its proposal.
        """
        coordinator = self._plan.coordinator
        try:
            terms = self._plan.terms(announced.checked_context())
            proposal = RoundBoard.of(board, terms.facts).proposal(terms).read()
            if proposal is None:
                return
            read_proposal(proposal, terms, coordinator.name, coordinator)
        except MessageError:
            return
        raise LeftOutError(
            "The others go on without this hospital: it was not there in time.",
            round=announced.said.round,
            whose="this hospital",
            next_step=_CHARGED,
        )

    def left_behind(self) -> RoundError:
        """See :class:`RoundStrategy`."""
        return RoundError(
            "The study was completed without this hospital: it was not there in time.",
            whose="this hospital",
            next_step=_CHARGED,
        )

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
        """See :class:`RoundStrategy`. What it deals to the others stands before its ciphertexts."""
        terms = self._plan.terms(context)
        cards = {p.name: card_of(p) for p in self._plan.study.participants}
        write_frame(
            file,
            head_bytes(terms, keys.name),
            lambda behind: spool_contribution(
                values,
                behind,
                terms=terms,
                public=public,
                me=keys.name,
                secrets=keys.pair_secrets,
                cards=cards,
                sign=keys.identity.sign,
                cipher=cipher,
            ),
        )

    def unmasking_stage(
        self,
        context: RoundContext,
        kept: Kept,
        keys: HospitalKeys,
        records: RecordKeeper | None,
    ) -> UnmaskingStage:
        """See :class:`RoundStrategy`.

        Raises:
            UsageError: without ``records``.
        """
        if records is None:
            raise UsageError(
                "A study that goes on after a loss needs a keeper of records.",
                next_step="Pass records.",
            )
        terms = self._plan.terms(context)
        seeds = {
            site: pair_seed(keys.pair_secrets[site], terms.round_digest)
            for site in context.cohort
            if site != keys.name
        }
        head = kept.head(head_bytes(terms, keys.name))
        return UnmaskingStage(
            plan=self._plan,
            identity=keys.identity,
            terms=terms,
            pair_seeds=seeds,
            head=head,
            keep=records,
        )

    def contributors(
        self,
        context: RoundContext,  # noqa: ARG002 - the interface
        later: UnmaskingStage | None,
    ) -> tuple[str, ...]:
        """Those whom this hospital signed for."""
        if later is None or later.survivors is None:
            return ()
        return later.survivors.names

    def streamed_sum(
        self,
        context: RoundContext,  # noqa: ARG002 - the interface
        later: UnmaskingStage | None,
        board: Board,
    ) -> AbstractContextManager[StreamedSum]:
        """See :class:`RoundStrategy`.

        Raises:
            UsageError: this hospital signed no survivor set.
        """
        if later is None or later.survivors is None:
            raise UsageError("This hospital signed no survivor set.", next_step="Sign one first.")
        return survivors_sum(self._plan, later, later.survivors, board)

    @contextmanager
    def missed_sum(
        self,
        context: RoundContext,
        board: Board,
    ) -> Iterator[tuple[tuple[str, ...], StreamedSum]]:
        """See :class:`RoundStrategy`."""
        coordinator = self._plan.study.coordinator.name
        at = RoundBoard.of(board, context)
        with closing(self.aggregation(context)) as arrivals:
            self._read_survivors(at, arrivals, coordinator)
            arrivals.poll_answers(board)
            state = arrivals.state
            if not state.agreed or not state.unmasked:
                raise missing_error(f"answer of {', '.join(state.waiting_for)}")
            yield state.survivors.names, StreamedWhole(arrivals.sum_blocks())

    # --- the coordinator

    def open(
        self,
        exchange: Exchange,
        context: RoundContext,
        keys: RoundKeys,
        sign: Sign,
        memory: OpeningMemory,
    ) -> OpenedSum:
        """See :class:`RoundStrategy`."""
        study = self._plan.study
        seconds = float(study.schedule.round_deadline)
        with closing(self.aggregation(context)) as arrivals:
            proposal = memory.survivors()
            if proposal is not None:
                # hospitals may have signed it: there is no other in this round
                arrivals.read_proposal(proposal)
            exchange.gather(arrivals, seconds)
            state = arrivals.state
            if proposal is None:
                proposal = state.propose(study.coordinator.name, sign)
                memory.keep_survivors(proposal)
            state.check_frames()
            claimed = exchange.conclude(arrivals, proposal, seconds)
            # block by block: recomputed from what the survivors signed, compared with the
            # aggregator's, and only then decrypted
            blocks = same_sum(claimed.blocks(), arrivals.sum_blocks(), study.aggregator.name)
            values = np.empty(context.length, dtype=np.int64)
            memory.intend(state.survivors.frames)
            open_survivors(keys, blocks, state.survivors, values)
            size = max(state.heads[s].head.frame_bytes for s in state.survivors.names)
        return OpenedSum(values, dict(state.survivors.frames), claimed.sha256, size)

    def next_cohort(
        self,
        context: RoundContext,
        contributors: Collection[str],
        exchange: Exchange,
    ) -> tuple[str, ...]:
        """Those who contributed or come back, and have not ended their part since.

        Raises:
            RoundError: there is another round, and too few are left for it.
        """
        least = self._plan.study.secagg.min_contributors
        gone = exchange.gone()
        there = {*contributors, *exchange.back(context, contributors)}
        cohort = tuple(site for site in sorted(there) if site not in gone)
        if context.round < self._plan.last_round and len(cohort) < least:
            raise RoundError(
                f"{len(cohort)} hospitals are left after round {context.round}, and {least} must"
                " be.",
                whose=", ".join(sorted(gone)),
                next_step="The study ends here, what was charged stays charged.",
            )
        return cohort

    # --- the aggregator, and whoever verifies

    def aggregation(self, context: RoundContext) -> SurvivorRound:
        """See :class:`RoundStrategy`."""
        return SurvivorRound(self._plan, self._plan.terms(context))

    def recompute(self, board: Board, context: RoundContext) -> Recomputed:
        """See :class:`RoundStrategy`, with who signed the survivor set."""
        coordinator = self._plan.study.coordinator.name
        aggregator = self._plan.study.aggregator.name
        at = RoundBoard.of(board, context)
        with closing(self.aggregation(context)) as arrivals:
            self._read_survivors(at, arrivals, coordinator)
            state = arrivals.state
            what = f"sum of round {context.round}"
            arrivals.poll_answers(board)
            if not state.agreed or not state.unmasked:
                kind = "signature"
                if state.agreed:
                    kind = "answer"
                raise missing_error(f"{kind} of {', '.join(state.waiting_for)}")
            with (
                reading(what, aggregator),
                at.sum(sum_limit(state.survivors)).open() as file,
            ):
                claimed = arrivals.check_sum(present(file, what))
            for _ in same_sum(claimed.blocks(), arrivals.sum_blocks(), aggregator):
                pass
            parts = dict(state.survivors.frames)
            frames = {site: arrivals.frame_hashes[site] for site in parts}
            return Recomputed(
                parts,
                frames,
                claimed.sha256,
                tuple(sorted(state.agreements)),
            )

    def _read_survivors(
        self,
        at: RoundBoard,
        arrivals: SurvivorRound,
        coordinator: str,
    ) -> None:
        """The survivor set, and every frame that it names."""
        what = f"survivor set of round {arrivals.terms.facts.round}"
        with reading(what, coordinator):
            arrivals.read_proposal(present(at.proposal(arrivals.terms).read(), what))
        arrivals.poll_frames(at.board)
        heads = arrivals.state.heads
        absent = [
            site
            for site, sha256 in arrivals.state.survivors.frames.items()
            if site not in heads or heads[site].sha256 != sha256
        ]
        if absent:
            raise missing_error(
                f"contribution of {', '.join(absent)} that the survivors signed for",
                f"{', '.join(absent)}, or whoever can write into the store",
            )
