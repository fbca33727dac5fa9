"""A local witness of the ledger: its newest checkpoint, signed, in a small file beside it.

A chain of events proves itself but for its end: a file that lost its last events is a sound ledger. The witness, outside of
SQLite, remembers how far it had come. Partners' checkpoints do the same for all that a restore of the whole folder takes
back; the witness needs no partner, and finds a ledger that was put back alone.

The file has two places of equal length, written in turn: a write that the power cut through spoils the older of the two.

Order: it is written after the commit and before the caller acts on it. A process killed between the two leaves a witness
that is behind, which is no fault: the ledger contains it. Never is it ahead of a commit, so a witness that the ledger does
not contain is an alarm. It may also stay behind where the disk takes the commit and not the witness; the next commit mends it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from securefl.errors import LedgerAlteredError, MessageError, UntrustedError
from securefl.files import read_file, sync_folder
from securefl.privacy.ledger_chain import CHECKPOINT_FORM, read_own
from securefl.privacy.ledger_events import RESTORE
from securefl.signed import peek_signed

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.privacy.ledger_chain import Checkpoint
    from securefl.privacy.ledger_reading import Reading

#: Bytes of one of the two places; a checkpoint has about 400. What is left of it is spaces.
_PLACE = 1024


def witness_path(ledger: Path) -> Path:
    """Where the witness of the ledger at this path lies."""
    return ledger.with_name(f"{ledger.name}.head")


def write_witness(ledger: Path, size: int, checkpoint: bytes) -> None:
    """Keep a signed checkpoint of ``size`` events (mode 0600), flushed; where the disk does not take it, the earlier one stays."""
    with suppress(OSError):
        path = witness_path(ledger)
        new = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, checkpoint.ljust(_PLACE), _PLACE * (size % 2))
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        if new:
            sync_folder(path.parent)


def read_witness(ledger: Path) -> tuple[bytes, ...] | None:
    """The witness's words as they lie there, at most two; None without one, as beside a ledger of an earlier version."""
    try:
        data = read_file(witness_path(ledger))[:2 * _PLACE]
    except OSError:
        return None
    places = (data[:_PLACE], data[_PLACE:])
    return tuple(place.strip(b" \0") for place in places if place.strip(b" \0"))


def against_witness(reading: Reading, ledger: Path, words: tuple[bytes, ...] | None) -> Reading:
    """The reading, with a fault where it lacks what its witness knows. A fault found before stays.

    ``words``: from :func:`read_witness`, read before the rows were: another process may have committed since.
    """
    if words is None or reading.fault is not None:
        return reading
    known = [found for word in words if (found := _own(word, reading)) is not None]
    lacking = [
        c
        for c in known
        if not (c.size <= len(reading.hashes) and reading.hashes[c.size - 1] == c.head)
    ]
    if (
        known
        and not lacking
        and not any(_foreign(word) for word in words if _own(word, reading) is None)
    ):
        return reading
    why = f"{witness_path(ledger)} beside it is by no key that this ledger knows, or was altered"
    if lacking:
        most = max(c.size for c in lacking)
        why = f"{witness_path(ledger)} beside it knows {most} events that this ledger, of {reading.at.size}, does not contain"
    fault = LedgerAlteredError(
        f"The end of the ledger is missing or was rewritten: {why}.",
        next_step=f"Stop this hospital's agent and keep both files. {RESTORE}",
    )
    return replace(reading, fault=fault)


def _foreign(word: bytes) -> bool:
    """Whether this is a whole statement; a word that was cut through is none, whatever key it is by."""
    try:
        peek_signed(word, forms=CHECKPOINT_FORM, sender="this ledger", max_bytes=_PLACE)
    except MessageError:
        return False
    return True


def _own(word: bytes, reading: Reading) -> Checkpoint | None:
    """A word of the witness, where a key of this ledger signed it; a place that was cut through is none."""
    try:
        return read_own(word, reading.at)
    except (MessageError, UntrustedError):
        return None
