"""Exchange of a round: broadcast it, collect the replies by a deadline.

One interface; its homes are one process (:mod:`securefl.federation.local_exchange`) and the store
(:mod:`securefl.federation.store_exchange`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from securefl.study.longest_wait import duration_words

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import BinaryIO

    from securefl.boards.board import Board
    from securefl.federation.checked_round import Broadcast
    from securefl.federation.messages import Call
    from securefl.federation.survivor_round import SurvivorRound
    from securefl.federation.tempfiles import ClaimedSum
    from securefl.secagg.envelope import Readable
    from securefl.secagg.group_draw import Lot
    from securefl.secagg.round_context import RoundContext
    from securefl.types import Sign

#: Seconds from which on a wait is told in minutes.
_LONG: Final = 3600.0
#: Aggregator's sum as it was read and checked.
ClaimT = TypeVar("ClaimT")
ClaimT_co = TypeVar("ClaimT_co", covariant=True)


@dataclass(frozen=True)
class Waiting:
    """Whom a round waits for.

    Attributes:
        names: hospitals, or the aggregator.
        seconds: how long already.
        deadline: how long at most.
    """

    names: tuple[str, ...]
    seconds: float
    deadline: float

    def __str__(self) -> str:
        names = ", ".join(self.names)
        if self.deadline < _LONG:
            return f"waiting for {names} ({self.seconds:.0f} s of {self.deadline:.0f})"
        whole = duration_words(round(self.deadline / 60) * 60)
        return f"waiting for {names} ({self.seconds / 60:.0f} minutes of {whole})"


class Arrivals(Protocol[ClaimT_co]):
    """Contributions of a round that needs all of its hospitals, as far as they came: one sum
    (:class:`securefl.federation.full_round.FullRound`), or one of each group
    (:class:`securefl.federation.group_round.GroupRound`).
    """

    @property
    def facts(self) -> RoundContext:
        """Of the round."""

    @property
    def progress(self) -> tuple[int, ...]:
        """Progress of the round: it grows while something is going on."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Hospitals whose contribution is not there yet."""

    @property
    def waits_for(self) -> tuple[str, ...]:
        """The same, as a round of any kind says it."""

    @property
    def contributors(self) -> tuple[str, ...]:
        """Hospitals whose contribution was added."""

    @property
    def frame_bytes(self) -> int:
        """The size of the largest contribution; 0 before one came."""

    def missing_words(self) -> str:
        """The missing hospitals by name, each with what was found in its place."""

    def add_frame(self, site: str, frame: Readable) -> None:
        """Check one frame and add it; what is refused is as if it had not come."""

    def poll(self, board: Board) -> bool:
        """Add all that is new; whether the round is complete."""

    def poll_frames(self, board: Board) -> bool:
        """Add those that are new; whether there was one."""

    def poll_sum(self, board: Board) -> ClaimT_co | None:
        """What the aggregator signed for the round; None while there is nothing."""

    def write_sum(
        self,
        total: BinaryIO,
        sender: str,
        sign: Sign,
    ) -> None:
        """Write what the aggregator signs into an empty file."""

    def check_sum(self, file: Readable) -> ClaimT_co:
        """Read and check what the aggregator signed."""

    def close(self) -> None:
        """Let go of what was added; harmless when repeated."""


class Exchange(Protocol):
    """The coordinator's door to the others."""

    def assemble(
        self,
        call: Call,
        signed: bytes,
        seconds: float,
    ) -> Mapping[str, str]:
        """Ask every hospital whether it is ready, and wait until all say so.

        Returns hospital → nonce of the run of its agent. Nobody is charged before.

        Args:
            call: the coordinator's call, with a fresh nonce.
            signed: the same as it travels.
            seconds: how long they are waited for.

        Raises:
            EndedError: a hospital or the aggregator ended its part.
            RoundError: not all were ready in time; the text names who is awaited.
        """

    def broadcast(self, facts: RoundContext, given: Broadcast) -> None:
        """Make the round known to every hospital and the aggregator."""

    def lot(self) -> Lot:
        """The nonces of all hospitals, in a study that trains by groups; after :meth:`assemble`.

        Raises:
            RoundError: they are not all there, or not as they were committed to.
        """

    def collect(self, arrivals: Arrivals[ClaimT], seconds: float) -> ClaimT:
        """Take in every hospital's contribution, and wait for the aggregator's sum.

        Where the study has a ``longest_wait``, it may be waited for so long beside ``seconds``.
        Returns it, read and checked.

        Raises:
            RoundError: it did not come in time; the text names who is missing or what a hospital
                said.
        """

    def gather(self, arrivals: SurvivorRound, seconds: float) -> None:
        """Take in contributions, in a study that goes on after a loss.

        Until all that can come are there, or the time is over; in a study with a ``longest_wait``
        until enough are there, or that is over.

        Raises:
            RoundError: too few can come.
        """

    def conclude(
        self,
        arrivals: SurvivorRound,
        proposal: bytes,
        seconds: float,
    ) -> ClaimedSum:
        """Make the survivor set known, collect signatures, answers and the aggregator's sum.

        Returns the sum, read and checked.

        Raises:
            RoundError: something did not come in time; the text names who is silent.
        """

    def gone(self) -> frozenset[str]:
        """Hospitals that said that they ended their part."""

    def back(self, facts: RoundContext, contributors: Collection[str]) -> frozenset[str]:
        """Hospitals that were lost and say that they come back, with the runs of their agents.

        Args:
            facts: of the round that is over.
            contributors: whose sum it was.
        """

    def leave(self, number: int, transcript: bytes) -> None:
        """Leave the signed transcript of a round that is over where every participant finds it.

        Nothing that fails here ends a study: the round's sum is opened.
        """

    def show(self, number: int, opening: bytes) -> None:
        """Show the opening of a round to its participants, before the next one is announced.

        Raises:
            StoreError: the store is away: nobody would answer the next round.
        """
