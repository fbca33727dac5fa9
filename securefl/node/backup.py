"""A backup of a hospital's folder, and putting one back: whole or not at all, signed, and never
over a newer ledger.

A backup is a folder: a copy of all that this hospital cannot make again (keys, list of partners,
settings, ledger with its witness, studies, checkpoints, PySyft's own keys), and ``manifest``, a
statement with the SHA-256 of each file, signed by the hospital. Left out on purpose: private
tables, personal models (as confidential as those, and made again at any time), study keys and what
only a study at work needs (erased when a study ends; a backup would keep it), locks and process
files.

Making one disturbs nobody: the ledger is copied by SQLite's own backup while others write,
everything else is replaced in one step by whoever changes it. It appears under its name when it is
complete and on the disk.

Putting one back checks everything before it changes anything. What it cannot see is what happened
after the backup was made: the partners' checkpoints say that (:mod:`securefl.node.checkpoints`).
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from securefl.errors import (
    LedgerAlteredError,
    MessageError,
    StoreError,
    UnreadableError,
    UsageError,
)
from securefl.files import check_regular, file_sha256, private_folder, sync_folder, write_file
from securefl.identity import read_card
from securefl.party.folder import FILE_NAMES
from securefl.party.pidfile import exclude_role
from securefl.privacy.ledger_chain import Checkpoint, check_against, read_checkpoint
from securefl.privacy.ledger_file import LedgerFile
from securefl.privacy.ledger_reading import read_chain
from securefl.privacy.ledger_witness import read_witness, witness_path, write_witness
from securefl.signed import dump_signed, open_signed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.identity import IdentityCard
    from securefl.node.site import Site
    from securefl.privacy.ledger_reading import Reading

TYPE = "securefl-site-backup/1"
MANIFEST = "manifest"
_LEDGER = "ledger.sqlite"
_MOST_MANIFEST = 32 * 1024 * 1024
#: Folders and files below the hospital's that are left out.
_NOT_KEPT = frozenset(
    {
        "private",
        "contributions",
        "said",
        "personal",
        "accepted",
        "totals",
        "run.key",
        "console.html",
    }
)
#: Notices that wait to be sent to the owner. Those beside a model are recalls, and are kept.
_WAITING_NOTICES = ("notices",)
_STUDY_KEYS = ("keys", "studies")


@dataclass(frozen=True)
class Backup:
    """A backup that was checked: every file is as its hospital signed it, and its ledger holds.

    Args:
        folder: where it lies.
        card: the hospital's card, as it is in the backup.
        made_at: UTC in ISO 8601.
        reading: its ledger.
        files: hash by path below the folder.
    """

    folder: Path
    card: IdentityCard
    made_at: str
    reading: Reading
    files: dict[str, str]


def make_backup(site: Site, target: Path, at: str) -> Backup:
    """Write a backup of a hospital into ``target``, which must not exist yet.

    Args:
        site: the hospital; its agent may be at work.
        target: a new folder, outside the hospital's own.
        at: now, UTC in ISO 8601.

    Raises:
        UsageError: there is something at ``target``, or it lies inside the hospital's folder.
        StoreError: it cannot be written; nothing is left of it.
    """
    target = target.absolute()
    if target.exists():
        raise UsageError(
            f"{target} exists already.",
            next_step="Name a new folder: a backup is never written over another one.",
        )
    if target.resolve().is_relative_to(site.path.resolve()):
        raise UsageError(
            f"{target} lies inside the hospital's own folder.",
            next_step="Name a folder elsewhere, best on another disk.",
        )
    part = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    try:
        private_folder(part)
        with site.deciding():  # no decision is half in it
            files = {name: _copy(site.path / name, part / name) for name in kept_files(site.path)}
            reading = _copy_ledger(site, part)
        files |= {
            name: file_sha256(part / name) for name in (_LEDGER, witness_path(Path(_LEDGER)).name)
        }
        body = {
            "site": site.name,
            "made_at": at,
            "size": reading.at.size,
            "head": reading.at.hash,
            "files": files,
        }
        word = dump_signed({"type": TYPE, **body}, site.identity.sign)
        write_file(part / MANIFEST, lambda file: file.write(word))
        for folder in (part, *(p for p in part.rglob("*") if p.is_dir())):
            sync_folder(folder)
        part.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise StoreError(
            f"The backup {target} cannot be written: {error.strerror}.",
            whose="the data owner",
            next_step="Check the folder, its rights and its disk, then repeat the command.",
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Backup(target, site.identity.card, at, reading, files)


def kept_files(folder: Path) -> Iterator[str]:
    """The files that belong into a backup, but for the ledger's: paths below the folder."""
    for root, folders, names in os.walk(folder):
        below = Path(root).relative_to(folder)
        folders[:] = [f for f in folders if _is_kept((*below.parts, f))]
        for name in names:
            own = below == Path() and (
                name.startswith((_LEDGER, "agent.json", "agent.end.json")) or name.endswith(".lock")
            )
            if (
                not own
                and name not in _NOT_KEPT
                and not name.endswith(".part")
                and stat.S_ISREG((Path(root) / name).lstat().st_mode)
            ):
                yield str(below / name)


