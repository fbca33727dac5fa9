"""Memory of a coordinator's run: what is durable before it is used.

A coordinator that was killed and is started again goes on with the same bytes. In one round it
makes durable, in this order (:data:`STEPS`):

1. ``round``: the announcement with key and sealed model as they are posted, and the round's secret
   key, before any of them is posted. A round is announced in one wording, ever.
2. ``survivors``: in a study that goes on after a loss the survivor set, before a hospital sees it.
3. ``intent``: the contributions whose sum is about to be opened, before it is. A sum of others is
   refused afterwards: it is opened to the same integers or not at all.
4. ``total``: the opened integers, the round's record and the opening that is shown, before anybody
   is told. Then the secret key is erased.

Whatever comes between two of them can be done again from what is durable, to the same bytes. The
home on disk is :class:`securefl.researcher.durable_run.DurableRun`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from securefl.errors import RoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from securefl.federation.checked_round import Broadcast
    from securefl.federation.round_record import RoundRecord
    from securefl.secagg.total_check import RoundSecret
    from securefl.types import IntArray

#: Durable writes of a coordinator in one round, in order; ``survivors`` only where a study goes on
#: after a loss.
STEPS: Final = ("round", "survivors", "intent", "total")


@dataclass(frozen=True)
class KeptRound:
    """A round that may have been announced: its bytes, and its secret key."""

    given: Broadcast
    secret: RoundSecret


@dataclass(frozen=True)
class FinishedRound:
    """A round whose sum was opened.

    Args:
        announcement: as it was posted.
        record: of the round.
        total: int64[length], the opened sum.
        opening: as it is shown to the participants; empty where it is shown to nobody.
    """

    announcement: bytes
    record: RoundRecord
    total: IntArray
    opening: bytes


class OpeningMemory(Protocol):
    """Memory of one round's opening."""

    def survivors(self) -> bytes | None:
        """The survivor set that hospitals may have seen, signed; None where there is none."""

    def keep_survivors(self, proposal: bytes) -> None:
        """Make the signed survivor set durable; before a hospital sees it."""

    def intend(self, parts: Mapping[str, str]) -> None:
        """Make durable whose contributions are about to be opened; before they are.

        Args:
            parts: hospital → the hash of its frame.

        Raises:
            RoundError: the sum of others may have been opened before.
        """


class RunMemory(Protocol):
    """Memory of one study's run."""

    def finished(self) -> Iterable[FinishedRound]:
        """Rounds whose sums were opened, from the first on.

        Raises:
            UnreadableError: what was kept was altered or damaged.
        """

    def begun(self, number: int) -> KeptRound | None:
        """The round of that number, where it may have been announced and is not finished.

        Raises:
            UnreadableError: as :meth:`finished`.
        """

    def begin(
        self,
        number: int,
        given: Broadcast,
        secret: RoundSecret,
    ) -> None:
        """Make a round durable; before anything of it is posted."""

    def opening(self, number: int) -> OpeningMemory:
        """Memory of that round's opening."""

    def finish(self, finished: FinishedRound) -> None:
        """Make an opened round durable, then erase its secret key; before anybody is told."""


class NoMemory:
    """Memory of a run that ends with its process: simulations, measurements, tests.

    Implements :class:`RunMemory` and :class:`OpeningMemory`.
    """

    def finished(self) -> Iterable[FinishedRound]:
        """None."""
        return ()

    def begun(self, number: int) -> KeptRound | None:
        """None."""

    def begin(
        self,
        number: int,
        given: Broadcast,
        secret: RoundSecret,
    ) -> None:
        """Nothing is kept."""

    def opening(self, number: int) -> OpeningMemory:  # noqa: ARG002 - the interface
        """Nothing is kept."""
        return self

    def survivors(self) -> bytes | None:
        """None."""

    def keep_survivors(self, proposal: bytes) -> None:
        """Nothing is kept."""

    def intend(self, parts: Mapping[str, str]) -> None:
        """Nothing is kept."""

    def finish(self, finished: FinishedRound) -> None:
        """Nothing is kept."""


def check_same_parts(
    number: int,
    before: Mapping[str, str],
    parts: Mapping[str, str],
) -> None:
    """Check that the sum about to be opened is that of the contributions that it was before.

    Two sums under one key differ by a hospital's contribution.

    Args:
        number: of the round.
        before: hospital → hash of its frame, as it was about to be opened before.
        parts: the same now.

    Raises:
        RoundError: it is another.
    """
    if dict(before) == dict(parts):
        return
    sites = sorted(set(before) | set(parts))
    other = ", ".join(site for site in sites if before.get(site) != parts.get(site))
    raise RoundError(
        f"The sum of round {number} may have been opened before this process began, and the"
        f" contribution of {other} is not the one that was in it. A sum is opened once.",
        whose=f"{other}, or whoever can write into the store",
        next_step="The study ends here, what was charged stays charged.",
    )
