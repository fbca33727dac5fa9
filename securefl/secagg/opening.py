"""Opening of one complete sum by the coordinator, as exact integers or not at all."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from securefl.errors import RoundError, UsageError
from securefl.secagg.additive import NumberKey, open_numbers, shared_elements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from securefl.secagg.cipher import RoundKeys
    from securefl.secagg.number_layout import NumberLayout
    from securefl.secagg.round_context import RoundContext
    from securefl.types import IntArray, WordArray


@dataclass(frozen=True)
class OpenedSum:
    """Release of a round beside the integers: how many contributed.

    ``noise_share`` is the largest encryption noise as a share of what would change an integer,
    rounded up to twentieths: for the coordinator's own screen.
    """

    contributors: int
    noise_share: float


def open_sum(
    keys: RoundKeys,
    blocks: Iterable[WordArray],
    facts: RoundContext,
    into: IntArray,
    contributors: int | None = None,
    *,
    round_digest: str = "",
) -> OpenedSum:
    """Decrypt a complete sum, once, into ``into``: int64[d], the exact integers.

    Args:
        keys: the round's key pair; its secret half is erased whatever the outcome.
        blocks: the sum's body, a block of items at a time, recomputed from the signed contributions
            where possible.
        facts: the facts of the round.
        into: what it holds after a failure is no result: throw it away, and show it to nobody.
        contributors: how many contributions make the sum, which every canary must be; the whole
            cohort unless said.
        round_digest: what the shared elements are bound to; that of ``facts`` unless said.

    Raises:
        RoundError: the key is not the one the facts name, was used before, or the sum is not
            complete (noise outside the margin, a canary that is not the number of contributors, a
            field out of range, ciphertexts missing).
        UsageError: blocks that are no ciphertexts of this round's shape.
        MessageError: out of ``blocks``.
    """
    count = contributors
    if count is None:
        count = facts.layout.contributors
    body = _Body(blocks, facts)
    # The ciphertexts hold the numbers, or one key's coefficients: those never reach the caller.
    encrypted = into
    if facts.numbers is not None:
        encrypted = np.empty(facts.encrypted_length, dtype=np.int64)
    try:
        if keys.public.sha256 != facts.public_key_sha256:
            raise _not_opened(
                "this key pair is not the one that the facts of the round name", "the coordinator"
            )
        noise = _open_ciphertexts(keys, body, facts, encrypted, count)
    finally:
        keys.erase()
    if facts.numbers is not None:
        key = NumberKey.opened(facts.numbers.ring, encrypted, count)
        numbers = _Numbers(
            facts.numbers,
            facts.length,
            round_digest or facts.digest(),
            count,
        )
        try:
            noise = max(noise, numbers.open(body, key, into))
        finally:
            key.erase()
    body.check_end()
    return OpenedSum(count, noise)


class _Body:
    """Body of a sum as its blocks come, those of its ciphertexts first."""

    def __init__(self, blocks: Iterable[WordArray], facts: RoundContext) -> None:
        self._blocks = iter(blocks)
        self._sections = facts.sections

    def items(self, index: int) -> Iterator[WordArray]:
        """Read the blocks of one section, of any size.

        Raises:
            RoundError: there are fewer items than the round has.
            UsageError: a block that is none of this section's, or reaches into the next.
        """
        section = self._sections[index]
        missing = section.count
        while missing > 0:
            block = next(self._blocks, None)
            if block is None:
                raise _not_opened("it has fewer ciphertexts than the round", "the aggregator")
            if not section.contains(block) or len(block) > missing:
                raise UsageError(
                    f"A sum of this round is uint64[{section.count}, {section.item_shape[0]},"
                    f" {section.item_shape[1]}] of residues below their primes.",
                    next_step="Pass the blocks of a frame that was read by securefl.secagg.frame.",
                )
            missing -= len(block)
            yield block

    def behind_ciphertexts(self) -> Iterator[WordArray]:
        """Read the blocks of all other sections; raises as :meth:`items`."""
        for index in range(1, len(self._sections)):
            yield from self.items(index)

    def check_end(self) -> None:
        """Raise :class:`RoundError` where something follows the last section."""
        if next(self._blocks, None) is not None:
            raise _not_opened("it has more ciphertexts than the round", "the aggregator")


def _open_ciphertexts(
    keys: RoundKeys,
    body: _Body,
    facts: RoundContext,
    into: IntArray,
    count: int,
) -> float:
    """Open the ciphertexts' integers into ``into``; return the largest noise."""
    layout = facts.cipher_layout
    place = 0
    noise = 0.0
    # Closing the generator lets go of the key at once, whatever happens in between.
    with closing(keys.open_blocks(body.items(0), layout)) as opened:
        for messages, share in opened:
            length = min(into.size - place, len(messages) * layout.values_per_chunk)
            if length < 1:
                raise _not_opened("it has more ciphertexts than the round", "the aggregator")
            values, canaries = layout.unpack(messages, length, count)
            _check_canaries(canaries, count)
            into[place : place + length] = values
            place += length
            noise = max(noise, share)
    if place != into.size:
        raise _not_opened("it has fewer ciphertexts than the round", "the aggregator")
    return noise


@dataclass(frozen=True)
class _Numbers:
    """Numbers of a round under keys that add up, for whoever knows the sum of the keys.

    Args:
        layout: how they are packed.
        length: how many.
        round_digest: what the shared elements are bound to.
        contributors: how many contributions make the sum.
    """

    layout: NumberLayout
    length: int
    round_digest: str
    contributors: int

    def open(
        self,
        body: _Body,
        key: NumberKey,
        into: IntArray,
    ) -> float:
        """Open all elements into ``into``.

        Returns the largest error as a share of its room, rounded up to twentieths.
        """
        noise = 0.0
        element = 0
        for block in body.behind_ciphertexts():
            stop = element + len(block)
            shared = shared_elements(self.layout.ring, self.round_digest, element, stop)
            place = element * self.layout.values_per_element
            length = min(self.length - place, len(block) * self.layout.values_per_element)
            values, canaries, share = open_numbers(
                block,
                self.layout,
                key,
                shared,
                length=length,
                contributors=self.contributors,
            )
            _check_canaries(canaries, self.contributors)
            into[place : place + length] = values
            element = stop
            noise = max(noise, math.ceil(share * 20) / 20)
        return noise


def _check_canaries(canaries: IntArray, count: int) -> None:
    """Check that each item holds as many contributions as make the sum."""
    if np.any(canaries != count):
        raise _not_opened(
            f"it does not hold exactly one contribution of each of the {count} hospitals",
            "the aggregator, or a hospital that sent a malformed contribution",
        )


def _not_opened(why: str, whose: str) -> RoundError:
    """Make the error of a sum that does not open."""
    return RoundError(
        f"The sum does not open: {why}; nothing was released.",
        whose=whose,
        next_step="Start a new attempt; if it fails again, let every hospital verify the round.",
    )
