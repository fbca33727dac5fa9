"""The finished model at an aggregator that the study names as a recipient: fetched by its operator,
checked by the transcripts.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from securefl.errors import SecureFLError, StoreError, UsageError
from securefl.federation import bundle
from securefl.federation.round_plan import RoundPlan
from securefl.federation.study_board import StudyBoard, studies_on
from securefl.federation.study_receipt import Receipt
from securefl.files import private_folder, replace_file
from securefl.identity import verify
from securefl.learning.artefact import load_model
from securefl.party.model_check import check_by_transcripts
from securefl.party.model_recalls import take_recalls
from securefl.study.recipients import recipients
from securefl.study.sealed import SealedStudy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.party.folder import PartyFolder


def fetch_for_aggregator(here: PartyFolder, name: str) -> Path:
    """Fetch the model of a study into ``models/NAME`` of the aggregator's folder; it stays there.

    Args:
        here: the aggregator's folder.
        name: the study's id, its name or the beginning of its digest.

    Raises:
        UsageError: no study, or several, of a trusted coordinator fit and name this aggregator as a
            recipient; or no model is there yet.
        MessageError, UnreadableError: the model is refused, and nothing of it is kept.
        StoreError: the store is away.
    """
    fits = [
        plan
        for plan in _studies(here)
        if name in {plan.study.study.id, plan.sealed.name} or plan.digest.startswith(name)
    ]
    if len(fits) != 1:
        said = "No study"
        if fits:
            said = f"{len(fits)} studies"
        raise UsageError(
            f"{said} that names this aggregator as a recipient fits '{name}'.",
            next_step="Name the study by its whole name, as in the aggregator's log.",
        )
    (plan,) = fits
    key = plan.study.coordinator.signing_public

    def by_coordinator(signature: bytes, message: bytes) -> bool:
        return verify(key, signature, message)

    target = private_folder(here.path / "models") / plan.sealed.name
    if target.exists():
        _give_receipt(here, plan)
        return target
    on_board = StudyBoard(here.board, plan.digest)
    statement = on_board.model_statement.read()
    sealed = (
        statement
        and on_board.model(bundle.open_statement(statement, plan, by_coordinator)[1]).read()
    )
    if not statement or not sealed:
        raise UsageError(
            f"The model of {plan.sealed.name} is not in the store.",
            whose=plan.study.coordinator.name,
            next_step="Wait for the study's end, or ask the researcher.",
        )
    files = bundle.open_bundle(
        bundle.SealedBundle(statement, sealed), plan, here.identity, by_coordinator
    )
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=target.parent))
    try:
        for file, content in files.items():
            replace_file(part / file, content)
        check_by_transcripts(load_model(part), files, plan, by_coordinator)
        part.replace(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    _give_receipt(here, plan)
    return target


def _give_receipt(here: PartyFolder, plan: RoundPlan) -> None:
    """Say that this aggregator needs nothing more of the study's bytes, where it has not yet."""
    slot = StudyBoard(here.board, plan.digest).receipt(here.name)
    if slot.read() is None:
        slot.post(Receipt(plan.digest, here.name, removed=False).dump(here.identity.sign))


def notices_of(here: PartyFolder, folder: Path) -> tuple[str, ...]:
    """What was said of a model that was fetched, with the recalls that lie in the store by now.

    Raises:
        UnreadableError: its folder was changed.
        StoreError: the store is away.
    """
    model = load_model(folder)
    take_recalls(here.board, model)
    return model.standing().sentences


def _studies(here: PartyFolder) -> Iterator[RoundPlan]:
    """Studies of trusted coordinators that name this aggregator as a recipient; what anybody else
    wrote there is none.
    """
    mine = here.identity.card
    trusted = {card.signing_public for card in here.book.cards().values()}
    for digest in studies_on(here.board):
        try:
            text = StudyBoard(here.board, digest).text.read()
            if text is None:
                continue
            plan = RoundPlan(SealedStudy.read(text))
        except StoreError:
            raise
        except SecureFLError:
            continue
        who = plan.study.aggregator
        if (
            plan.digest == digest
            and plan.study.coordinator.signing_public in trusted
            and who.signing_public == mine.signing_public
            and mine.name in recipients(plan.study)
        ):
            yield plan
