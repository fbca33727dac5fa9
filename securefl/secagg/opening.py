"""The coordinator opens one complete sum as exact integers, or nothing."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from securefl.errors import RoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from securefl.secagg.cipher import RoundKeys
    from securefl.secagg.facts import RoundFacts


@dataclass(frozen=True)
class OpenedSum:
    """What a round releases beside the integers: how many contributed.

    ``noise_share`` is the largest encryption noise as a share of what would change an integer, rounded up to twentieths:
    for the coordinator's own screen.
    """

    contributors: int
    noise_share: float


def open_sum(
    keys: RoundKeys, blocks: Iterable[NDArray[np.uint64]], facts: RoundFacts, into: NDArray[np.int64], contributors: int | None = None
) -> OpenedSum:
    """Decrypt a complete sum, once, into ``into``: int64[d], the exact integers.

    Args:
        keys: the round's key pair; its secret half is erased whatever the outcome.
        blocks: uint64[n, 2, 4096] at a time, recomputed from the signed contributions where possible.
        facts: the facts of the round.
        into: what it holds after a failure is no result: throw it away, and show it to nobody.
        contributors: how many contributions make the sum, which every canary must be; the whole cohort unless said.

    Raises:
        RoundError: the key is not the one the facts name, was used before, or the sum is not complete (noise outside the
            margin, a canary that is not the number of contributors, a field out of range, ciphertexts missing).
        UsageError: blocks that are no ciphertexts of this round's shape.
        MessageError: out of ``blocks``.
    """
    layout = facts.layout
    count = layout.contributors if contributors is None else contributors
    done, noise = 0, 0.0
    try:
        if keys.public.sha256 != facts.public_key_sha256:
            raise _not_opened("this key pair is not the one that the facts of the round name", "the coordinator")
        with closing(keys.open_blocks(blocks, layout)) as opened:  # closing it lets go of the key at once
            for messages, share in opened:
                place = done * layout.values_per_chunk
                length = min(facts.length - place, len(messages) * layout.values_per_chunk)
                if length < 1:
                    raise _not_opened("it has more ciphertexts than the round", "the aggregator")
                values, canaries = layout.unpack(messages, length, count)
                if np.any(canaries != count):
                    raise _not_opened(
                        f"it does not hold exactly one contribution of each of the {count} hospitals",
                        "the aggregator, or a hospital that sent a malformed contribution",
                    )
                into[place : place + length] = values
                done, noise = done + len(messages), max(noise, share)
        if done != facts.chunks:
            raise _not_opened("it has fewer ciphertexts than the round", "the aggregator")
    finally:
        keys.erase()
    return OpenedSum(count, noise)


def _not_opened(why: str, whose: str) -> RoundError:
    return RoundError(
        f"The sum does not open: {why}; nothing was released.",
        whose=whose,
        next_step="Start a new attempt; if it fails again, let every hospital verify the round.",
    )
