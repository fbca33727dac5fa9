"""A hospital's new keys, and how they take the old ones' place: whole or not at all.

The ledger decides. What is new is prepared in a folder beside ``keys`` first, complete and on the
disk; then the ledger notes the new key in one transaction; then the folders change places. Whoever
opens the hospital's folder after a crash finishes what the ledger has noted, or clears away what it
has not, before anything reads a key:

- ``keys.next`` is there and the ledger knows its key: ``keys`` becomes ``keys.before``,
  ``keys.next`` becomes ``keys``.
- ``keys.next`` is there and the ledger does not know its key: it is erased.
- ``keys.before`` is there beside ``keys``: it is erased, and with it the old private keys.

Of the old signing key only the public half stays: in the ledger, and on the new card with its word
that this one comes next.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from securefl.errors import MessageError, NotApprovedError, UnreadableError, UsageError
from securefl.files import erase_file, private_folder, read_file, sync_folder, write_secret
from securefl.identity import MAX_CARD_BYTES, read_card
from securefl.locks import holding
from securefl.party.pidfile import exclude_role
from securefl.privacy.ledger_reading import read_ledger
from securefl.study.study_id import StudyId

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.identity import Identity, IdentityCard
    from securefl.node.site import Site

NEXT = "keys.next"
BEFORE = "keys.before"
#: What the new folder has of its own; everything else in ``keys`` is copied (the site's secret
#: decides who is held out, for ever).
_OWN = frozenset({"signing.key", "sealing.key", "card.json", "partners", "studies"})


def rotate_key(site: Site, at: str) -> IdentityCard:
    """Make new keys and let them take over; the site has to be opened anew afterwards.

    Args:
        site: the hospital.
        at: now, UTC in ISO 8601, as the new card says it.

    Returns:
        The new card.

    Raises:
        UsageError: the agent runs, or the keys were changed meanwhile.
        NotApprovedError: a study is approved or running: its approval names the old key.
    """
    check_no_study(site)  # first: whoever stops the agent for this ends what runs
    with exclude_role(site.path, "agent") as away:
        if not away:
            raise UsageError(
                "The agent runs, with the old keys.",
                whose="the data owner",
                next_step="`securefl site stop`, then repeat this, then `securefl site start`.",
            )
        with site.deciding():
            check_no_study(site)
            if site.ledger.state.key != site.identity.card.signing_public:
                raise UsageError(
                    "The keys of this hospital were replaced meanwhile.",
                    next_step=(
                        "Look at `securefl audit`, then repeat the command if you still want to."
                    ),
                )
            new = site.identity.successor(at)
            try:
                _prepare(site, new)
                site.ledger.rotate(new.card.signing_public, sign=new.sign, verify=new.card.verify)
            finally:
                _finish(site.path)
    return new.card


def check_no_study(site: Site) -> None:
    """Refuse a change of keys that would end a study.

    Raises:
        NotApprovedError: a study is approved or running here.
    """
    going = [
        f"{StudyId(s.approval.id, s.digest).name} ({s.status})"
        for s in site.ledger.state.studies.values()
        if not s.ended
    ]
    if going:
        raise NotApprovedError(
            f"The approval of {', '.join(going)} names the old key; with another one the study"
            " would fail for all.",
            next_step=(
                "Wait until it has ended. If the keys may be in other hands now: leave it with"
                " `securefl site withdraw`, then make new keys."
            ),
        )


def unfinished(folder: Path) -> bool:
    """True when a change of keys was interrupted in this hospital's folder."""
    return (folder / NEXT).exists() or (folder / BEFORE).exists()


def finish(folder: Path) -> None:
    """Finish or clear away an interrupted change of keys, as the ledger says.

    Harmless where there is none.

    Raises:
        LedgerAlteredError, UnreadableError: the ledger cannot say which key is in force; nothing is
            touched.
    """
    with holding(folder / "deciding.lock"):
        _finish(folder)


def _finish(folder: Path) -> None:
    now = folder / "keys"
    ready = folder / NEXT
    before = folder / BEFORE
    if ready.exists() and now.exists():
        if _in_force(folder):
            now.rename(before)
            sync_folder(folder)
        else:
            _erase(ready)
    if ready.exists():
        ready.rename(now)
        sync_folder(folder)
    if before.exists() and now.exists():
        _erase(before)


def _in_force(folder: Path) -> bool:
    """True when the ledger says that the prepared key signs now; False when it is still the present
    one.
    """
    old = _card(folder / "keys")
    new = _card(folder / NEXT)
    if old is None:
        raise UnreadableError(
            f"{folder / 'keys' / 'card.json'} cannot be read.",
            next_step="Restore it from your backup.",
        )
    key = read_ledger(folder / "ledger.sqlite", old.verify).require().at.state.key
    if key == old.signing_public:
        return False
    if new is not None and key == new.signing_public:
        return True
    raise UnreadableError(
        f"The ledger is signed by another key than those in {folder / 'keys'} and {folder / NEXT}.",
        whose="the data owner",
        next_step="Put the folder `keys` back from your newest backup.",
    )


def _card(keys: Path) -> IdentityCard | None:
    try:
        return read_card(read_file(keys / "card.json", MAX_CARD_BYTES))
    except (OSError, MessageError):
        return None


def _prepare(site: Site, new: Identity) -> None:
    """Everything that ``keys`` is to hold, on the disk beside it.

    Raises:
        UnreadableError: it cannot be written, or something in ``keys`` cannot be read.
    """
    try:
        _write(site, new, site.path / NEXT)
    except OSError as error:
        raise UnreadableError(
            f"The new keys cannot be written beside {site.keys}: {error.strerror}. The old ones"
            " stay.",
            whose="this machine's operator",
            next_step="Make room or mend the folder's rights, then repeat the command.",
        ) from error


def _write(site: Site, new: Identity, ready: Path) -> None:
    new.save(ready)
    if (site.keys / "partners").exists():
        site.book.sign_anew(ready / "partners", new)
    for file in sorted(site.keys.rglob("*")):
        inside = file.relative_to(site.keys)
        if inside.parts[0] in _OWN or not file.is_file():
            continue
        private_folder((ready / inside).parent)
        write_secret(ready / inside, read_file(file))
    private_folder(ready / "studies")
    sync_folder(ready)
    sync_folder(site.path)


def _erase(folder: Path) -> None:
    """Overwrite and remove every file of a folder of keys, then the folder."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.is_symlink():
            erase_file(file)
    shutil.rmtree(folder)
    sync_folder(folder.parent)
