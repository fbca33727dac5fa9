"""Finished model on its way to its recipients: a sealed object, and a signature under its hash.

In the store lie two objects, ``model/statement`` (signed by the coordinator: study, hash and size
of the other) and ``model/sealed``. The second is encrypted once, its key sealed to each recipient
by name, under the study's digest (:mod:`securefl.federation.sealing`). Inside stand a list of files
with their hashes, then the files. The hashes are inside and not in the statement: for a small model
a hash can be guessed, and whoever operates the store would know the figures.

Order of every reading (rule 5): length, signature, hash of the sealed bytes, opening, list, hash of
each file. Page: ``protocols/wire/rounds/model-bundle.md``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from pydantic import Field

from securefl.errors import MessageError
from securefl.federation.sealing import open_model, seal_model, sealed_limit
from securefl.federation.transcript import Transcript, transcript_sha256
from securefl.secagg.round_context import is_sha256
from securefl.signed import canonical
from securefl.statement import Hex32, Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from securefl.federation.round_plan import RoundPlan
    from securefl.identity import Identity, IdentityCard

WEIGHTS: Final = "model.safetensors"
FACTS: Final = "model.json"
CARD: Final = "model_card.md"
EVALUATION: Final = "evaluation.json"
#: All transcripts in order, each after its length (4 bytes, big-endian).
TRANSCRIPTS: Final = "transcripts"
FILES: Final = (EVALUATION, FACTS, WEIGHTS, CARD, TRANSCRIPTS)

_SMALL_FILE: Final = 1 << 20
_TENSOR_HEAD: Final = 1 << 16
_LENGTH_BYTES: Final = 4
_LIST_BYTES: Final = 4096


@dataclass(frozen=True)
class SealedBundle:
    """The two objects as they lie in the store."""

    statement: bytes
    sealed: bytes | bytearray


@dataclass(frozen=True)
class BundleStatement(Statement):
    """The coordinator's word on the sealed object: its SHA-256, and its size in bytes."""

    TYPE: ClassVar[str] = "securefl-model-bundle/2"
    WHAT: ClassVar[str] = "The model"
    SENDER: ClassVar[str] = "the coordinator"

    study: Hex32
    sha256: Hex32
    bytes: Annotated[int, Field(gt=0)]


def limits(plan: RoundPlan) -> dict[str, int]:
    """The longest that each file may be, in bytes; it follows from the study."""
    transcripts = plan.last_round * (4096 + 256 * len(plan.study.participants))
    small = dict.fromkeys((EVALUATION, FACTS, CARD), _SMALL_FILE)
    return small | {
        WEIGHTS: 8 * plan.parameters + _TENSOR_HEAD,
        TRANSCRIPTS: transcripts,
    }


def bundle_limit(plan: RoundPlan) -> int:
    """The longest that the sealed object may be, in bytes."""
    inside = _LENGTH_BYTES + _LIST_BYTES + sum(limits(plan).values())
    return inside + sealed_limit(0, len(plan.study.participants) + 1)


def seal_bundle(
    plan: RoundPlan,
    files: Mapping[str, bytes],
    readers: Iterable[IdentityCard],
    sign: Callable[[bytes], bytes],
) -> SealedBundle:
    """Seal the files to the readers and sign the result.

    Args:
        plan: the study.
        files: exactly those of :data:`FILES`.
        readers: the recipients' cards as the study states them.
        sign: the coordinator's signature.
    """
    listed = {name: {"bytes": len(files[name]), "sha256": _sha256(files[name])} for name in FILES}
    head = canonical(listed)
    payload = b"".join(
        [len(head).to_bytes(_LENGTH_BYTES, "big"), head, *(files[name] for name in FILES)]
    )
    sealed = seal_model(payload, readers, _context(plan))
    said = BundleStatement(plan.digest, _sha256(sealed), len(sealed))
    return SealedBundle(said.dump(sign), sealed)