def _is_kept(below: tuple[str, ...]) -> bool:
    """True for a folder, by its path below the hospital's, that belongs into a backup."""
    return below[-1] not in _NOT_KEPT and below not in {_STUDY_KEYS, _WAITING_NOTICES}


def _copy(source: Path, target: Path) -> str:
    """Copy a file (mode 0600, flushed); its SHA-256 in hex."""
    private_folder(target.parent)
    check_regular(source.stat().st_mode, source)
    with source.open("rb") as file:
        write_file(target, lambda copy: shutil.copyfileobj(file, copy))
    return file_sha256(target)


def _copy_ledger(site: Site, part: Path) -> Reading:
    copy = part / _LEDGER
    file = LedgerFile.open(site.ledger_path)
    try:
        file.copy_to(copy)
    finally:
        file.close()
    reading = read_chain(copy, site.identity.card.verify).require()
    write_witness(
        copy,
        Checkpoint(site.name, reading.at.size, reading.at.hash).dump(site.identity.sign),
    )
    return reading


def read_backup(folder: Path) -> Backup:
    """Check a backup: the manifest's signature, every file's hash, no file more or less, the
    ledger.

    Raises:
        UnreadableError: it is no backup, incomplete or altered.
        LedgerAlteredError: its ledger does not hold.
    """
    folder = folder.absolute()
    try:
        card = read_card((folder / "keys" / "card.json").read_bytes())
        body = open_signed(
            (folder / MANIFEST).read_bytes(),
            kind=TYPE,
            fields=frozenset({"site", "made_at", "size", "head", "files"}),
            verify=card.verify,
            sender=card.name,
            max_bytes=_MOST_MANIFEST,
        )
        found = {
            str(p.relative_to(folder))
            for p in folder.rglob("*")
            if p.is_symlink() or not p.is_dir()
        } - {MANIFEST}
        files: dict[str, str] = body["files"]
        wrong = sorted(found ^ set(files)) or [
            n
            for n in sorted(files)
            if (folder / n).is_symlink() or file_sha256(folder / n) != files[n]
        ]
    except MessageError as error:
        raise _no_backup(folder, error.what) from None
    except (OSError, TypeError) as error:
        why = getattr(error, "strerror", None) or "its manifest is malformed"
        raise _no_backup(folder, why) from None
    if body["site"] != card.name:
        wrong.append(MANIFEST)
    if wrong:
        raise _no_backup(folder, f"{wrong[0]} is missing, added or not what was signed")
    reading = read_chain(folder / _LEDGER, card.verify).require()
    if (reading.at.size, reading.at.hash) != (body["size"], body["head"]):
        raise _no_backup(folder, "its ledger is not the one that was signed")
    return Backup(folder, card, str(body["made_at"]), reading, files)


def _no_backup(folder: Path, why: str) -> UnreadableError:
    return UnreadableError(
        f"{folder} is no whole backup of a hospital: {why}.",
        whose="the data owner",
        next_step=(
            "Take another one. Name the folder that `securefl site backup` made, as it was made."
        ),
    )


