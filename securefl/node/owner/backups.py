"""Backups: making one, and putting one back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.node import backup
from securefl.node.checkpoints import hospitals_of
from securefl.node.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.identity import IdentityCard


@dataclass(frozen=True)
class BackupFacts:
    """A backup that was checked: every file is as its hospital signed it, and its ledger holds.

    Attributes:
        folder: where it lies.
        card: the hospital's card in it.
        made_at: UTC in ISO 8601.
        files: how many.
        events: of its ledger.
        head: hash of the last event.
    """

    folder: Path
    card: IdentityCard
    made_at: str
    files: int
    events: int
    head: str


@dataclass(frozen=True)
class RestorePlan:
    """A backup to be put back, before the owner's yes."""

    facts: BackupFacts
    target: Path
    checked: backup.Backup


@dataclass(frozen=True)
class Restored:
    """A backup that was put back.

    Attributes:
        aside: where the ledger lies that was there before; None where none was.
        missing: registered tables that are not there now; a backup holds none.
        partners: hospitals that are asked which checkpoints of this ledger they hold.
    """

    aside: Path | None
    missing: tuple[str, ...]
    partners: tuple[str, ...]


def make_backup(site: Site, target: Path, at: str) -> BackupFacts:
    """Write a backup into a new folder, also while the agent works.

    ``at``: now, UTC in ISO 8601.

    Raises:
        UsageError: there is something at ``target``, or it lies inside the hospital's folder.
        StoreError: it cannot be written.
    """
    return _facts(backup.make_backup(site, target, at))


def plan_restore(source: Path, target: Path) -> RestorePlan:
    """Check a backup; nothing is written.

    Raises:
        UnreadableError: it is no backup, incomplete or altered.
        LedgerAlteredError: its ledger does not hold.
    """
    checked = backup.read_backup(source)
    return RestorePlan(_facts(checked), target, checked)


def restore(plan: RestorePlan) -> Restored:
    """Put a backup back, into a new folder or over the hospital's own.

    Raises:
        UsageError: an agent runs there, or it is another party's folder.
        LedgerAlteredError: what lies there is newer than the backup.
        StoreError: it cannot be written.
    """
    aside = backup.restore_backup(plan.checked, plan.target)
    site = Site.at(plan.target)
    paths = (entry.path for entry in site.settings.datasets)
    missing = tuple(path for path in paths if not (site.path / path).is_file())
    return Restored(aside, missing, tuple(sorted(hospitals_of(site))))


def _facts(found: backup.Backup) -> BackupFacts:
    at = found.reading.at
    return BackupFacts(
        found.folder,
        found.card,
        found.made_at,
        len(found.files),
        at.size,
        at.hash,
    )
