"""The aggregator: adds ciphertexts that it cannot open, and signs what it added.

It holds no key to the sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.federation.tempfiles import disk_errors, open_tempfile
from securefl.secagg.envelope import write_frame
from securefl.secagg.frame import write_sum
from securefl.secagg.streaming import sum_head_bytes, write_survivors_sum

if TYPE_CHECKING:
    from typing import BinaryIO

    from securefl.federation.full_round import FullRound
    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.survivor_round import SurvivorRound
    from securefl.identity import Identity


class Aggregator:
    """Adds the contributions of one study's rounds."""

    def __init__(self, plan: RoundPlan, identity: Identity) -> None:
        self.plan = plan
        self._me = identity

    def add(self, arrivals: FullRound) -> BinaryIO:
        """The signed sum of one round that every hospital contributed to: a nameless file, at its
        beginning.

        Raises:
            RoundError: naming the hospitals that are missing.
            StoreError: this machine's disk is full.
        """
        me, total = self._me, open_tempfile()
        with disk_errors():
            write_sum(
                arrivals.facts,
                me.card.name,
                arrivals.sum_blocks(),
                total,
                parts=arrivals.parts,
                sign=me.sign,
            )
            total.seek(0)
        return total

    def add_survivors(self, tally: SurvivorRound) -> BinaryIO:
        """The signed sum over the survivors of one round, their masks taken off: a nameless file,
        at its beginning.

        Args:
            tally: with enough answers (:attr:`SurvivorRound.missing` empty) and every survivor's frame.

        Raises:
            MessageError: naming a dealer whose shares do not give its seeds, or the hospital whose
                frame is refused.
            RoundError: too few answers.
            StoreError: this machine's disk is full.
        """
        me, total = self._me, open_tempfile()
        with disk_errors():
            place = sum_head_bytes(tally.survivors, me.card.name)
            write_frame(
                total,
                place,
                lambda file: write_survivors_sum(
                    tally.survivors, tally.sum_blocks(), file, me.card.name, me.sign
                ),
            )
            total.seek(0)
        return total
