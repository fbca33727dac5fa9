"""Adding survivors' contributions and opening their sum, a block of ciphertexts at a time: memory does not grow with d.

The aggregator adds what the frames hold and takes off what :class:`securefl.secagg.unmasking.Unmasking` says; it needs
no key. Anyone with the frames can recompute its sum; the coordinator opens it, once.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.errors import RoundError
from securefl.secagg.envelope import Envelope, refused
from securefl.secagg.ring import CHUNK_BYTES, DEGREE, add, subtract
from securefl.secagg.spooling import BLOCK, ciphertext_blocks, read_head, to_ciphertext, write_block

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import BinaryIO

    from numpy.typing import NDArray

    from securefl.secagg.cipher import RoundKeys
    from securefl.secagg.envelope import Readable, Sign, Verify
    from securefl.secagg.survivors import Survivors, VerifyBy
    from securefl.secagg.unmasking import Unmasking

SUM_TYPE: Final = "securefl-sum/2"
_PART_BYTES: Final = 512


@dataclass(frozen=True)
class OpenedSurvivors:
    """What a round releases beside the integers: how many contributed, and the noise as in ``OpenedSum``."""

    contributors: int
    noise_share: float


def sum_limit(survivors: Survivors) -> int:
    """The most bytes that the sum's frame can have."""
    return _sum_envelope(survivors, "").limit


def add_survivors(unmasking: Unmasking, files: Mapping[str, Readable], verify: VerifyBy) -> Iterator[NDArray[np.uint64]]:
    """The sum of the survivors' ciphertexts, what does not cancel taken off: uint64[n, 2, 4096] at a time.

    Args:
        unmasking: what the answers gave.
        files: each survivor's frame, at its beginning; others are not touched. All are read to their ends.
        verify: with the rostered key of the named hospital (name, signature, message).

    Raises:
        MessageError: naming the hospital whose frame is refused, or is not the one in the survivor set.
        RoundError: a survivor's frame is missing.
    """
    survivors = unmasking.survivors
    terms = survivors.terms
    missing = [name for name in survivors.names if name not in files]
    if missing:
        raise RoundError(
            f"The frame of {', '.join(missing)} is in the survivor set, and is not here.",
            whose=", ".join(missing),
            next_step="Fetch it from the store again.",
        )
    heads = []
    for name in survivors.names:
        head = read_head(files[name], terms, name, lambda s, m, n=name: verify(n, s, m))  # type: ignore[misc]
        if head.sha256 != survivors.frames[name]:
            raise refused(name, "it is not the frame that the survivors signed")
        heads.append(head)
    yield from add_checked(unmasking, [ciphertext_blocks(files[head.sender], terms, head) for head in heads])


def add_checked(unmasking: Unmasking, streams: Sequence[Iterator[NDArray[np.uint64]]]) -> Iterator[NDArray[np.uint64]]:
    """:func:`add_survivors` of ciphertexts that the caller has checked: those of every survivor's frame, one stream each."""
    for start in range(0, unmasking.survivors.terms.facts.chunks, BLOCK):
        total = next(streams[0])
        for stream in streams[1:]:
            total = add(total, next(stream))
        total[:, 0] = subtract(total[:, 0], unmasking.seeds.block(start, start + len(total)))
        yield total
    for stream in streams:
        next(stream, None)  # to the end of each file, which must be there


def write_survivors_sum(
    survivors: Survivors, blocks: Iterator[NDArray[np.uint64]], spool: BinaryIO, sender: str, sign: Sign
) -> bytes:
    """Write the sum's ciphertexts to ``spool`` and return the aggregator's signed head; the frame is the head, then the spool."""
    hashes = [value for block in blocks for value in write_block(block, spool)]
    return _sum_envelope(survivors, sender).head(hashes, sign)


def sum_head_bytes(survivors: Survivors, sender: str) -> int:
    """Bytes of the head of every sum of ``sender`` over these survivors: its place in the frame."""
    return _sum_envelope(survivors, sender).head_bytes()


