"""Sum of a finished round read straight from the signed frames in the store.

All frames are open at once and read a block at a time: nothing is kept on disk, and memory grows
with the number of hospitals and not with the length of a frame. For whoever needs the sum once, as
a hospital that verifies a total.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from securefl.federation.evidence import present
from securefl.federation.round_board import RoundBoard
from securefl.secagg.envelope import Hashed
from securefl.secagg.frame import contribution_blocks, contribution_bytes
from securefl.secagg.proposer import Proposer
from securefl.secagg.sections import blocks_of
from securefl.secagg.streaming import add_survivors
from securefl.secagg.survivor_contribution import contribution_limit, head_limit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from securefl.boards.board import Board
    from securefl.boards.capped import CappedReader
    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.unmasking_stage import UnmaskingStage
    from securefl.secagg.round_context import RoundContext
    from securefl.secagg.survivors import Survivors
    from securefl.types import WordArray


@dataclass(frozen=True)
class StreamedSum:
    """Sum that is being read from its frames.

    Args:
        blocks: of the sum; it can be read once.
        frames: hospital to its frame as far as it was read, where nobody signed which frames are
            added; empty where the survivors did.
    """

    blocks: Iterator[WordArray]
    frames: Mapping[str, Hashed] = field(default_factory=dict)

    def unlike(self, said: Mapping[str, str]) -> list[str]:
        """Hospitals whose frame, read to its end, is another than was said: hex SHA-256 by name."""
        return sorted(site for site, frame in self.frames.items() if said.get(site) != frame.sha256)


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
    at, most = RoundBoard.of(board, context), contribution_bytes(context)
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
        yield StreamedSum(_added(context, streams), frames)


@contextmanager
def survivors_sum(
    plan: RoundPlan, later: UnmaskingStage, survivors: Survivors, board: Board
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
        yield StreamedSum(added)


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