def restore_backup(backup: Backup, folder: Path) -> Path | None:
    """Put a backup back as the hospital's folder. Killed in between, the same command goes on.

    Args:
        backup: as checked by :func:`read_backup`.
        folder: a new one, or the hospital's own as it is now; what the backup has not stays there.

    Returns:
        Where the ledger lies now that was in the folder before; None where none was.

    Raises:
        UsageError: an agent runs there, or it is another party's folder.
        LedgerAlteredError: what lies there is newer than the backup.
        StoreError: it cannot be written.
    """
    folder = folder.absolute()
    ours = any((folder / name).exists() for name in (FILE_NAMES["hospital"], "keys/card.json"))
    if (
        folder.exists()
        and not ours
        and (not folder.is_dir() or any(_of_use(p) for p in folder.rglob("*")))
    ):
        raise UsageError(
            f"{folder} is there, and is no hospital's folder.",
            next_step="Name a new folder, or the hospital's own, with --site.",
        )
    try:
        private_folder(folder)
        with exclude_role(folder, "agent") as away:
            if not away:
                raise UsageError(
                    f"An agent runs in {folder}.",
                    next_step="`securefl site stop`, then repeat the command.",
                )
            _check_not_newer(backup, folder)
            aside = _put_aside(folder)
            # the card first, so that the same command may go on; the ledger last: without it
            # nothing in this folder starts
            for name in sorted(
                backup.files,
                key=lambda n: (n.startswith(_LEDGER), n == _LEDGER, n != "keys/card.json", n),
            ):
                if _copy(backup.folder / name, folder / name) != backup.files[name]:
                    raise _no_backup(backup.folder, f"{name} changed after it was checked")
            for below in ("private", "public", "studies", "keys/studies"):
                private_folder(folder / below)
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be written: {error.strerror}.",
            whose="the data owner",
            next_step="Check its rights and its disk, then repeat the command.",
        ) from None
    return aside


def _of_use(path: Path) -> bool:
    """True for somebody else's file; locks and unfinished files are what a killed restore leaves."""
    return path.is_file() and path.suffix not in {".lock", ".part"}


def _check_not_newer(backup: Backup, folder: Path) -> None:
    """Refuse what would forget: a ledger, a witness or a partner's word there that knows more than
    the backup.
    """
    card_file = folder / "keys" / "card.json"
    if card_file.exists():
        here = read_card(card_file.read_bytes())
        if here.name != backup.card.name:
            raise UsageError(
                f"{folder} is the folder of {here.name}, the backup is of {backup.card.name}.",
                next_step="Name another folder.",
            )
        if here.signing_public not in {
            backup.card.signing_public,
            *(k.signing_public for k in backup.card.earlier),
        }:
            raise _newer(folder, "its keys were changed after the backup was made")
    path = folder / _LEDGER
    if path.exists():
        try:
            there = read_chain(path, backup.card.verify_ever)
        except (UnreadableError, StoreError):
            # broken: the very reason for a backup; what lies beside it may still say how far it had
            # come
            there = None
        if there is not None and there.at.size:
            _contained(
                backup,
                Checkpoint(backup.card.name, there.at.size, there.at.hash),
                folder,
                "the ledger there",
            )
    returned = folder / "checkpoints" / "returned"
    words = [
        *(read_witness(path) or ()),
        *(p.read_bytes() for p in (returned.iterdir() if returned.is_dir() else ()) if p.is_file()),
    ]
    for word in words:
        try:
            known = read_checkpoint(word, site=backup.card.name, verify=backup.card.verify_ever)
        except MessageError:
            continue
        _contained(backup, known, folder, "what lies beside it")


def _contained(
    backup: Backup,
    known: Checkpoint,
    folder: Path,
    what: str,
) -> None:
    try:
        check_against(known, backup.card.name, backup.reading.hashes)
    except LedgerAlteredError:
        raise _newer(
            folder,
            f"{what} knows {known.size} events, the backup has {backup.reading.at.size} and does"
            " not contain them",
        ) from None


def _newer(folder: Path, why: str) -> LedgerAlteredError:
    return LedgerAlteredError(
        f"{folder} is newer than the backup: {why}. Put back, it would forget what was spent"
        " since.",
        whose="the data owner",
        next_step=(
            "Take a newer backup. If there is none, and what lies there is lost, move its ledger"
            " files and `checkpoints/returned` away yourself: the partners are then asked what they"
            " hold, and nothing runs that they know to be forgotten."
        ),
    )


def _put_aside(folder: Path) -> Path | None:
    """Move the ledger that is there, with all that belongs to it, out of the way: a journal left
    beside another file would spoil it.
    """
    old = [p for p in folder.glob(f"{_LEDGER}*") if p.is_file()]
    if not old:
        return None
    number = sum(1 for _ in folder.glob("replaced.*")) + 1
    aside = private_folder(folder / f"replaced.{number}")
    for file in old:
        file.rename(aside / file.name)
    sync_folder(aside)
    sync_folder(folder)
    return aside
