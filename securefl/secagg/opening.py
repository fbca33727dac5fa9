"""The coordinator opens one complete sum as exact integers, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from securefl.errors import RoundError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from securefl.secagg.cipher import RoundKeys
    from securefl.secagg.facts import RoundFacts


@dataclass(frozen=True, eq=False)
class OpenedSum:
    """What a round releases.

    ``values`` is int64[d], the exact sum over the cohort. ``noise_share`` is the largest encryption noise as a share of
    what would change an integer, rounded up to twentieths: for the coordinator's own screen.
    """

    values: NDArray[np.int64]
    contributors: int
    noise_share: float


def open_sum(keys: RoundKeys, ciphertext: NDArray[np.uint64], facts: RoundFacts) -> OpenedSum:
    """Decrypt a complete sum, once.

    Args:
        keys: the round's key pair; its secret half is erased whatever the outcome.
        ciphertext: uint64[chunks, 2, 4096], the sum recomputed from the signed contributions.
        facts: the facts of the round.

    Raises:
        RoundError: the key is not the one the facts name, was used before, or the sum is not complete (noise outside
            the margin, a canary that is not K, a field out of range). Nothing is released.
        UsageError: not a ciphertext of this round's shape.
    """
    layout = facts.layout
    try:
        if keys.public.sha256 != facts.public_key_sha256:
            raise RoundError(
                "This key pair is not the one that the facts of the round name; nothing was decrypted.",
                whose="the coordinator",
                next_step="Open the round with its own key pair.",
            )
        messages, noise_share = keys.open_once(ciphertext, layout)
    finally:
        keys.erase()
    values, canaries = layout.unpack(messages, facts.length)
    if np.any(canaries != layout.contributors):
        raise RoundError(
            f"The sum does not hold exactly one contribution of each of the {layout.contributors} hospitals; "
            "nothing was released.",
            whose="the aggregator, or a hospital that sent a malformed contribution",
            next_step="Start a new attempt; if it fails again, let every hospital verify the round.",
        )
    return OpenedSum(values, layout.contributors, noise_share)
