"""Sum of a finished round read straight from the signed frames in the store.

All frames are open at once and read a block at a time: nothing is kept on disk, and memory grows
with the number of hospitals and not with the length of a frame. For whoever needs the sum once, as
a hospital that verifies a total.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from securefl.federation.evidence import present
from securefl.federation.round_board import RoundBoard
from securefl.secagg.envelope import Hashed
from securefl.secagg.frame import contribution_blocks, contribution_bytes
from securefl.secagg.opening import open_sum
from securefl.secagg.proposer import Proposer
from securefl.secagg.sections import blocks_of
from securefl.secagg.streaming import add_survivors
from securefl.secagg.survivor_contribution import contribution_limit, head_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from securefl.boards.board import Board
    from securefl.boards.capped import CappedReader
    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.unmasking_stage import UnmaskingStage
    from securefl.secagg.cipher import RoundKeys
    from securefl.secagg.round_context import RoundContext
    from securefl.secagg.survivors import Survivors
    from securefl.types import IntArray, WordArray


class StreamedSum(ABC):
    """Sum that is being read from its frames. It can be read once.

    Attributes:
        frames: hospital to its frame as far as it was read, where nobody signed which frames are
            added; empty where the survivors did.
    """

    frames: Mapping[str, Hashed]

    @abstractmethod
    def open(
        self,
        keys: Callable[[], RoundKeys],
        facts: RoundContext,
        contributors: int,
        round_digest: str,
    ) -> IntArray:
        """The round's total, int64[length].

        Args:
            keys: makes the round's key pair, which opens one sum.
            facts: of the round.
            contributors: how many contributions make the sum.
            round_digest: of the round.

        Raises:
            RoundError: the key does not open it.
            MessageError: naming whose frame is refused.
        """

    @abstractmethod
    def read_to_end(self) -> None:
        """Read what is left of the frames: a frame has its hash once it was read to its end.

        Raises:
            MessageError: naming whose frame is refused.
        """

    def unlike(self, said: Mapping[str, str]) -> list[str]:
        """Hospitals whose frame, read to its end, is another than was said: hex SHA-256 by name."""
        return sorted(site for site, frame in self.frames.items() if said.get(site) != frame.sha256)


@dataclass(frozen=True)
class StreamedWhole(StreamedSum):
    """Sum of all contributors at once.

    Args:
        blocks: of the sum; it can be read once.
        frames: see :class:`StreamedSum`.
    """

    blocks: Iterator[WordArray]
    frames: Mapping[str, Hashed] = field(default_factory=dict)

    def open(
        self,
        keys: Callable[[], RoundKeys],
        facts: RoundContext,
        contributors: int,
        round_digest: str,
    ) -> IntArray:
        """See :class:`StreamedSum`."""
        values = np.empty(facts.length, dtype=np.int64)
        open_sum(
            keys(),
            self.blocks,
            facts,
            values,
            contributors,
            round_digest=round_digest,
        )
        return values

    def read_to_end(self) -> None:
        """See :class:`StreamedSum`."""
        for _ in self.blocks:
            pass


@dataclass(frozen=True)
class StreamedGroups(StreamedSum):
    """Sums of disjoint groups, and the total that is made of them.

    Args:
        sums: of each group, with its facts.
        combine: makes the total of the facts of the round and the groups' sums.
    """

    sums: Sequence[tuple[RoundContext, StreamedSum]]
    combine: Callable[[RoundContext, Sequence[IntArray]], IntArray]

    @property
    def frames(self) -> Mapping[str, Hashed]:  # type: ignore[override]
        """See :class:`StreamedSum`."""
        found: dict[str, Hashed] = {}
        for _, one in self.sums:
            found |= one.frames
        return found

    def open(
        self,
        keys: Callable[[], RoundKeys],
        facts: RoundContext,
        contributors: int,  # noqa: ARG002 - each group has as many as its facts say
        round_digest: str,  # noqa: ARG002 - a group's numbers are bound to its own digest
    ) -> IntArray:
        """See :class:`StreamedSum`."""
        totals = [
            one.open(keys, group, len(group.cohort), group.digest()) for group, one in self.sums
        ]
        return self.combine(facts, totals)

    def read_to_end(self) -> None:
        """See :class:`StreamedSum`."""
        for _, one in self.sums:
            one.read_to_end()


@contextmanager
def full_sum(
    plan: RoundPlan,
    context: RoundContext,
    board: Board,
) -> Iterator[StreamedSum]:
    """Open the sum of a whole cohort, a block of items at a time.

    Raises:
        RoundError: a frame is not there.
        MessageError: naming the hospital whose frame is refused.
    """
    at = RoundBoard.of(board, context)
    most = contribution_bytes(context)
    with _frames(
        at,
        context.cohort,
        most,
    ) as files:
        frames = {site: Hashed(files[site]) for site in context.cohort}
        streams = [
            contribution_blocks(
                frames[site],
                context,
                site,
                plan.hospital(site),
            )
            for site in context.cohort
        ]
        yield StreamedWhole(_added(context, streams), frames)


@contextmanager
def survivors_sum(
    plan: RoundPlan,
    later: UnmaskingStage,
    survivors: Survivors,
    board: Board,
) -> Iterator[StreamedSum]:
    """Open the sum of the survivors that this hospital signed, what does not cancel taken off.

    Raises:
        RoundError: a frame, or too many answers, are not there.
        MessageError: naming whose frame or shares are refused.
    """
    terms = later.terms
    at = RoundBoard.of(board, terms.facts)
    state = Proposer(terms, plan.verify)
    state.adopt(survivors)
    for site in survivors.names:
        head = at.contribution(site, head_limit(terms)).read_head(head_limit(terms))
        state.add_named(later.read(site, head))
    for site in sorted(set(at.with_answer()).intersection(survivors.names)):
        data = at.answer(site, survivors).read_as(bytes)
        if data is not None:
            state.add_answer(site, data)
    unmasking = state.unmasking()
    with _frames(
        at,
        survivors.names,
        contribution_limit(terms),
    ) as files:
        added = add_survivors(
            unmasking,
            files,
            plan.verify,
        )
        yield StreamedWhole(added)


@contextmanager
def _frames(
    at: RoundBoard,
    names: Sequence[str],
    most: int,
) -> Iterator[dict[str, CappedReader]]:
    """Open the frames of all named hospitals."""
    with ExitStack() as stack:
        files = {}
        for site in names:
            file = stack.enter_context(at.contribution(site, most).open())
            files[site] = present(file, f"contribution of {site}")
        yield files


def _added(context: RoundContext, streams: Sequence[Iterator[WordArray]]) -> Iterator[WordArray]:
    for section, _, _ in blocks_of(context.sections):
        total = next(streams[0])
        for stream in streams[1:]:
            total = section.add(total, next(stream))
        yield total
    # To the end of each file, where its reader checks that nothing follows.
    for stream in streams:
        next(stream, None)
