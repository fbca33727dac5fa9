"""Addition of survivors' contributions and opening of their sum, a block at a time.

Memory does not grow with d. The aggregator adds what the frames hold and takes off what
:class:`securefl.secagg.unmasking.Unmasking` says; it needs no key. Anyone with the frames can
recompute its sum; the coordinator opens it, once.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.errors import RoundError
from securefl.secagg.envelope import Envelope, refused
from securefl.secagg.frame import body_blocks, body_runs, body_shape
from securefl.secagg.opening import open_sum
from securefl.secagg.ring import subtract
from securefl.secagg.sections import blocks_of, placed
from securefl.secagg.survivor_contribution import ciphertext_blocks, read_head

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import BinaryIO

    from securefl.secagg.cipher import RoundKeys
    from securefl.secagg.envelope import Readable
    from securefl.secagg.opening import OpenedSum
    from securefl.secagg.survivors import Survivors, VerifyBy
    from securefl.secagg.unmasking import Unmasking
    from securefl.types import IntArray, Sign, Verify, WordArray

SUM_TYPE: Final = "securefl-sum/2"
_PART_BYTES: Final = 512


def sum_limit(survivors: Survivors) -> int:
    """The most bytes that the sum's frame can have."""
    return _sum_envelope(survivors, "").limit


def add_survivors(
    unmasking: Unmasking,
    files: Mapping[str, Readable],
    verify: VerifyBy,
) -> Iterator[WordArray]:
    """Add the survivors' ciphertexts, and take off the masks that do not cancel.

    A block of items at a time.

    Args:
        unmasking: what the answers gave.
        files: each survivor's frame, at its beginning; others are not touched. All are read to
            their ends.
        verify: with the rostered key of the named hospital (name, signature, message).

    Raises:
        MessageError: naming the hospital whose frame is refused, or is not the one in the survivor
            set.
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
        head = read_head(files[name], terms, name, partial(verify, name))
        if head.sha256 != survivors.frames[name]:
            raise refused(name, "it is not the frame that the survivors signed")
        heads.append(head)
    streams = [ciphertext_blocks(files[head.sender], terms, head) for head in heads]
    yield from add_checked(unmasking, streams)


def add_checked(
    unmasking: Unmasking, streams: Sequence[Iterator[WordArray]]
) -> Iterator[WordArray]:
    """:func:`add_survivors` of ciphertexts that the caller has checked.

    One stream for each survivor's frame.
    """
    facts = unmasking.survivors.terms.facts
    ring = facts.cipher_layout.ring
    for section, start, stop in blocks_of(facts.sections):
        total = next(streams[0])
        for stream in streams[1:]:
            total = section.add(total, next(stream))
        if section.masked:
            masks = unmasking.seeds.block(start, stop, ring)
            total[:, 0] = subtract(total[:, 0], masks, np.uint64(ring.modulus))
        yield total
    # To the end of each file, where its reader checks that nothing follows.
    for stream in streams:
        next(stream, None)


def write_survivors_sum(
    survivors: Survivors,
    blocks: Iterator[WordArray],
    spool: BinaryIO,
    sender: str,
    sign: Sign,
) -> bytes:
    """Write the sum's ciphertexts to ``spool`` and return the aggregator's signed head.

    The frame is the head, then the spool.
    """
    plan = placed(blocks, survivors.terms.facts.sections)
    hashes: list[str] = []
    for section, block in plan:
        hashes += section.write(block, spool)
    return _sum_envelope(survivors, sender).head(hashes, sign)


def sum_head_bytes(survivors: Survivors, sender: str) -> int:
    """Bytes of the head of every sum of ``sender`` over these survivors: its place in the frame."""
    return _sum_envelope(survivors, sender).head_bytes()


def read_survivors_sum(
    file: Readable,
    survivors: Survivors,
    sender: str,
    verify: Verify,
) -> Iterator[WordArray]:
    """Read the ciphertexts of a sum's frame, a block of items at a time, each checked.

    Raises:
        MessageError: naming the sender and the first check that failed.
    """
    envelope = _sum_envelope(survivors, sender)
    head = envelope.open_head(file, sender, verify)
    yield from body_blocks(envelope, file, head, sender, survivors.terms.facts.sections)


def open_survivors(
    keys: RoundKeys,
    blocks: Iterator[WordArray],
    survivors: Survivors,
    into: IntArray,
) -> OpenedSum:
    """Decrypt a sum of survivors, once.

    :func:`securefl.secagg.opening.open_sum`, whose canaries are the number of survivors.
    """
    terms = survivors.terms
    return open_sum(
        keys,
        blocks,
        terms.facts,
        into,
        len(survivors.names),
        round_digest=terms.round_digest,
    )


def _sum_envelope(survivors: Survivors, sender: str) -> Envelope:
    """Envelope of a sum by ``sender`` over exactly these survivors."""
    sections = survivors.terms.facts.sections
    fields = {
        **survivors.terms.announced(sender),
        "shape": body_shape(sections),
        "survivors_sha256": survivors.sha256,
        "parts": survivors.parts(),
    }
    return Envelope(
        SUM_TYPE,
        fields,
        body_runs(sections),
        more_bytes=_PART_BYTES * len(survivors.names),
    )
