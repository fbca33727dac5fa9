"""The seed of the neighbour graph: drawn by all hospitals together, so that nobody chose it.

Each hospital commits to 32 random bytes, in a signed statement that goes with its approval; when
all commitments are on the table, each reveals. The seed is a hash of all nonces. A single honest
nonce makes it uniform; who sees the others' first can only refuse to reveal, which ends the draw in
its name (:mod:`securefl.secagg.neighbours` counts those draws against it).

    commitment = SHA-256("securefl/secagg/nonce/1" | study digest | nonce | name)
    seed       = SHA-256("securefl/secagg/ring-seed/1" | study digest | nonces in the order of the names)
"""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from securefl.errors import MessageError, RoundError, UsageError
from securefl.secagg.round_context import is_sha256
from securefl.signed import dump_signed, open_signed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.types import Sign, Verify


COMMITMENT_TYPE: Final = "securefl-nonce-commitment/1"
REVEAL_TYPE: Final = "securefl-nonce/1"
NONCE_BYTES: Final = 32
MAX_STATEMENT_BYTES: Final = 2048

_COMMIT_LABEL: Final = b"securefl/secagg/nonce/1"
_SEED_LABEL: Final = b"securefl/secagg/ring-seed/1"
_NONCE = re.compile(r"[0-9a-f]{64}\Z")


def commitment(nonce: bytes, study: str, name: str) -> str:
    """What ``name`` commits to for the study with digest ``study`` (hex), hex SHA-256.

    Raises:
        UsageError: the nonce is not 32 bytes.
    """
    if len(nonce) != NONCE_BYTES:
        raise UsageError("A nonce has 32 bytes.", next_step="Draw it with secrets.token_bytes(32).")
    return sha256(_COMMIT_LABEL + bytes.fromhex(study) + nonce + name.encode()).hexdigest()


def write_commitment(nonce: bytes, study: str, name: str, sign: Sign) -> bytes:
    """The signed statement that travels first."""
    return dump_signed(
        {
            "type": COMMITMENT_TYPE,
            "study": study,
            "sender": name,
            "commitment": commitment(nonce, study, name),
        },
        sign,
    )


def read_commitment(data: bytes, study: str, name: str, verify: Verify) -> str:
    """The commitment of ``name``.

    Raises:
        MessageError: naming the sender and the first check that failed.
    """
    found = _read(
        data, kind=COMMITMENT_TYPE, what="commitment", study=study, name=name, verify=verify
    )
    if not is_sha256(found):
        raise _refused(name, "it holds no commitment")
    return str(found)


def write_nonce(nonce: bytes, study: str, name: str, sign: Sign) -> bytes:
    """The signed statement that travels once all commitments have been seen."""
    return dump_signed(
        {"type": REVEAL_TYPE, "study": study, "sender": name, "nonce": nonce.hex()}, sign
    )


def read_nonce(data: bytes, study: str, name: str, committed: str, verify: Verify) -> bytes:
    """The nonce that ``name`` had committed to.

    Raises:
        MessageError: naming the sender and the first check that failed.
    """
    found = _read(data, kind=REVEAL_TYPE, what="nonce", study=study, name=name, verify=verify)
    if not isinstance(found, str) or _NONCE.match(found) is None:
        raise _refused(name, "it holds no nonce")
    nonce = bytes.fromhex(found)
    if not hmac.compare_digest(commitment(nonce, study, name), committed):
        raise _refused(name, "its nonce is not the one it committed to")
    return nonce


def ring_seed(nonces: Mapping[str, bytes], study: str, cohort: tuple[str, ...]) -> str:
    """The seed that all nonces make, hex SHA-256.

    Raises:
        RoundError: a hospital's nonce is missing; it names it.
    """
    missing = [name for name in cohort if name not in nonces]
    if missing:
        raise RoundError(
            f"No nonce of {', '.join(missing)}: without it nobody can be sure who chose the graph.",
            whose=", ".join(missing),
            next_step=(
                "Ask for it; or make a study without the hospital that withholds it, and draw"
                " again."
            ),
        )
    return sha256(
        _SEED_LABEL + bytes.fromhex(study) + b"".join(nonces[name] for name in cohort)
    ).hexdigest()


def _read(data: bytes, *, kind: str, what: str, study: str, name: str, verify: Verify) -> Any:  # noqa: ANN401 - a JSON value, checked by the caller
    body = open_signed(
        data,
        kind=kind,
        fields=frozenset({"study", "sender", what}),
        verify=verify,
        sender=name,
        max_bytes=MAX_STATEMENT_BYTES,
    )
    if body["study"] != study or body["sender"] != name:
        raise _refused(name, "it belongs to another study or hospital")
    return body[what]


def _refused(name: str, why: str) -> MessageError:
    return MessageError(
        f"A nonce of {name} is refused: {why}.",
        whose=name,
        next_step=f"Ask {name} to send it again.",
    )
