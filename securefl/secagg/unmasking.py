"""Answers of the survivors, and the masks that they take off the sum.

For each dealer that survived, a holder gives its share of the dealer's self-mask seed, and of the
dealer's pair seeds with its lost neighbours. Never the other kind: no share of a lost hospital's
self-mask seed, none of a pair seed between two survivors. So an answer says nothing about a
contribution that is not in the sum, and in the sum it takes off exactly the masks that do not
cancel.

An answer is a frame (:mod:`securefl.secagg.envelope`) with one chunk, 36 bytes a share: for each
surviving dealer of which the holder has a readable packet, in the order of names, the share of its
self-mask seed, then of its pair seed with each lost neighbour in order. ``without`` lists the
dealers whose packet for this holder was unreadable. Answers are not secret: whoever has them all
and not the CKKS key has an encrypted sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.errors import MessageError, RoundError
from securefl.secagg.envelope import Envelope, refused
from securefl.secagg.key_shares import seed_commitment
from securefl.secagg.masks import Seeds
from securefl.secagg.shamir import LIMBS, SHARE_BYTES, read_shares, restore, share_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from securefl.secagg.key_shares import Dealing, Unseal
    from securefl.secagg.survivors import Survivors
    from securefl.types import Sign, Verify

ANSWER_TYPE: Final = "securefl-unmasking/1"

#: A name has at most 64 characters of at most 6 bytes.
_NAME_BYTES: Final = 400


@dataclass(frozen=True, eq=False)
class Answer:
    """Answer of a holder as it was read, and checked against what the dealers committed to.

    ``shares`` maps a dealer to uint16[1 + lost neighbours, 18].
    """

    holder: str
    shares: Mapping[str, NDArray[np.uint16]]


def dealers_of(holder: str, survivors: Survivors) -> tuple[str, ...]:
    """The survivors of whose seeds ``holder`` has shares, sorted."""
    held = set(survivors.terms.neighbours.holders(holder))
    return tuple(name for name in survivors.names if name in held)


def answer_limit(survivors: Survivors, holder: str) -> int:
    """The most bytes that an answer of ``holder`` can have."""
    return _envelope(survivors, holder, dealers_of(holder, survivors)).limit


def write_answer(
    survivors: Survivors,
    holder: str,
    dealings: Mapping[str, Dealing],
    *,
    unseal: Unseal,
    sign: Sign,
) -> bytes:
    """Write the one answer of ``holder``.

    The caller makes sure that it is the only one, and that the set was signed.

    Args:
        survivors: the set that enough survivors signed.
        holder: who answers.
        dealings: the dealing of every surviving neighbour and of itself, as in the frames that the
            set names.
        unseal: opens HPKE with the holder's sealing key (payload, context).
        sign: Ed25519 with the holder's identity key.
    """
    parts: list[bytes] = []
    readable: list[str] = []
    without: list[str] = []
    for dealer in dealers_of(holder, survivors):
        try:
            packet = dealings[dealer].open_packet(holder, unseal)
        except MessageError:
            without.append(dealer)
            continue
        readable.append(dealer)
        parts.append(share_bytes(packet[_indices(dealings[dealer], survivors)]))
    return _envelope(survivors, holder, tuple(readable)).write(
        [b"".join(parts)], sign, without=without
    )


def read_answer(
    data: bytes,
    survivors: Survivors,
    holder: str,
    dealings: Mapping[str, Dealing],
    verify: Verify,
) -> Answer:
    """Check an answer, share by share, against the dealers' commitments.

    Raises:
        MessageError: naming the holder and the first check that failed.
    """
    readable, body = _open_answer(data, survivors, holder, verify)
    shares: dict[str, NDArray[np.uint16]] = {}
    start = 0
    for dealer in readable:
        dealing = dealings[dealer]
        indices = _indices(dealing, survivors)
        block = body[start : start + len(indices) * SHARE_BYTES]
        start += len(block)
        rows = read_shares(block, len(indices))
        if rows is None or not all(
            dealing.share_fits(holder, index, share_bytes(row))
            for index, row in zip(indices, rows, strict=True)
        ):
            raise refused(holder, f"a share is not the one that {dealer} dealt")
        shares[dealer] = rows
    return Answer(holder, shares)


def check_answer_form(
    data: bytes,
    survivors: Survivors,
    holder: str,
    verify: Verify,
) -> None:
    """Check an answer as far as somebody can who has not the dealers' commitments.

    Signature, round, survivor set, whose shares, and the length.

    Raises:
        MessageError: naming the holder and the first check that failed.
    """
    _open_answer(data, survivors, holder, verify)


def _open_answer(
    data: bytes,
    survivors: Survivors,
    holder: str,
    verify: Verify,
) -> tuple[tuple[str, ...], memoryview]:
    """Dealers whose shares an answer holds, and the bytes of the shares."""
    if holder not in survivors.frames:
        raise refused(holder, "it is no survivor")
    dealers = dealers_of(holder, survivors)
    # How many shares follow depends on the list inside; it is read first, and its signature is
    # checked over again.
    without = _peek_without(data, survivors, holder, verify)
    if without != [name for name in dealers if name in without]:
        raise refused(holder, "it leaves out others than dealers, or not in order")
    readable = tuple(name for name in dealers if name not in without)
    _, body = _envelope(survivors, holder, readable).open(data, holder, verify)
    return readable, body


@dataclass(frozen=True, eq=False)
class Unmasking:
    """Masks that must come off a sum of survivors: their own, and theirs with the lost."""

    survivors: Survivors
    seeds: Seeds


def missing_shares(survivors: Survivors, answers: Iterable[Answer]) -> dict[str, int]:
    """For each dealer whose seeds cannot be restored yet: how many more holders must answer.

    Empty when all can.
    """
    have = dict.fromkeys(survivors.names, 0)
    for answer in answers:
        for dealer in answer.shares:
            have[dealer] += 1
    threshold = survivors.terms.neighbours.share_threshold
    return {dealer: threshold - count for dealer, count in have.items() if count < threshold}


def unmask(
    survivors: Survivors,
    answers: Mapping[str, Answer],
    dealings: Mapping[str, Dealing],
) -> Unmasking:
    """Restore the seeds.

    Args:
        survivors: the signed set.
        answers: checked answers by holder.
        dealings: the dealing of every survivor.

    Raises:
        RoundError: too few answers so far; it names who has not answered.
        MessageError: naming a dealer whose shares do not give the seed it committed to.
    """
    terms = survivors.terms
    if missing_shares(survivors, answers.values()):
        silent = [name for name in survivors.names if name not in answers]
        raise RoundError(
            f"{len(answers)} of {len(survivors.names)} survivors have answered; more are needed to"
            " take off the masks.",
            whose=", ".join(silent) or "the survivors whose packets were unreadable",
            next_step="Wait for their answers until the deadline, or start a new attempt.",
        )
    pairs: list[tuple[bool, bytes]] = []
    own: list[bytes] = []
    for dealer in survivors.names:
        order = {name: index for index, name in enumerate(terms.neighbours.holders(dealer))}
        chosen = [name for name in order if name in answers and dealer in answers[name].shares]
        chosen = chosen[: terms.neighbours.share_threshold]
        shares = np.stack([answers[name].shares[dealer] for name in chosen])
        restored = restore(shares, [order[name] for name in chosen])
        seeds: list[bytes] = []
        for index, seed in zip(_indices(dealings[dealer], survivors), restored, strict=True):
            # A wrong share restores to other bytes; the dealer's commitment shows it.
            committed = dealings[dealer].seed_commitment(index)
            if seed is None or seed_commitment(terms, seed) != committed:
                raise refused(
                    dealer, "the shares that it dealt do not give the seeds it committed to"
                )
            seeds.append(seed)
        own.append(seeds[0])
        # With the sign that the dealer gave the mask: what is taken off is what it added.
        lost_neighbours = survivors.lost_neighbours(dealer)
        for lost, seed in zip(lost_neighbours, seeds[1:], strict=True):
            pairs.append((lost > dealer, seed))
    return Unmasking(survivors, Seeds(tuple(pairs), tuple(own)))


def _indices(dealing: Dealing, survivors: Survivors) -> list[int]:
    """Indices of a dealer's seeds that are opened: its own, and those with its lost neighbours."""
    return [
        dealing.seed_index(None),
        *(dealing.seed_index(name) for name in survivors.lost_neighbours(dealing.dealer)),
    ]


def _envelope(survivors: Survivors, holder: str, dealers: tuple[str, ...]) -> Envelope:
    """Envelope of an answer of ``holder`` with shares of these dealers' seeds."""
    shares = sum(1 + len(survivors.lost_neighbours(dealer)) for dealer in dealers)
    return Envelope(
        ANSWER_TYPE,
        {**survivors.terms.announced(holder), "survivors_sha256": survivors.sha256},
        ((1, shares * 2 * LIMBS),),
        frozenset({"without"}),
        _NAME_BYTES * len(dealers_of(holder, survivors)),
    )


def _peek_without(
    data: bytes,
    survivors: Survivors,
    holder: str,
    verify: Verify,
) -> list[str]:
    """Read the list of dealers left out, from a signed head of at most the largest size."""
    import io

    envelope = _envelope(survivors, holder, dealers_of(holder, survivors))
    if len(data) > envelope.limit:
        raise refused(holder, f"it has {len(data)} bytes, more than this round allows")
    without = envelope.open_head(io.BytesIO(data), holder, verify).manifest["without"]
    if not isinstance(without, list) or not all(isinstance(name, str) for name in without):
        raise refused(holder, "it does not list the dealers it leaves out")
    return without
