"""Import of a bundle onto a party's own board: copied into a private place, checked there as a whole,
and posted only then.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from securefl.boards.slot import Slot
from securefl.errors import MessageError, UntrustedError
from securefl.federation.checkpoints import Ask, mark_asked
from securefl.federation.party_board import PartyBoard
from securefl.files import private_folder
from securefl.party.airlock.bundle import (
    CONTEXT,
    MANIFEST,
    OBJECTS,
    altered,
    bundle_files,
    check_bundle,
    read_manifest,
)
from securefl.party.airlock.channel import FOLDER, Channel, keep_channel, read_channel
from securefl.party.airlock.manifest import MAX_OBJECT, MOST_DAYS, AirlockManifest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from securefl.party.airlock.bundle import CheckedBundle, SignedManifest
    from securefl.party.airlock.kinds import Place
    from securefl.party.folder import PartyFolder
    from securefl.types import Verify

_PIECE: Final = 1 << 20
#: A path of an object has at most so many parts.
_MOST_PARTS: Final = 12
#: Kinds of a study's end, and their turn.
_LAST: Final = frozenset({"model", "model-statement", "end", "extract"})
_AFTER_ALL: Final = 1 << 31


@dataclass(frozen=True)
class Imported:
    """A bundle that is on the board.

    Attributes:
        bundle: as it was checked.
        posted: paths that were new or changed.
    """

    bundle: CheckedBundle
    posted: tuple[str, ...]


def import_bundle(mine: PartyFolder, folder: Path, now: datetime) -> Imported:
    """Check a bundle and post its objects.

    Raises:
        UntrustedError: its sender is not trusted here, it is for somebody else, or it is old.
        UnreadableError: a file was altered, added or taken away.
        MessageError: an object is not what may pass.
        StoreError: the board cannot be written.
    """
    cards = mine.book.cards()
    manifest = read_manifest(folder, cards.values())
    _check_order(mine, manifest, now)
    keys = {name: card.verify for name, card in cards.items()}
    keys[mine.name] = mine.identity.card.verify
    with _private_copy(mine.path, folder, manifest) as staged:
        found = check_bundle(staged, manifest, keys)
        for at in found.places:
            _check_own(mine, staged, at, found)
        posted = tuple(
            at.path for at in sorted(found.places, key=_order) if _post(mine, staged, at)
        )
        for at in found.places:
            if at.kind.word == "checkpoint-question":
                _mark_asked(mine, at.site, keys[at.site])
    said = manifest.said
    keep_channel(mine.path, "from", said.party, Channel(said.number, manifest.sha256))
    return Imported(found, posted)


def _check_order(mine: PartyFolder, manifest: SignedManifest, now: datetime) -> None:
    """For this party, newer than the last one, and following it."""
    said = manifest.said
    before = read_channel(mine.path, "from", said.party)
    why = ""
    if said.to != mine.name:
        why = f"is for {said.to}, and this is {mine.name}"
    elif said.number <= before.number:
        why = f"came before: {before.number} is the last that was taken in from {said.party}"
    elif said.previous and said.previous != before.manifest:
        why = (
            f"does not follow the last that was taken in from {said.party}, number {before.number}"
        )
    elif said.too_old(now):
        why = f"was made at {said.made}, and is taken within {MOST_DAYS} days"
    if why:
        raise UntrustedError(
            f"Bundle {said.number} of {said.party} {why}. Nothing was taken in.",
            whose=f"whoever carried it, or {said.party}",
            next_step=(
                "Take in the bundles in their order. If one is lost, ask"
                f" {said.party} for `securefl board export --all`."
            ),
        )


@contextmanager
def _private_copy(home: Path, folder: Path, manifest: SignedManifest) -> Iterator[Path]:
    """Copy a bundle to where nobody else writes; of each file no more than its list says."""
    staged = private_folder(private_folder(home / FOLDER) / f"incoming-{secrets.token_hex(8)}")
    try:
        listed = {f"{OBJECTS}/{path}": one.bytes for path, one in manifest.said.objects.items()}
        for name in sorted(bundle_files(folder)):
            if name != MANIFEST and name not in listed:
                raise altered(f"{name!r} is not on the list")
            if name.count("/") > _MOST_PARTS:
                raise altered(f"{name!r} lies too deep")
            _copy(folder / name, staged / name, listed.get(name, AirlockManifest.MAX_BYTES))
        again = read_manifest(staged, (manifest.card,))
        if again.sha256 != manifest.sha256:
            raise altered("its list changed while it was read")
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _copy(source: Path, target: Path, most: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    left = most
    with source.open("rb") as file, target.open("xb") as copy:
        while piece := file.read(min(_PIECE, left + 1)):
            left -= len(piece)
            if left < 0:
                raise altered(f"{source.name} is longer than the list says")
            copy.write(piece)


def _check_own(
    mine: PartyFolder,
    staged: Path,
    at: Place,
    found: CheckedBundle,
) -> None:
    """Nobody brings a party its own words, other than those that it said."""
    study = None
    if at.study:
        study = found.plans[at.study].study
        _check_takes_part(mine, at, found)
    if at.writer(study) != mine.name:
        return
    if at.kind.word in CONTEXT and _same(mine, staged, at):
        return
    raise MessageError(
        f"{at.path} is of {mine.name} itself: nobody else brings it.",
        whose=found.manifest.card.name,
        next_step="Nothing was taken in. Ask the sender what this bundle is.",
    )


def _check_takes_part(mine: PartyFolder, at: Place, found: CheckedBundle) -> None:
    """This party is one of the study, and the study's coordinator is trusted here, by its keys."""
    study = found.plans[at.study].study
    known = {**mine.book.cards(), mine.name: mine.identity.card}
    coordinator = known.get(study.coordinator.name)
    parties = {*study.cohort, study.coordinator.name, study.aggregator.name}
    trusted = (
        coordinator is not None and coordinator.signing_public == study.coordinator.signing_public
    )
    if mine.name not in parties or not trusted:
        raise MessageError(
            f"{found.plans[at.study].sealed.name} is no study of this party and of a coordinator"
            " that is trusted here.",
            whose=found.manifest.card.name,
            next_step="Nothing was taken in. Ask the sender why it is in the bundle.",
        )


