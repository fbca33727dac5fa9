"""What travels: contributions, sums and public keys, each in its :class:`securefl.secagg.envelope.Envelope`.

The chunks of contributions and sums are ciphertexts, 8192 residues of 58 bits, bit-packed; a public key is one chunk.
After the envelope's checks come those of the residues: below q, and no polynomial that is empty or constant.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from securefl.errors import MessageError, UsageError
from securefl.secagg.envelope import Envelope, refused
from securefl.secagg.facts import is_sha256
from securefl.secagg.publickey import PUBLIC_KEY_BYTES, PublicKey
from securefl.secagg.ring import (
    CHUNK_BYTES,
    DEGREE,
    MODULUS_BITS,
    are_residues,
    looks_degenerate,
    pack_bits,
    unpack_bits,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from securefl.secagg.envelope import Sign, Verify
    from securefl.secagg.facts import RoundFacts

CONTRIBUTION_TYPE: Final = "securefl-contribution/1"
SUM_TYPE: Final = "securefl-sum/1"
PUBLIC_KEY_TYPE: Final = "securefl-public-key/1"

_PART_BYTES: Final = 512  # {"sender":…,"sha256":…}; a name has at most 64 characters of at most 6 bytes


@dataclass(frozen=True, eq=False)
class Contribution:
    """A contribution as it was read and checked.

    ``sha256`` is the hash of the whole frame, ``round_digest`` that of the facts it was checked against, ``ciphertext``
    uint64[chunks, 2, 4096] with residues below q.
    """

    sender: str
    sha256: str
    round_digest: str
    ciphertext: NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class SumFrame:
    """A sum as it was read and checked; ``parts`` maps each hospital to the hash of the frame that was added."""

    sender: str
    sha256: str
    round_digest: str
    parts: Mapping[str, str]
    ciphertext: NDArray[np.uint64]


def contribution_bytes(facts: RoundFacts) -> int:
    """The most bytes that a contribution to this round can have; the cap for reading it from a store."""
    return _contribution_envelope(facts, "").limit


def sum_bytes(facts: RoundFacts) -> int:
    """The most bytes that a sum of this round can have; the cap for reading it from a store."""
    return _sum_envelope(facts, "").limit


def public_key_bytes() -> int:
    """The most bytes that a public key's frame can have; the cap for reading it from a store."""
    return Envelope(PUBLIC_KEY_TYPE, {}, 1, PUBLIC_KEY_BYTES).limit


def write_contribution(facts: RoundFacts, sender: str, ciphertext: NDArray[np.uint64], sign: Sign) -> bytes:
    """One hospital's masked ciphertext as a signed frame.

    Args:
        facts: the facts of the round as the hospital was told them.
        sender: the hospital's name in the cohort.
        ciphertext: uint64[chunks, 2, 4096], encrypted **and masked**: nothing here can tell.
        sign: Ed25519 with the hospital's identity key (message to 64 bytes).

    Raises:
        UsageError: a sender outside the cohort, or an array that is no ciphertext of this round.
    """
    if sender not in facts.cohort:
        raise UsageError(f"{sender} is not in the round's cohort.", next_step="Contribute to rounds that name this hospital.")
    return _contribution_envelope(facts, sender).write(_to_chunks(ciphertext, facts), sign)


def read_contribution(data: bytes, facts: RoundFacts, sender: str, verify: Verify) -> Contribution:
    """Check a contribution's frame and take it apart.

    Args:
        data: the frame, read with at most :func:`contribution_bytes` bytes.
        facts: the reader's own facts of the round.
        sender: who is said to have sent it.
        verify: whether a signature (64 bytes) over a message is by that sender's rostered key.

    Raises:
        MessageError: naming the sender and the first check that failed.
    """
    if sender not in facts.cohort:
        raise refused(sender, "it is not in the round's cohort")
    manifest, body = _contribution_envelope(facts, sender).open(data, sender, verify)
    ciphertext = _to_ciphertext(body, facts, sender)
    return Contribution(sender, sha256(data).hexdigest(), manifest["round_digest"], ciphertext)


def write_sum(
    facts: RoundFacts, sender: str, ciphertext: NDArray[np.uint64], parts: Mapping[str, str], sign: Sign
) -> bytes:
    """The aggregator's sum as a signed frame that lists what was added.

    Args:
        facts: the facts of the round.
        sender: the aggregator's name.
        ciphertext: uint64[chunks, 2, 4096].
        parts: hospital to the SHA-256 of its frame; exactly the cohort.
        sign: Ed25519 with the aggregator's identity key.

    Raises:
        UsageError: parts that are not the cohort, or an array that is no ciphertext of this round.
    """
    if set(parts) != set(facts.cohort):
        raise UsageError("A sum lists exactly the round's cohort.", next_step="Add every hospital's contribution.")
    listed = [{"sender": name, "sha256": parts[name]} for name in facts.cohort]
    return _sum_envelope(facts, sender).write(_to_chunks(ciphertext, facts), sign, parts=listed)


