"""Check of a hospital's own place for another contribution by its own key.

A hospital makes one contribution to a round, ever (rule 6). Another one by the same key is made by
another process, on a copy of its folder. Junk and frames of other rounds, which anybody can put
there, are neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securefl.errors import MessageError
from securefl.secagg.envelope import MAGIC, PREFIX_BYTES
from securefl.signed import open_signed

if TYPE_CHECKING:
    from securefl.secagg.round_context import RoundContext
    from securefl.types import Verify

#: Contributions to a round that needs everybody, and to one that survives losses
#: (:mod:`securefl.secagg.frame`, ``spooling``).
_TYPES: Final = ("securefl-contribution/1", "securefl-contribution/2")
_FIELDS: Final = frozenset(
    {"study", "round", "attempt", "kind", "round_digest", "sender", "shape", "chunks"}
)
#: Bytes of a manifest beside its chunks' hashes.
_BASE: Final = 4096
#: The longest head that is looked for where the round's facts are not at hand.
MOST_HEAD: Final = 16 << 20
#: Bytes of one hash with its quotes and comma.
_HASH: Final = 67


def head_bytes(start: bytes) -> int:
    """Bytes of a frame before its chunks; 0 where it is no frame.

    Args:
        start: the frame's first ``PREFIX_BYTES`` bytes.

    >>> head_bytes(MAGIC + (5).to_bytes(4, "big"))
    17
    """
    if len(start) < PREFIX_BYTES or start[: len(MAGIC)] != MAGIC:
        return 0
    return PREFIX_BYTES + int.from_bytes(start[len(MAGIC) : PREFIX_BYTES], "big")


def manifest_limit(facts: RoundContext) -> int:
    """Bytes of a contribution within which its signed manifest ends."""
    chunks = sum(section.count for section in facts.sections)
    return PREFIX_BYTES + _BASE + (chunks + 1) * _HASH


def other_contribution(
    head: bytes,
    own: bytes,
    facts: RoundContext,
    sender: str,
    verify: Verify,
) -> bool:
    """True for another contribution of ``sender`` to the same round of the same study.

    Args:
        head: the first bytes of what lies in the store (:func:`manifest_limit`).
        own: as many first bytes of this hospital's own frame.
        facts: the round.
        sender: this hospital.
        verify: ``verify(signature, message)`` by its own key.
    """
    if head == own or head[: len(MAGIC)] != MAGIC:
        return False
    length = int.from_bytes(head[len(MAGIC) : PREFIX_BYTES], "big")
    signed = head[PREFIX_BYTES : PREFIX_BYTES + length]
    # Cut off, or the same frame with other chunks: only one pins the chunks that were signed.
    if len(signed) != length or signed == own[PREFIX_BYTES : PREFIX_BYTES + length]:
        return False
    for kind in _TYPES:
        try:
            body = open_signed(
                signed,
                kind=kind,
                fields=_FIELDS,
                verify=verify,
                sender=sender,
                max_bytes=length,
            )
        except MessageError:
            continue
        return (body["study"], body["round"], body["sender"]) == (facts.study, facts.round, sender)
    return False
