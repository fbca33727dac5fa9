"""Audit of a hospital's ledger: what it says, whether it holds, and against what it was compared."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from securefl.errors import (
    LedgerAlteredError,
    MessageError,
    SecureFLError,
    StoreError,
    UnreadableError,
    UntrustedError,
    UsageError,
)
from securefl.files import entries, read_file
from securefl.identity import read_card
from securefl.node.earlier_study import continued_name
from securefl.node.owner.keys import finish_rotation
from securefl.party.failure_note import reason_of
from securefl.party.folder import FILE_NAMES, wrong_folder
from securefl.privacy.audit import Sheet, audit
from securefl.privacy.ledger_chain import read_checkpoint, read_own
from securefl.privacy.ledger_reading import read_chain, read_ledger

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from securefl.identity import IdentityCard
    from securefl.privacy.audit import AuditReport
    from securefl.privacy.ledger_again import LedgerMemory
    from securefl.privacy.ledger_chain import Checkpoint, Head
    from securefl.privacy.ledger_reading import Reading


__all__ = ["Audit", "IgnoredCheckpoint", "Sheet", "read_audit", "read_since"]


@dataclass(frozen=True)
class IgnoredCheckpoint:
    """A checkpoint that another hospital gave back and that does not count."""

    file: Path
    why: str
    next_step: str


@dataclass(frozen=True)
class Audit:
    """A ledger that was read and checked.

    Attributes:
        report: what it says, as far as it holds.
        card: of the hospital that signs it.
        checkpoint: that others hold and that it was compared with; None without one.
        ignored: checkpoints that do not count.
        reasons: why each failed study failed, by its digest.
        sheets: how many sheets the report has; 1 where all of it was asked for.
        continues: name of the study from whose model one started, by digest of that one.
    """

    report: AuditReport
    card: IdentityCard
    checkpoint: Checkpoint | None
    ignored: tuple[IgnoredCheckpoint, ...]
    reasons: Mapping[str, str]
    sheets: int = 1
    continues: Mapping[str, str] = field(default_factory=dict)


def read_audit(
    folder: Path,
    *,
    since: str | None = None,
    checkpoint: Path | None = None,
    sheet: Sheet | None = None,
    memory: LedgerMemory | None = None,
) -> Audit:
    """Read a ledger and check the whole of it. An altered one is told as far as it holds.

    The folder need not be whole: an audit shows what is there.

    Args:
        folder: a hospital's, or a copy of its ledger with its card.
        since: leaves out what was before, as :func:`read_since` gives it.
        checkpoint: of this ledger, that somebody else holds; without it the newest that other
            hospitals gave back.
        sheet: tell of its studies and refusals alone.
        memory: what this process checked of this ledger before.

    Raises:
        UsageError: it is no hospital's folder.
        UnreadableError: card, ledger or checkpoint cannot be read.
    """
    if not any((folder / name).exists() for name in (FILE_NAMES["hospital"], "ledger.sqlite")):
        raise wrong_folder(folder, "hospital")
    with suppress(SecureFLError):
        finish_rotation(folder)
    card = _card(folder / "keys" / "card.json")
    reading = _read(folder / "ledger.sqlite", card, memory)
    told = None if memory is None else memory.history()
    ignored: tuple[IgnoredCheckpoint, ...] = ()
    if checkpoint is None:
        known, ignored = _newest_returned(folder / "checkpoints" / "returned", card, reading.at)
    else:
        known = _checkpoint(checkpoint, card, reading.at)
    if known is not None:
        reading = reading.against(known)
    if ignored and reading.fault is None:
        reading = replace(reading, fault=_doubt(ignored[0]))
    report = audit(reading, since=since, sheet=sheet, told=told)
    failed = [
        study["digest"]
        for dataset in report.datasets
        for study in dataset["studies"]
        if study["status"] == "failed"
    ]
    reasons = {digest: reason_of(folder, digest) for digest in failed}
    sheets = 1 if sheet is None else sheet.sheets(reading.at.state)
    digests = [study["digest"] for dataset in report.datasets for study in dataset["studies"]]
    continues = {digest: name for digest in digests if (name := continued_name(folder, digest))}
    return Audit(report, card, known, ignored, reasons, sheets, continues)


def read_since(text: str) -> str:
    """A time as the ledger compares it: UTC, no zone at the end, so that it is not after any time of
    its second.

    Raises:
        UsageError: it is no time.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is not a time.",
            next_step="Write --since 2026-01-31 or --since 2026-01-31T12:00Z.",
        ) from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _newest_returned(
    folder: Path, card: IdentityCard, at: Head
) -> tuple[Checkpoint | None, tuple[IgnoredCheckpoint, ...]]:
    """The largest checkpoint of this ledger that other hospitals gave back to its agent, and those
    that do not count.
    """
    found = []
    ignored = []
    for file in entries(folder):
        try:
            found.append(_own(read_file(file), card, at))
        except (OSError, MessageError):
            continue  # half written
        except UntrustedError as error:
            ignored.append(IgnoredCheckpoint(file, error.what, error.next_step))
    return max(found, key=lambda c: c.size, default=None), tuple(ignored)