def _same(mine: PartyFolder, staged: Path, at: Place) -> bool:
    with (staged / OBJECTS / at.path).open("rb") as file:
        came = hashlib.file_digest(file, "sha256").digest()
    hashed = hashlib.sha256()
    with Slot(mine.board, at.path, MAX_OBJECT).open() as own:
        if own is None:
            return False
        while piece := own.read(_PIECE):
            hashed.update(piece)
    return hashed.digest() == came


def _order(at: Place) -> tuple[int, bool, str]:
    """Rounds in turn, then the study's end; within one, what a signed word names before the word."""
    turn = at.round
    if at.kind.word in _LAST:
        turn = _AFTER_ALL
    return (turn, not at.kind.early, at.path)


def _post(mine: PartyFolder, staged: Path, at: Place) -> bool:
    """Post one object, unless it lies there already."""
    if _same(mine, staged, at):
        return False
    with (staged / OBJECTS / at.path).open("rb") as file:
        Slot(mine.board, at.path, MAX_OBJECT).post_file(file)
    return True


def _mark_asked(mine: PartyFolder, site: str, verify: Verify) -> None:
    """Mark a question that was brought, as its hospital marked it on its own board: marks are empty
    and signed by nobody, so no bundle carries them.
    """
    read = partial(Ask.open, site=site, verify=verify)
    ask = PartyBoard(mine.board, site).checkpoint_question.read_as(read)
    if ask is not None:
        mark_asked(mine.board, site, ask.nonce)