def open_statement(
    data: bytes,
    plan: RoundPlan,
    verify: Callable[[bytes, bytes], bool],
) -> tuple[str, int]:
    """Check the coordinator's word on the sealed object: its SHA-256 (hex) and its size in bytes.

    Raises:
        MessageError: not signed by the coordinator, of another study, or longer than a bundle of
            this study can be.
    """
    said = BundleStatement.open(data, verify=verify, study=plan.digest)
    if said.bytes > bundle_limit(plan):
        raise _refused("it is longer than a model of this study can be")
    return said.sha256, said.bytes


def open_bundle(
    bundle: SealedBundle,
    plan: RoundPlan,
    me: Identity,
    verify: Callable[[bytes, bytes], bool],
) -> dict[str, bytes]:
    """The files of a bundle, each with the hash that its list names.

    Raises:
        MessageError: a check failed; nothing of it is used.
    """
    sha256, size = open_statement(bundle.statement, plan, verify)
    if len(bundle.sealed) != size or _sha256(bundle.sealed) != sha256:
        raise _refused(
            "the sealed object in the store is not the one that the coordinator signed",
            "the store's operator",
        )
    payload = open_model(bundle.sealed, me, _context(plan))
    start = _LENGTH_BYTES + int.from_bytes(payload[:_LENGTH_BYTES], "big")
    listed = _listed(payload[_LENGTH_BYTES:start], limits(plan))
    if start + sum(length for length, _ in listed.values()) != len(payload):
        raise _refused("its list does not fit what follows")
    files: dict[str, bytes] = {}
    for name in FILES:
        length, digest = listed[name]
        files[name] = payload[start : start + length]
        start += length
        if _sha256(files[name]) != digest:
            raise _refused(f"its {name} is not the one in its list")
    return files


def pack_transcripts(transcripts: Sequence[bytes]) -> bytes:
    """All transcripts as one file."""
    return b"".join(len(one).to_bytes(_LENGTH_BYTES, "big") + one for one in transcripts)


def read_transcripts(
    data: bytes,
    plan: RoundPlan,
    verify: Callable[[bytes, bytes], bool],
) -> tuple[Transcript, ...]:
    """The transcripts of all rounds, each signed by the coordinator and naming the one before.

    Raises:
        MessageError: one is missing, is not the coordinator's, or does not follow the one before.
    """
    found: list[Transcript] = []
    previous = ""
    at = 0
    for number in range(1, plan.last_round + 1):
        length = int.from_bytes(data[at : at + _LENGTH_BYTES], "big")
        one = data[at + _LENGTH_BYTES : at + _LENGTH_BYTES + length]
        at += _LENGTH_BYTES + length
        read = Transcript.open(one, study=plan.digest, round=number, verify=verify)
        if read.previous != previous or read.kind != plan.kind(number):
            raise _refused(f"its transcript of round {number} does not follow the one before")
        previous = transcript_sha256(one)
        found.append(read)
    if at != len(data):
        raise _refused("it has more transcripts than rounds")
    return tuple(found)


def _listed(head: bytes, most: Mapping[str, int]) -> dict[str, tuple[int, str]]:
    try:
        raw = None
        if len(head) <= _LIST_BYTES:
            raw = json.loads(head)
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict) or set(raw) != set(FILES):
        raise _refused("it has no list of its files")
    found = {}
    for name, entry in raw.items():
        well_formed = (
            isinstance(entry, dict)
            and set(entry) == {"bytes", "sha256"}
            and is_sha256(entry["sha256"])
        )
        if (
            not well_formed
            or type(entry["bytes"]) is not int
            or not 0 <= entry["bytes"] <= most[name]
        ):
            raise _refused(f"its list says something impossible of {name}")
        found[name] = (entry["bytes"], entry["sha256"])
    return found


def _context(plan: RoundPlan) -> bytes:
    return f"{plan.digest}/model".encode()


def _sha256(data: bytes | bytearray) -> str:
    return hashlib.sha256(data).hexdigest()


def _refused(why: str, whose: str = "the coordinator") -> MessageError:
    return MessageError(
        f"The finished model is refused: {why}.",
        whose=whose,
        next_step="Ask the researcher to send it again (`securefl study report`).",
    )