def read_survivors_sum(file: Readable, survivors: Survivors, sender: str, verify: Verify) -> Iterator[NDArray[np.uint64]]:
    """The ciphertexts of a sum's frame, uint64[n, 2, 4096] at a time, each checked.

    Raises:
        MessageError: naming the sender and the first check that failed.
    """
    envelope = _sum_envelope(survivors, sender)
    head = envelope.open_head(file, sender, verify)
    for block in envelope.blocks(file, head, sender, BLOCK):
        yield to_ciphertext(block, sender)


def same_sum(
    claimed: Iterator[NDArray[np.uint64]], computed: Iterator[NDArray[np.uint64]], sender: str
) -> Iterator[NDArray[np.uint64]]:
    """The computed blocks, as long as the claimed ones are the same: what the coordinator opens where it has the frames.

    Raises:
        RoundError: naming ``sender``: its sum is not that of the frames.
    """
    for ours in computed:
        theirs = next(claimed, None)
        if theirs is None or not np.array_equal(theirs, ours):
            raise RoundError(
                f"What {sender} sent is not the sum of the survivors' contributions; it was not decrypted to its end.",
                whose=sender,
                next_step="Start a new attempt, and ask the aggregator's operator why.",
            )
        yield ours
    next(claimed, None)


def open_survivors(
    keys: RoundKeys, blocks: Iterator[NDArray[np.uint64]], survivors: Survivors, into: NDArray[np.int64]
) -> OpenedSurvivors:
    """Decrypt a sum of survivors, once, into ``into``: int64[d], the exact integers.

    Args:
        keys: the round's key pair; its secret half is erased whatever the outcome.
        blocks: uint64[n, 2, 4096] at a time, recomputed from the signed contributions where possible.
        survivors: the signed set; their number is what every canary must be.
        into: what it holds after a failure is no result: throw it away, and show it to nobody.

    Raises:
        RoundError: the key is not the one the terms name, was used before, the noise leaves the margin, a canary is not
            the number of survivors, a field is out of range, or blocks are missing.
        MessageError: out of ``blocks``.
    """
    facts, count = survivors.terms.facts, len(survivors.names)
    layout = facts.layout
    done, noise = 0, 0.0
    try:
        if keys.public.sha256 != facts.public_key_sha256:
            raise _not_opened("this key pair is not the one that the facts of the round name", "the coordinator")
        with closing(keys.open_blocks(blocks, layout)) as opened:  # closing it lets go of the key at once
            for messages, share in opened:
                place = done * layout.values_per_chunk
                length = min(facts.length - place, len(messages) * layout.values_per_chunk)
                if length < 1:
                    raise _not_opened("the sum has more ciphertexts than the round", "the aggregator")
                values, canaries = layout.unpack(messages, length, count)
                if np.any(canaries != count):
                    raise _not_opened(
                        f"it does not hold exactly one contribution of each of the {count} survivors",
                        "the aggregator, or a hospital that sent a malformed contribution",
                    )
                into[place : place + length] = values
                done, noise = done + len(messages), max(noise, share)
        if done != facts.chunks:
            raise _not_opened("the sum has fewer ciphertexts than the round", "the aggregator")
    finally:
        keys.erase()
    return OpenedSurvivors(count, noise)


def _sum_envelope(survivors: Survivors, sender: str) -> Envelope:
    chunks = survivors.terms.facts.chunks
    fields = {
        **survivors.terms.announced(sender),
        "shape": [chunks, 2, DEGREE],
        "survivors_sha256": survivors.sha256,
        "parts": survivors.parts(),
    }
    return Envelope(SUM_TYPE, fields, chunks, CHUNK_BYTES, more_bytes=_PART_BYTES * len(survivors.names))


def _not_opened(why: str, whose: str) -> RoundError:
    return RoundError(
        f"The sum of the survivors does not open: {why}; nothing is released.",
        whose=whose,
        next_step="Start a new attempt; if it fails again, let every hospital verify the round.",
    )

