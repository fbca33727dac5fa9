"""Frames of contributions, sums and public keys, each in its envelope.

The envelope is :class:`securefl.secagg.envelope.Envelope`. The chunks of contributions and sums are
ciphertexts and elements (:mod:`securefl.secagg.sections`), residues bit-packed; a
public key is one chunk. After the envelope's checks come those of the residues: each below its
prime, and no polynomial that is empty or constant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from securefl.errors import MessageError, UsageError
from securefl.secagg.cipher_ring import LARGE_RING
from securefl.secagg.envelope import Envelope, refused, write_frame
from securefl.secagg.publickey import PublicKey
from securefl.secagg.round_context import is_sha256
from securefl.secagg.sections import blocks_of, placed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import BinaryIO

    from securefl.secagg.cipher_ring import CipherRing
    from securefl.secagg.envelope import Head, Readable
    from securefl.secagg.round_context import RoundContext
    from securefl.secagg.sections import Section
    from securefl.types import Sign, Verify, WordArray

CONTRIBUTION_TYPE: Final = "securefl-contribution/1"
SUM_TYPE: Final = "securefl-sum/1"
PUBLIC_KEY_TYPE: Final = "securefl-public-key/1"

#: {"sender":…,"sha256":…}; a name has at most 64 characters of at most 6 bytes.
_PART_BYTES: Final = 512


@dataclass(frozen=True, eq=False)
class SumFrame:
    """Sum whose head was read and checked.

    ``parts`` maps each hospital to the hash of the frame that was added. ``blocks`` reads on:
    uint64[n, 2, 4096] at a time, each checked; a :class:`MessageError` names the sender.
    """

    parts: Mapping[str, str]
    blocks: Iterator[WordArray]


def contribution_bytes(facts: RoundContext) -> int:
    """The most bytes that a contribution to this round can have; the cap for reading it."""
    return _contribution_envelope(facts, "").limit


def sum_bytes(facts: RoundContext) -> int:
    """The most bytes that a sum of this round can have; the cap for reading it."""
    return _sum_envelope(facts, "").limit


def public_key_bytes() -> int:
    """The most bytes that a public key's frame can have, in any ring; the cap for reading it."""
    return Envelope(PUBLIC_KEY_TYPE, {}, ((1, LARGE_RING.public_key_bytes),)).limit


def write_contribution(
    facts: RoundContext,
    sender: str,
    blocks: Iterable[WordArray],
    file: BinaryIO,
    sign: Sign,
) -> None:
    """Write one hospital's masked ciphertexts to ``file`` as a signed frame, from where it stands.

    Args:
        facts: the facts of the round as the hospital was told them.
        sender: the hospital's name in the cohort.
        blocks: uint64[n, 2, 4096] at a time, encrypted **and masked**: nothing here can tell.
        file: one that seeks, for the head is written last.
        sign: Ed25519 with the hospital's identity key (message to 64 bytes).

    Raises:
        UsageError: a sender outside the cohort, or blocks that are no ciphertext of this round; the
            file holds nothing of use then.
    """
    if sender not in facts.cohort:
        raise UsageError(
            f"{sender} is not in the round's cohort.",
            next_step="Contribute to rounds that name this hospital.",
        )
    envelope = _contribution_envelope(facts, sender)

    def write(behind: BinaryIO) -> bytes:
        hashes = _write_blocks(blocks, facts, behind)
        return envelope.head(hashes, sign)

    write_frame(file, envelope.head_bytes(), write)


def contribution_blocks(
    file: Readable,
    facts: RoundContext,
    sender: str,
    verify: Verify,
) -> Iterator[WordArray]:
    """Read a contribution's ciphertexts, uint64[n, 2, 4096] at a time, each checked.

    Args:
        file: the frame, at its beginning; it is read to its end.
        facts: the reader's own facts of the round.
        sender: who is said to have sent it.
        verify: whether a signature (64 bytes) over a message is by that sender's rostered key.

    Raises:
        MessageError: naming the sender and the first check that failed.
    """
    if sender not in facts.cohort:
        raise refused(sender, "it is not in the round's cohort")
    envelope = _contribution_envelope(facts, sender)
    head = envelope.open_head(file, sender, verify)
    yield from body_blocks(envelope, file, head, sender, facts.sections)


def write_sum(
    facts: RoundContext,
    sender: str,
    blocks: Iterable[WordArray],
    file: BinaryIO,
    *,
    parts: Mapping[str, str],
    sign: Sign,
) -> None:
    """Write the aggregator's sum to ``file`` as a signed frame that lists what was added.

    Args:
        facts: the facts of the round.
        sender: the aggregator's name.
        blocks: uint64[n, 2, 4096] at a time.
        file: as in :func:`write_contribution`.
        parts: hospital to the SHA-256 of its frame; exactly the cohort.
        sign: Ed25519 with the aggregator's identity key.

    Raises:
        UsageError: parts that are not the cohort, or blocks that are no ciphertext of this round.
    """
    if set(parts) != set(facts.cohort):
        raise UsageError(
            "A sum lists exactly the round's cohort.",
            next_step="Add every hospital's contribution.",
        )
    listed = [{"sender": name, "sha256": parts[name]} for name in facts.cohort]
    envelope = _sum_envelope(facts, sender)

    def write(behind: BinaryIO) -> bytes:
        hashes = _write_blocks(blocks, facts, behind)
        return envelope.head(hashes, sign, parts=listed)

    write_frame(file, envelope.head_bytes(parts=listed), write)


