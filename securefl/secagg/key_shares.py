r"""Dealing of a hospital's seeds in shares, so that others can finish the round without it.

It is the first chunk of a contribution's frame. The seeds, in this order: the self-mask seed, then
the pair seed with each neighbour in the order of their names. Each is shared
(:mod:`securefl.secagg.shamir`) among the holders: its neighbours and itself, in the order of their
names.

    1 + degree times               32 bytes   commitment to a seed:
                                              SHA-256(label | round digest | seed)
    holders times (1 + degree)     16 bytes   commitment to a share, cut:
                                              SHA-256(label | round digest | who deals | holder
                                                      | index | share)
    holders times                             packet: HPKE for that holder over its
                                              1 + degree shares, 36 bytes each

A commitment to a seed shows a wrong dealer, a commitment to a share a wrong holder; a pair's two
commitments to their common seed must be equal, so that a pair whose masks would not cancel is found
before anybody signs. Seeds have 256 bits of entropy and a share is uniform to whoever holds fewer
than the threshold, so the hashes hide them. A packet's HPKE context names round, dealer and holder:
it opens for nobody else and nowhere else. What is shared is good for this attempt only; the secrets
behind it are never shared.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from securefl.errors import MessageError, UntrustedError, UsageError
from securefl.secagg.shamir import SHARE_BYTES, read_shares, share_bytes, split
from securefl.signed import canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from securefl.identity import IdentityCard
    from securefl.secagg.survivor_terms import SurvivorTerms

    Unseal = Callable[[bytes, bytes], bytes]

#: HPKE with X25519 and ChaCha20-Poly1305 (RFC 9180): an encapsulated key and a tag.
SEAL_BYTES: Final = 48
SEED_COMMITMENT_BYTES: Final = 32
SHARE_COMMITMENT_BYTES: Final = 16

_SEED_LABEL: Final = b"securefl/secagg/seed-commitment/1"
_SHARE_LABEL: Final = b"securefl/secagg/share-commitment/1"
_PACKET_LABEL: Final = "securefl/secagg/packet/1"


def dealing_bytes(terms: SurvivorTerms) -> int:
    """Bytes of every hospital's dealing in this round."""
    # As many seeds as there are holders.
    seeds = terms.neighbours.degree + 1
    return seeds * (SEED_COMMITMENT_BYTES + packet_bytes(terms) + seeds * SHARE_COMMITMENT_BYTES)


def packet_bytes(terms: SurvivorTerms) -> int:
    """Bytes of every packet in this round."""
    return SEAL_BYTES + (terms.neighbours.degree + 1) * SHARE_BYTES


def packet_info(terms: SurvivorTerms, dealer: str, holder: str) -> bytes:
    """HPKE context of a packet."""
    return canonical([_PACKET_LABEL, terms.round_digest, dealer, holder])


def seed_commitment(terms: SurvivorTerms, seed: bytes) -> bytes:
    """Commit to a seed: 32 bytes, the same from both hospitals of a pair."""
    return sha256(_SEED_LABEL + terms.digest_bytes + seed).digest()


def deal(
    terms: SurvivorTerms,
    me: str,
    self_seed: bytes,
    pair_seeds: Mapping[str, bytes],
    *,
    cards: Mapping[str, IdentityCard],
    draw: Callable[[int], bytes],
) -> bytes:
    """Share this hospital's seeds and seal the shares.

    Args:
        terms: the terms of the round.
        me: who deals.
        self_seed: 32 random bytes, made for this contribution.
        pair_seeds: the pair seed with each neighbour.
        cards: each holder's card, ``me`` among them; its sealing key is used.
        draw: n bytes from the operating system's generator.

    Returns:
        :func:`dealing_bytes` bytes.

    Raises:
        UntrustedError: a holder's card is missing or its sealing key is unusable.
        UsageError: seeds that are not those of the neighbours.
    """
    near = terms.neighbours.of(me)
    holders = terms.neighbours.holders(me)
    if set(pair_seeds) != set(near):
        raise UsageError(
            f"{me} deals one pair seed for each neighbour.",
            next_step="Pass the seeds of all neighbours.",
        )
    missing = [name for name in holders if name not in cards]
    if missing:
        raise UntrustedError(
            f"No card of {', '.join(missing)}: no share can be sealed to it.",
            whose=", ".join(missing),
            next_step="Get the card, compare its fingerprint, and trust it.",
        )
    seeds = [self_seed, *(pair_seeds[name] for name in near)]
    shares = split(seeds, len(holders), terms.neighbours.share_threshold, draw)
    parts = [seed_commitment(terms, seed) for seed in seeds]
    prefixes = [_share_prefix(terms, me, holder) for holder in holders]
    for prefix, row in zip(prefixes, shares, strict=True):
        for index, share in enumerate(row):
            parts.append(_share_commitment(prefix, index, share_bytes(share)))
    for holder, row in zip(holders, shares, strict=True):
        context = packet_info(terms, me, holder)
        parts.append(cards[holder].seal(share_bytes(row), context))
    return b"".join(parts)


