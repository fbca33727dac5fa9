"""Addition of a whole cohort's contributions, and its verification by anyone.

numpy only: no key, no SEAL. Contributions are added as they come, a block of ciphertexts at a time,
in memory while they are small, then in a private file: memory does not grow with d, and what was
checked is what is added, whatever becomes of the frames afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from securefl.errors import MessageError, RoundError
from securefl.secagg.envelope import Hashed
from securefl.secagg.frame import contribution_blocks
from securefl.secagg.residues import keep
from securefl.secagg.sections import blocks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO

    from securefl.secagg.envelope import Readable
    from securefl.secagg.residues import Kept
    from securefl.secagg.round_context import RoundContext
    from securefl.types import Verify, WordArray


class RunningSum:
    """Sum of the contributions to one round that have come so far.

    Close it: it is as large as a contribution.

    Args:
        facts: the adder's own facts of the round.
        spool: makes an empty file that nobody else can write.
        in_memory: the most bytes of residues that are added without a file.

    Attributes:
        parts: hospital → SHA-256 of its frame, of those that were added.
        frame_bytes: the size of the largest of them.
    """

    def __init__(
        self,
        facts: RoundContext,
        spool: Callable[[], BinaryIO],
        in_memory: int = 0,
    ) -> None:
        self.parts: dict[str, str] = {}
        self.frame_bytes = 0
        self._facts = facts
        self._spool = spool
        self._in_memory = in_memory
        self._total: Kept | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Hospitals of the cohort that were not added yet."""
        return tuple(name for name in self._facts.cohort if name not in self.parts)

    def add(
        self,
        frame: Readable,
        sender: str,
        verify: Verify,
    ) -> None:
        """Check a contribution and add it: all of it, or nothing.

        Args:
            frame: at its beginning; it is read once, to its end.
            sender: who is said to have sent it.
            verify: whether a signature (64 bytes) over a message is by that sender's rostered key.

        Raises:
            MessageError: naming the sender and the first check that failed; or it is its second.
        """
        if sender in self.parts:
            raise MessageError(
                f"The contribution of {sender} is its second to this round; it was not added.",
                whose=sender,
                next_step=f"Ask {sender} for its one contribution to this round.",
            )
        read = Hashed(frame)
        # The new sum goes to a place of its own: a frame that fails midway leaves the old one.
        blocks = contribution_blocks(read, self._facts, sender, verify)
        total = keep(self._added(blocks), self._facts.sections, self._spool, self._in_memory)
        self.close()
        self._total = total
        self.parts[sender] = read.sha256
        self.frame_bytes = max(self.frame_bytes, read.size)

    def blocks(self) -> Iterator[WordArray]:
        """Read the sum of the whole cohort, a block of items at a time.

        Raises:
            RoundError: hospitals are missing; it names them.
        """
        if self.missing or self._total is None:
            raise RoundError(
                f"No contribution of {', '.join(self.missing)}: nothing was added, and nothing can"
                " be opened.",
                whose=", ".join(self.missing),
                next_step=(
                    "Wait for the missing contributions until the deadline, or start a new attempt."
                ),
            )
        return self._total.blocks()

    def close(self) -> None:
        """Let go of what was added; harmless when repeated."""
        if self._total is not None:
            self._total.close()

    def _added(self, blocks: Iterator[WordArray]) -> Iterator[WordArray]:
        """Add ``blocks`` to what is there already."""
        if self._total is None:
            return blocks
        # The frame first: after its last block it is asked for its end.
        kept = self._total.blocks()
        plan = blocks_of(self._facts.sections)
        return (
            section.add(one, other)
            for one, other, (section, _, _) in zip(blocks, kept, plan, strict=True)
        )


def check_parts(
    claimed: Mapping[str, str],
    computed: Mapping[str, str],
    sender: str,
) -> None:
    """Check that a sum lists the contributions that are here.

    Raises:
        RoundError: naming ``sender``, the aggregator, and the hospitals whose frames differ: either
            may have shown two.
    """
    hospitals = sorted({*claimed, *computed})
    differ = ", ".join(s for s in hospitals if claimed.get(s) != computed.get(s))
    if differ:
        raise _not_the_sum(
            f"{sender}, or {differ}",
            f"{sender} added another contribution of {differ} than the one in the store; it was not"
            " decrypted",
        )


def same_sum(
    claimed: Iterator[WordArray],
    computed: Iterator[WordArray],
    sender: str,
) -> Iterator[WordArray]:
    """Hand out the computed blocks, as long as the claimed ones are the same.

    They are what the coordinator opens, block by block.

    Raises:
        RoundError: naming ``sender``: its sum is not that of the frames.
    """
    for ours in computed:
        theirs = next(claimed, None)
        if theirs is None or not np.array_equal(theirs, ours):
            raise _not_the_sum(
                sender,
                f"What {sender} sent is not the sum of the contributions; it was not decrypted to"
                " its end",
            )
        yield ours
    # To the end of the claimed frame, where its reader checks that nothing follows.
    next(claimed, None)


def _not_the_sum(whose: str, what: str) -> RoundError:
    """Make the error of a sum that is not that of the contributions."""
    return RoundError(
        f"{what[0].upper()}{what[1:]}.",
        whose=whose,
        next_step="Start a new attempt, and ask the aggregator's operator why.",
    )
