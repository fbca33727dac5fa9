"""Export of a board into a bundle for one partner: what is new for it, checked before it is handed
out as whoever receives it will check it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.boards.slot import Slot, objects_below
from securefl.errors import MessageError, UsageError
from securefl.federation.old_rounds import is_cut
from securefl.federation.round_plan import RoundPlan
from securefl.federation.study_board import StudyBoard
from securefl.files import made_whole, private_folder, replace_file
from securefl.party.airlock.bundle import (
    CONTEXT,
    MANIFEST,
    OBJECTS,
    check_bundle,
    read_manifest,
)
from securefl.party.airlock.channel import Channel, keep_channel, read_channel
from securefl.party.airlock.kinds import TOPS, place_of
from securefl.party.airlock.manifest import MAX_OBJECT, AirlockManifest, Listed
from securefl.report.words import plural
from securefl.study.sealed import SealedStudy
from securefl.utc_times import time_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from securefl.boards.board import Board
    from securefl.party.airlock.bundle import CheckedBundle
    from securefl.party.airlock.kinds import Place
    from securefl.party.folder import PartyFolder

_PIECE: Final = 1 << 20


@dataclass(frozen=True)
class Export:
    """Objects to be exported.

    Attributes:
        to: the partner's name.
        now: the time.
        whole: everything, and not only what is new since the bundle before.
        check_charged: refuses an object of a hospital that its ledger does not know.
    """

    to: str
    now: datetime
    check_charged: Callable[[Place, str], None]
    whole: bool = False


def export_bundle(mine: PartyFolder, target: Path, wanted: Export) -> CheckedBundle:
    """Write a bundle into a new folder.

    Raises:
        UsageError: the partner is not known, nothing is new, or the folder exists.
        MessageError: something on the board may not leave.
        StoreError: the board cannot be read.
    """
    if target.exists():
        raise UsageError(
            f"{target} exists already; nothing is overwritten.", next_step="Name another folder."
        )
    partner = mine.book.cards().get(wanted.to)
    if partner is None:
        raise UsageError(
            f"{wanted.to} is nobody whose card is trusted here.",
            next_step="`trust` its card first; the names are those of your partners.",
        )
    before = read_channel(mine.path, "to", wanted.to)
    if wanted.whole:
        before = Channel(before.number)
    places = outgoing(mine, wanted.to)
    with made_whole(target, MANIFEST) as building:
        listed = _copy_new(mine, building, places, before)
        if not listed:
            raise UsageError(
                f"Nothing on the store is new for {wanted.to}: {plural(before.number, 'bundle')} went there.",
                next_step="Export again when something has happened, or --all for everything.",
            )
        for path, one in listed.items():
            wanted.check_charged(place_of(path), one.sha256)
        manifest = AirlockManifest(
            mine.name,
            wanted.to,
            before.number + 1,
            before.manifest,
            time_text(wanted.now),
            listed,
        )
        signed = manifest.dump(mine.identity.sign)
        replace_file(building / MANIFEST, signed, mode=0o644)
        keys = {name: card.verify for name, card in mine.book.cards().items()}
        own = read_manifest(building, (mine.identity.card,))
        found = check_bundle(building, own, keys)
        sent = before.sent | {path: one.sha256 for path, one in listed.items()}
        keep_channel(mine.path, "to", wanted.to, Channel(before.number + 1, own.sha256, sent))
    return found


def outgoing(mine: PartyFolder, to: str) -> tuple[Place, ...]:
    """All objects that a partner may be handed by this party.

    Raises:
        MessageError: something on the board has no place in a study.
    """
    found = []
    plans: dict[str, RoundPlan | None] = {"": None}
    partner = mine.book.cards()[to]
    for path in _paths(mine.board):
        at = place_of(path)
        if at.study not in plans:
            plans[at.study] = _plan(mine.board, at.study)
        plan = plans[at.study]
        if at.study and (plan is None or not _between(plan, mine.name, to)):
            continue
        study = None
        if plan is not None:
            study = plan.study
        writer = at.writer(study)
        reader = at.reader(study)
        relays = mine.settings.role == "researcher"
        if at.kind.word not in CONTEXT:
            if writer == to or (writer != mine.name and not relays):
                continue
            if partner.role == "hospital" and reader not in {"", to}:
                continue
        if at.kind.word == "contribution" and is_cut(Slot(mine.board, path, MAX_OBJECT)):
            continue  # it went before it was cut
        found.append(at)
    return tuple(found)


def _between(plan: RoundPlan, *names: str) -> bool:
    study = plan.study
    parties = {*study.cohort, study.coordinator.name, study.aggregator.name}
    return parties.issuperset(names)


def _plan(board: Board, digest: str) -> RoundPlan | None:
    """A study on the board; None where its text is not there yet."""
    text = StudyBoard(board, digest).text.read()
    if text is None:
        return None
    sealed = SealedStudy.read(text)
    if sealed.digest != digest:
        raise MessageError(
            f"The text in studies/{digest} is another study.",
            whose="whoever can write into the store",
            next_step="Remove it, after you know who put it there.",
        )
    return RoundPlan(sealed)


def _paths(board: Board) -> Iterator[str]:
    for top in TOPS:
        for path in objects_below(board, top):
            if Slot(board, path, MAX_OBJECT).stamp() is not None:
                yield path


def _copy_new(
    mine: PartyFolder,
    building: Path,
    places: tuple[Place, ...],
    before: Channel,
) -> dict[str, Listed]:
    """Copy what is new into the bundle, and of its studies and rounds what it is checked by."""
    board = mine.board
    there = {at: _sha256(board, at) for at in places}
    speaks = mine.settings.role == "researcher"
    new = {
        at
        for at, sha256 in there.items()
        if before.sent.get(at.path) != sha256 and (speaks or at.kind.word not in CONTEXT)
    }
    touched = {(at.study, number) for at in new for number in (0, at.round)}
    private_folder(building / OBJECTS)
    listed = {}
    for at in places:
        again = at.kind.word in CONTEXT or at.kind.word == "approval"
        if at in new or (again and (at.study, at.round) in touched):
            listed[at.path] = _copy(board, building, at)
    return listed


def _sha256(board: Board, at: Place) -> str:
    """The hash of an object as it lies there now."""
    hashed = hashlib.sha256()
    with Slot(board, at.path, MAX_OBJECT).open() as source:
        while source is not None and (piece := source.read(_PIECE)):
            hashed.update(piece)
    return hashed.hexdigest()


def _copy(board: Board, building: Path, at: Place) -> Listed:
    """Copy one object; its length and hash."""
    target = building / OBJECTS / at.path
    target.parent.mkdir(parents=True, exist_ok=True)
    hashed = hashlib.sha256()
    size = 0
    with Slot(board, at.path, MAX_OBJECT).open() as source, target.open("wb") as file:
        if source is None:
            raise MessageError(f"{at.path} went away while it was read.", next_step="Export again.")
        while piece := source.read(_PIECE):
            hashed.update(piece)
            size += len(piece)
            file.write(piece)
    return Listed(size, hashed.hexdigest())