@dataclass(frozen=True, eq=False)
class Dealing:
    """Dealing as it came: of the right size and hash, its packets sealed.

    Holders check what they hold, the rest is checked as it is used. ``data`` are its
    :func:`dealing_bytes` bytes.
    """

    terms: SurvivorTerms
    dealer: str
    data: bytes

    @property
    def _seeds(self) -> int:
        """Number of seeds that were dealt."""
        return self.terms.neighbours.degree + 1

    def seed_index(self, neighbour: str | None) -> int:
        """Place of a seed: the self-mask seed for None, else the pair seed with ``neighbour``."""
        if neighbour is None:
            return 0
        return 1 + self.terms.neighbours.of(self.dealer).index(neighbour)

    def seed_commitment(self, index: int) -> bytes:
        """The dealer's commitment to seed ``index``."""
        start = index * SEED_COMMITMENT_BYTES
        return self.data[start : start + SEED_COMMITMENT_BYTES]

    def share_fits(
        self,
        holder: str,
        index: int,
        share: bytes,
    ) -> bool:
        """True if ``share`` (36 bytes) is what the dealer committed to for that holder and seed."""
        prefix = _share_prefix(self.terms, self.dealer, holder)
        return self._fits(self._holder(holder), prefix, index, share)

    def _fits(
        self,
        at: int,
        prefix: bytes,
        index: int,
        share: bytes,
    ) -> bool:
        """Compare a share with the commitment in its place, for the holder at place ``at``."""
        before = at * self._seeds + index
        start = self._seeds * SEED_COMMITMENT_BYTES + before * SHARE_COMMITMENT_BYTES
        committed = self.data[start : start + SHARE_COMMITMENT_BYTES]
        return _share_commitment(prefix, index, share) == committed

    def open_packet(self, holder: str, unseal: Unseal) -> NDArray[np.uint16]:
        """Open the packet for ``holder``: uint16[1 + degree, 18], each share as committed.

        Raises:
            MessageError: naming the dealer: it does not open, or holds other shares than those
                committed to.
        """
        size = packet_bytes(self.terms)
        at = self._holder(holder)
        prefix = _share_prefix(self.terms, self.dealer, holder)
        commitments = SEED_COMMITMENT_BYTES + self._seeds * SHARE_COMMITMENT_BYTES
        start = self._seeds * commitments + at * size
        packet = self.data[start : start + size]
        try:
            plain = unseal(packet, packet_info(self.terms, self.dealer, holder))
        except MessageError:
            raise self._refused(f"its packet for {holder} does not open") from None
        shares = None
        if len(plain) == self._seeds * SHARE_BYTES:
            shares = read_shares(plain, self._seeds)
        if shares is None or not all(
            self._fits(at, prefix, i, share_bytes(row)) for i, row in enumerate(shares)
        ):
            raise self._refused(f"its packet for {holder} holds other shares than it committed to")
        return shares

    def _holder(self, holder: str) -> int:
        """Place of a holder among those of this dealer."""
        return self.terms.neighbours.holders(self.dealer).index(holder)

    def _refused(self, why: str) -> MessageError:
        """Make the refusal of the dealer's contribution."""
        return MessageError(
            f"The contribution of {self.dealer} is refused: {why}.",
            whose=self.dealer,
            next_step="Propose the survivors without it, or start a new attempt.",
        )


def _share_prefix(terms: SurvivorTerms, dealer: str, holder: str) -> bytes:
    """Everything of a share's commitment that is the same for all seeds."""
    return _SHARE_LABEL + terms.digest_bytes + canonical([dealer, holder])


def _share_commitment(prefix: bytes, index: int, share: bytes) -> bytes:
    """Commit to a share: the first 16 bytes of the hash."""
    return sha256(prefix + index.to_bytes(4, "big") + share).digest()[:SHARE_COMMITMENT_BYTES]
