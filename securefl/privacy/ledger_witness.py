"""Local witness of the ledger: its newest checkpoint, signed, in a small file beside it.

A chain of events proves itself but for its end: a file that lost its last events is a sound ledger.
The witness, outside of SQLite, remembers how far it had come. Partners' checkpoints do the same for
all that a restore of the whole folder takes back; the witness needs no partner, and finds a ledger
that was put back alone.

The file has two places of equal length. A word goes into the place that does not hold the newest
one, so a write that the power cut through spoils the older of the two. The file itself comes into
being with its first word whole.

Order: it is written after the commit and before the caller acts on it. A process killed between the
two leaves a witness that is behind, which is no fault: the ledger contains it. Never is it ahead of
a commit, so a witness that the ledger does not contain is an alarm. It may also stay behind where
the disk takes the commit and not the witness; the next commit mends it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from securefl.errors import LedgerAlteredError, MessageError, UntrustedError
from securefl.files import read_file, replace_file
from securefl.privacy.ledger_chain import CHECKPOINT_FORM, read_own
from securefl.privacy.ledger_events import RESTORE
from securefl.signed import peek_signed

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.privacy.ledger_chain import Checkpoint
    from securefl.privacy.ledger_reading import Reading

#: Bytes of one of the two places; a checkpoint has about 400. What is left of it is spaces.
_PLACE = 1024

#: What fills a place, and what a file system leaves where a write did not arrive.
_BLANK = b" \0"


def witness_path(ledger: Path) -> Path:
    """Return the path of the witness of a ledger."""
    return ledger.with_name(f"{ledger.name}.head")


def write_witness(ledger: Path, checkpoint: bytes) -> None:
    """Keep a signed checkpoint (mode 0600), flushed.

    Where the disk does not take it, the earlier one stays.
    """
    path = witness_path(ledger)
    with suppress(OSError):
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            # Whole or not at all: cut through, with nothing beside it, it would look like an
            # altered one.
            replace_file(path, checkpoint.ljust(2 * _PLACE))
            return
        try:
            place = _place_to_write(os.pread(descriptor, 2 * _PLACE, 0))
            os.pwrite(descriptor, checkpoint.ljust(_PLACE), _PLACE * place)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)


def _place_to_write(data: bytes) -> int:
    """Return the place, 0 or 1, that does not hold the newest word.

    A write that is cut through must not spoil that one.
    """
    first, second = (_claimed(place.strip(_BLANK)) for place in _places(data))
    return int(first > second)


def _claimed(word: bytes) -> int:
    """Return the number of events that a word names, unverified; 0 for no whole statement."""
    body = _whole(word)
    if body is None or not isinstance(body["size"], int):
        return 0
    return body["size"]


def _places(data: bytes) -> tuple[bytes, bytes]:
    """Split the file into its two places."""
    return data[:_PLACE], data[_PLACE : 2 * _PLACE]


def read_witness(ledger: Path) -> tuple[bytes, ...] | None:
    """Read the witness's words as they lie there, at most two.

    None without a witness, as beside a ledger of an earlier version.
    """
    try:
        data = read_file(witness_path(ledger))
    except OSError:
        return None
    return tuple(word for place in _places(data) if (word := place.strip(_BLANK)))


def against_witness(
    reading: Reading,
    ledger: Path,
    words: tuple[bytes, ...] | None,
) -> Reading:
    """Return the reading, with a fault where it lacks what its witness knows.

    A fault found before stays. ``words`` are from :func:`read_witness`, read before the rows were:
    another process may have committed since.
    """
    if words is None or reading.fault is not None:
        return reading
    known = []
    foreign = []
    for word in words:
        found = _own(word, reading)
        if found is not None:
            known.append(found)
        # A place that was cut through is no statement, and no fault.
        elif _whole(word):
            foreign.append(word)
    lacking = [checkpoint for checkpoint in known if not _contains(reading, checkpoint)]
    if known and not lacking and not foreign:
        return reading
    why = f"{witness_path(ledger)} beside it is by no key that this ledger knows, or was altered"
    if lacking:
        most = max(c.size for c in lacking)
        why = (
            f"{witness_path(ledger)} beside it knows {most} events that this ledger, of"
            f" {reading.at.size}, does not contain"
        )
    fault = LedgerAlteredError(
        f"The end of the ledger is missing or was rewritten: {why}.",
        next_step=f"Stop this hospital's agent and keep both files. {RESTORE}",
    )
    return replace(reading, fault=fault)


def _contains(reading: Reading, checkpoint: Checkpoint) -> bool:
    """True if the ledger that was read has the checkpoint's past."""
    if checkpoint.size > len(reading.hashes):
        return False
    return reading.hashes[checkpoint.size - 1] == checkpoint.head


def _whole(word: bytes) -> dict[str, Any] | None:
    """Return the fields of a whole statement, unverified, whatever key it is by.

    None for one that was cut through.
    """
    try:
        body, _, _ = peek_signed(
            word, forms=CHECKPOINT_FORM, sender="this ledger", max_bytes=_PLACE
        )
    except MessageError:
        return None
    return body


def _own(word: bytes, reading: Reading) -> Checkpoint | None:
    """Return a word of the witness as a checkpoint, where a key of this ledger signed it.

    A place that was cut through is none.
    """
    try:
        return read_own(word, reading.at)
    except (MessageError, UntrustedError):
        return None
