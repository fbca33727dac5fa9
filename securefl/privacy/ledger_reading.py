"""Reading of a ledger without writing to it.

As far as it holds, and what is wrong with the first event that does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from securefl.errors import LedgerAlteredError
from securefl.privacy.ledger_chain import (
    Checkpoint,
    Head,
    check_against,
    follow,
    follow_all,
    require_trust,
)
from securefl.privacy.ledger_events import RESTORE
from securefl.privacy.ledger_file import LedgerFile
from securefl.privacy.ledger_witness import against_witness, read_witness

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from securefl.privacy.ledger_chain import Row
    from securefl.privacy.ledger_events import Event
    from securefl.types import Verify


@dataclass(frozen=True)
class Reading:
    """Ledger as it was found: the events that hold, and the fault of the first that does not."""

    events: tuple[Event, ...]
    at: Head
    fault: LedgerAlteredError | None
    #: The hash of each event that holds.
    hashes: tuple[str, ...] = ()

    def against(self, checkpoint: Checkpoint) -> Self:
        """Return the same, with a fault where it lacks the past that a checkpoint knows.

        A fault found before stays.
        """
        try:
            if self.fault is None:
                check_against(checkpoint, self.at.state.site, self.hashes)
        except LedgerAlteredError as error:
            return replace(self, fault=error)
        return self

    def require(self) -> Self:
        """Return itself, if nothing is wrong.

        Raises:
            LedgerAlteredError: what is wrong.
        """
        if self.fault is not None:
            raise self.fault
        return self


def read_rows(
    rows: Sequence[Row],
    verify: Verify,
    known: Reading | None = None,
) -> Reading:
    """Follow a file's rows, checking each from the first one.

    Args:
        rows: all of the file.
        verify: checks a signature by the key that this reader trusts.
        known: a reading without a fault of exactly the first of these rows, by the same key: only
            the others are checked.
    """
    head = Head()
    events: list[Event] = []
    hashes: list[str] = []
    if known is not None:
        head = known.at
        events.extend(known.events)
        hashes.extend(known.hashes)
    fault = None
    try:
        for row in rows[head.size :]:
            head, event = follow(head, row, verify)
            events.append(event)
            hashes.append(head.hash)
        if not head.trusted and head.size:
            # A sound chain by another key: nothing of it is this site's.
            head = Head()
            events = []
            require_trust(Head(1))
        follow_all((), verify, head)
        if not events:
            raise LedgerAlteredError("Event 1 of the ledger: it is missing.", next_step=RESTORE)  # noqa: TRY301 - one place collects the first fault
    except LedgerAlteredError as error:
        fault = error
    return Reading(tuple(events), head, fault, tuple(hashes))


def read_ledger(
    path: Path,
    verify: Verify,
    checkpoint: Checkpoint | None = None,
) -> Reading:
    """Read a ledger for an audit, as far as it holds.

    It is held against a checkpoint and its local witness.

    Raises:
        UnreadableError: missing, damaged or of another kind.
    """
    # The witness before the rows: another process may commit between the two.
    words = read_witness(path)
    found = read_chain(path, verify)
    if checkpoint is not None:
        found = found.against(checkpoint)
    return against_witness(found, path, words)


def read_chain(path: Path, verify: Verify) -> Reading:
    """Read a ledger by itself: its chain, signatures and rules, not what lies beside it.

    Raises as :func:`read_ledger`.
    """
    file = LedgerFile.open(path)
    try:
        return read_rows(file.rows(), verify)
    finally:
        file.close()