def read_sum(data: bytes, facts: RoundFacts, sender: str, verify: Verify) -> SumFrame:
    """Check a sum's frame and take it apart; arguments as in :func:`read_contribution`, the sender is the aggregator.

    Raises:
        MessageError: naming the sender and the first check that failed.
    """
    manifest, body = _sum_envelope(facts, sender).open(data, sender, verify)
    parts = manifest["parts"]
    well_formed = isinstance(parts, list) and all(
        isinstance(part, dict) and set(part) == {"sender", "sha256"} and is_sha256(part["sha256"]) for part in parts
    )
    if not well_formed or [part["sender"] for part in parts] != list(facts.cohort):
        raise refused(sender, "it does not list exactly the round's cohort")
    listed = {part["sender"]: part["sha256"] for part in parts}
    ciphertext = _to_ciphertext(body, facts, sender)
    return SumFrame(sender, sha256(data).hexdigest(), manifest["round_digest"], listed, ciphertext)


def write_public_key(
    public: PublicKey, *, study: str, round_number: int, attempt: int, kind: str, sender: str, sign: Sign
) -> bytes:
    """The round's public key as a frame signed by the coordinator; it comes before the facts, which cover its hash."""
    fields = _announced(study, round_number, attempt, kind, sender)
    return Envelope(PUBLIC_KEY_TYPE, fields, 1, PUBLIC_KEY_BYTES).write([public.body], sign)


def read_public_key(
    data: bytes, *, study: str, round_number: int, attempt: int, kind: str, sender: str, verify: Verify
) -> PublicKey:
    """Check a public key's frame and take it apart.

    Raises:
        MessageError: naming the sender and the first check that failed.
    """
    fields = _announced(study, round_number, attempt, kind, sender)
    _, body = Envelope(PUBLIC_KEY_TYPE, fields, 1, PUBLIC_KEY_BYTES).open(data, sender, verify)
    try:
        return PublicKey.from_body(bytes(body))
    except MessageError as error:
        raise refused(sender, error.what) from None


def _announced(study: str, round_number: int, attempt: int, kind: str, sender: str) -> dict[str, Any]:
    return {"study": study, "round": round_number, "attempt": attempt, "kind": kind, "sender": sender}


def _round_fields(facts: RoundFacts, sender: str) -> dict[str, Any]:
    return {
        **_announced(facts.study, facts.round, facts.attempt, facts.kind, sender),
        "round_digest": facts.digest(),
        "shape": [facts.chunks, 2, DEGREE],
    }


def _contribution_envelope(facts: RoundFacts, sender: str) -> Envelope:
    return Envelope(CONTRIBUTION_TYPE, _round_fields(facts, sender), facts.chunks, CHUNK_BYTES)


def _sum_envelope(facts: RoundFacts, sender: str) -> Envelope:
    parts_bytes = len(facts.cohort) * _PART_BYTES
    fields = _round_fields(facts, sender)
    return Envelope(SUM_TYPE, fields, facts.chunks, CHUNK_BYTES, frozenset({"parts"}), parts_bytes)


def _to_chunks(ciphertext: NDArray[np.uint64], facts: RoundFacts) -> list[bytes]:
    if ciphertext.shape != (facts.chunks, 2, DEGREE) or not are_residues(ciphertext):
        raise UsageError(
            f"A ciphertext of this round is uint64[{facts.chunks}, 2, {DEGREE}] of residues mod q.",
            next_step="Encrypt with the round's layout.",
        )
    packed = pack_bits(ciphertext, MODULUS_BITS)
    return [packed[start : start + CHUNK_BYTES] for start in range(0, len(packed), CHUNK_BYTES)]


def _to_ciphertext(body: memoryview, facts: RoundFacts, sender: str) -> NDArray[np.uint64]:
    ciphertext = unpack_bits(body, MODULUS_BITS).reshape(facts.chunks, 2, DEGREE)
    if not are_residues(ciphertext):
        raise refused(sender, "it holds a residue at or above the ring's prime")
    if looks_degenerate(ciphertext):
        raise refused(sender, "it holds a ciphertext with an empty or constant polynomial")
    return ciphertext