def read_sum(
    file: Readable,
    facts: RoundContext,
    sender: str,
    verify: Verify,
) -> SumFrame:
    """Check a sum's head; arguments as in :func:`contribution_blocks`, of the aggregator.

    Raises:
        MessageError: naming the sender and the first check that failed.
    """
    envelope = _sum_envelope(facts, sender)
    head = envelope.open_head(file, sender, verify)
    parts = head.manifest["parts"]
    well_formed = isinstance(parts, list) and all(
        isinstance(part, dict) and set(part) == {"sender", "sha256"} and is_sha256(part["sha256"])
        for part in parts
    )
    if not well_formed or [part["sender"] for part in parts] != list(facts.cohort):
        raise refused(sender, "it does not list exactly the round's cohort")
    blocks = body_blocks(envelope, file, head, sender, facts.sections)
    return SumFrame({part["sender"]: part["sha256"] for part in parts}, blocks)


def write_public_key(
    public: PublicKey,
    *,
    study: str,
    round_number: int,
    attempt: int,
    kind: str,
    sender: str,
    sign: Sign,
) -> bytes:
    """Write the round's public key as a frame signed by the coordinator.

    It comes before the facts, which cover its hash.
    """
    fields = _announced(study, round_number, attempt, kind, sender)
    runs = ((1, public.ring.public_key_bytes),)
    return Envelope(PUBLIC_KEY_TYPE, fields, runs).write([public.body], sign)


def read_public_key(
    data: bytes,
    *,
    study: str,
    round_number: int,
    attempt: int,
    kind: str,
    sender: str,
    verify: Verify,
    ring: CipherRing = LARGE_RING,
) -> PublicKey:
    """Check the frame of a public key of ``ring`` and take it apart.

    Raises:
        MessageError: naming the sender and the first check that failed.
    """
    fields = _announced(study, round_number, attempt, kind, sender)
    envelope = Envelope(PUBLIC_KEY_TYPE, fields, ((1, ring.public_key_bytes),))
    _, body = envelope.open(data, sender, verify)
    try:
        return PublicKey.from_body(bytes(body), ring)
    except MessageError as error:
        raise refused(sender, error.what) from None


def _announced(
    study: str,
    round_number: int,
    attempt: int,
    kind: str,
    sender: str,
) -> dict[str, Any]:
    """Fields that say which round of which study, and who speaks."""
    return {
        "study": study,
        "round": round_number,
        "attempt": attempt,
        "kind": kind,
        "sender": sender,
    }


def _round_fields(facts: RoundContext, sender: str) -> dict[str, Any]:
    """Fields that bind a frame to the facts of its round."""
    return {
        **_announced(facts.study, facts.round, facts.attempt, facts.kind, sender),
        "round_digest": facts.digest(),
        "shape": body_shape(facts.sections),
    }


def body_shape(sections: tuple[Section, ...]) -> list[list[int]]:
    """Write the shape of a body as manifests do: (items, rows, residues of a row) a section."""
    return [[section.count, *section.item_shape] for section in sections]


def body_runs(sections: tuple[Section, ...]) -> tuple[tuple[int, int], ...]:
    """Runs of chunks of a body: (items, bytes of each) of each section."""
    return tuple((section.count, section.item_bytes) for section in sections)


def body_blocks(
    envelope: Envelope,
    file: Readable,
    head: Head,
    sender: str,
    sections: tuple[Section, ...],
) -> Iterator[WordArray]:
    """Read the items behind a frame's head, a block at a time, each checked.

    Raises:
        MessageError: naming the sender and the first check that failed.
    """
    plan = list(blocks_of(sections))
    sizes = [(stop - start, section.item_bytes) for section, start, stop in plan]
    blocks = envelope.blocks(file, head, sender, sizes)
    for (section, _, _), block in zip(plan, blocks, strict=True):
        yield section.read(block, sender)


def _contribution_envelope(facts: RoundContext, sender: str) -> Envelope:
    """Envelope of a contribution of ``sender`` to this round."""
    return Envelope(CONTRIBUTION_TYPE, _round_fields(facts, sender), body_runs(facts.sections))


def _sum_envelope(facts: RoundContext, sender: str) -> Envelope:
    """Envelope of a sum by ``sender`` of this round, with the list of what was added."""
    parts_bytes = len(facts.cohort) * _PART_BYTES
    fields = _round_fields(facts, sender)
    return Envelope(
        SUM_TYPE,
        fields,
        body_runs(facts.sections),
        frozenset({"parts"}),
        parts_bytes,
    )


def _write_blocks(
    blocks: Iterable[WordArray],
    facts: RoundContext,
    file: BinaryIO,
) -> list[str]:
    """Write blocks that are ciphertexts of this round; return the hashes of their chunks."""
    hashes: list[str] = []
    for section, block in placed(blocks, facts.sections):
        if not section.contains(block):
            raise _no_ciphertext(facts)
        hashes += section.write(block, file)
    if len(hashes) != sum(section.count for section in facts.sections):
        raise _no_ciphertext(facts)
    return hashes


def _no_ciphertext(facts: RoundContext) -> UsageError:
    """Make the error of blocks that are no ciphertexts of this round."""
    shapes = ", ".join(f"uint64{shape}" for shape in body_shape(facts.sections))
    return UsageError(
        f"A ciphertext of this round is {shapes} of residues below their primes.",
        next_step="Encrypt with the round's layout.",
    )
