"""Checkpoints of ledgers on their way to the other hospitals and back.

A hospital's chain of events proves itself, but for its end: a restored backup is a sound ledger that has forgotten the
last approvals that were used and the last unmasking answers that were given. So each hospital hands a signed checkpoint
of its ledger to every other participant when a study starts and after each round, and asks for them back when its agent
starts: a hospital asks with a number used once, and every other one answers under that number with the newest checkpoint
that it holds. An old answer therefore cannot be played again, not by the store's operator either, and a checkpoint is the
asker's own signed word, so nobody can invent one.

On the way they are sealed to their reader: the number of events would tell the store's operator and the researcher how
much a hospital does elsewhere. The other hospitals do see it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.errors import MessageError
from securefl.federation.paths import study_root
from securefl.signed import dump_signed, open_signed

if TYPE_CHECKING:
    from collections.abc import Callable

    Verify = Callable[[bytes, bytes], bool]
    Sign = Callable[[bytes], bytes]

ASK: Final = "securefl-checkpoint-ask/1"
HELD: Final = "securefl-checkpoint-held/1"
MAX_CHECKPOINT: Final = 4096
#: A sealed checkpoint, or an answer that carries one in hex.
MAX_SEALED: Final = 16 * 1024

_NONCE = re.compile(r"[0-9a-f]{64}")
_DATA = re.compile(r"([0-9a-f]{2})*")


def handed_path(digest: str, site: str, reader: str) -> str:
    """A hospital's checkpoint for one other participant of a study."""
    return f"{study_root(digest)}/checkpoints/{site}/{reader}"


def ask_path(site: str) -> str:
    """A hospital's question for its checkpoints."""
    return f"checkpoints/{site}/ask"


def held_path(site: str, holder: str) -> str:
    """One holder's answer to it."""
    return f"checkpoints/{site}/held/{holder}"


def handed_info(digest: str, site: str, reader: str) -> bytes:
    """What a handed checkpoint is sealed under."""
    return f"securefl/checkpoint/1/{digest}/{site}/{reader}".encode()


def held_info(site: str, holder: str) -> bytes:
    """What an answer is sealed under."""
    return f"securefl/checkpoint-held/1/{site}/{holder}".encode()


@dataclass(frozen=True)
class Ask:
    """``site`` asks the others for the newest checkpoint of its ledger that they hold. ``nonce``: 32 bytes in hex, used once."""

    site: str
    nonce: str

    def dump(self, sign: Sign) -> bytes:
        """The question as it travels."""
        return dump_signed({"type": ASK, **self.__dict__}, sign)


def open_ask(data: bytes, *, site: str, verify: Verify) -> Ask:
    """Check and read a question. Raises :class:`MessageError`."""
    body = open_signed(data, kind=ASK, fields=frozenset({"site", "nonce"}), verify=verify, sender=site, max_bytes=MAX_CHECKPOINT)
    if body["site"] != site or not isinstance(body["nonce"], str) or not _NONCE.fullmatch(body["nonce"]):
        raise MessageError(f"A question of {site} is malformed.", whose=site)
    return Ask(**body)


@dataclass(frozen=True)
class Held:
    """``holder`` answers ``site``: the newest signed checkpoint of its ledger that is held, or nothing (empty)."""

    holder: str
    site: str
    nonce: str
    checkpoint: bytes

    def dump(self, sign: Sign) -> bytes:
        """The answer as it is sealed."""
        return dump_signed({"type": HELD, **self.__dict__, "checkpoint": self.checkpoint.hex()}, sign)


def open_held(data: bytes, *, site: str, holder: str, verify: Verify) -> Held:
    """Check and read a holder's answer; whether its nonce is the one asked with is for the caller. Raises :class:`MessageError`."""
    body = open_signed(
        data, kind=HELD, fields=frozenset({"holder", "site", "nonce", "checkpoint"}), verify=verify, sender=holder, max_bytes=MAX_SEALED
    )
    texts = all(isinstance(v, str) for v in body.values())
    if not texts or (body["holder"], body["site"]) != (holder, site) or not _NONCE.fullmatch(body["nonce"]) or not _DATA.fullmatch(body["checkpoint"]):
        raise MessageError(f"An answer of {holder} is malformed, or for another hospital.", whose=holder)
    return Held(holder, site, body["nonce"], bytes.fromhex(body["checkpoint"]))
