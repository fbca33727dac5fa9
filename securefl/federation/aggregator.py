"""The aggregator: adds ciphertexts that it cannot open, and signs what it added.

It holds no key to the sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.federation.tempfiles import disk_errors, open_tempfile

if TYPE_CHECKING:
    from typing import BinaryIO

    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.round_strategy import Aggregation
    from securefl.identity import Identity


class Aggregator:
    """Adds the contributions of one study's rounds."""

    def __init__(self, plan: RoundPlan, identity: Identity) -> None:
        self.plan = plan
        self._me = identity

    def add(self, arrivals: Aggregation) -> BinaryIO:
        """The signed sum of a complete round: a nameless file, at its beginning.

        Raises:
            RoundError: contributions or answers are missing.
            MessageError: naming whose frame or shares do not hold.
            StoreError: this machine's disk is full.
        """
        total = open_tempfile()
        with disk_errors():
            arrivals.write_sum(total, self._me.card.name, self._me.sign)
            total.seek(0)
        return total