def _doubt(disputed: IgnoredCheckpoint) -> LedgerAlteredError:
    """Fault of a ledger that may have been put back: a program that asks must not hear "intact"."""
    return LedgerAlteredError(
        f"{disputed.why} It came back from {disputed.file.name}.",
        next_step=(
            f"{disputed.next_step} Once you know, move {disputed.file} away and run the audit again."
        ),
    )


def _own(data: bytes, card: IdentityCard, at: Head) -> Checkpoint:
    """A checkpoint of this hospital's ledger, also of one that is newer than the ledger that lies
    here.
    """
    try:
        return read_own(data, at)
    except MessageError:
        return read_checkpoint(data, site=card.name, verify=card.verify_ever)


def _bytes(path: Path, next_step: str) -> bytes:
    try:
        return read_file(path)
    except OSError as error:
        raise UnreadableError(
            f"{path} cannot be read: {error.strerror}.", next_step=next_step
        ) from None


def _card(path: Path) -> IdentityCard:
    data = _bytes(path, "Name the hospital's folder with --site.")
    try:
        return read_card(data)
    except MessageError as error:
        raise UnreadableError(
            f"{path}: {error.what}", next_step="Restore it from your backup."
        ) from None


def _checkpoint(path: Path, card: IdentityCard, at: Head) -> Checkpoint:
    ask = (
        f"Ask the hospital that holds one for the file that `securefl site checkpoint {card.name}"
        " --out FILE` writes there."
    )
    data = _bytes(path, ask)
    try:
        return _own(data, card, at)
    except MessageError:
        raise UnreadableError(
            f"{path} is no checkpoint of {card.name}'s ledger that {card.name} signed.",
            next_step=ask,
        ) from None
    except UntrustedError as error:
        raise UnreadableError(
            f"{path} does not count: {error.what}", whose=error.whose, next_step=error.next_step
        ) from None


def _read(path: Path, card: IdentityCard, memory: LedgerMemory | None) -> Reading:
    try:
        if memory is None:
            found = read_ledger(path, card.verify)
        else:
            found = memory.read(card.signing_public, card.verify)
        older = None
        if card.earlier and not found.events:
            older = _before_the_change(path, card)
    # for an audit a ledger behind a lock or a missing right is one that cannot be read
    except StoreError as error:
        raise UnreadableError(error.what, whose=error.whose, next_step=error.next_step) from error
    return older or found


def _before_the_change(path: Path, card: IdentityCard) -> Reading | None:
    """A ledger that the present key has not signed, but an earlier one has: a copy from before the
    change of keys.
    """
    older = read_chain(path, card.verify_ever)
    if older.fault is not None:
        return None
    fault = LedgerAlteredError(
        f"Event {older.at.size + 1} of the ledger: it is missing. The ledger ends before this"
        f" hospital's change of keys on {card.earlier[-1].until[:10]}: it is an older copy.",
        next_step="Stop this hospital's agent and put the newest ledger back.",
    )
    return replace(older, fault=fault)
