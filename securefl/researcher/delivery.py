"""Finished model on its way home: sealed to the study's recipients, kept until the store has it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from securefl.backoff import persist
from securefl.errors import StoreError
from securefl.federation import bundle
from securefl.federation.round_plan import card_of
from securefl.federation.study_board import StudyBoard
from securefl.files import replace_file
from securefl.identity import IdentityCard
from securefl.study.recipients import recipients

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from securefl.federation.coordinator import Outcome
    from securefl.federation.round_plan import RoundPlan
    from securefl.learning.stages.evaluate import EvaluateResult
    from securefl.party.folder import PartyFolder

#: In the study's folder until the store has them; the sealed one is removed then.
STATEMENT: Final = "model.statement"
SEALED: Final = "model.sealed"


def readers_of(plan: RoundPlan, outcome: Outcome) -> tuple[IdentityCard, ...]:
    """List the cards to which the model is sealed.

    The study's recipients, without hospitals that were lost on the way.
    """
    there = {*outcome.records[-1].contributions, plan.study.aggregator.name}
    cards = {p.name: card_of(p) for p in plan.study.participants}
    who = plan.study.aggregator
    cards[who.name] = IdentityCard(
        who.name,
        "aggregator",
        who.legal_name,
        who.email,
        who.signing_public,
        who.sealing_public,
    )
    return tuple(cards[name] for name in recipients(plan.study) if name in there)


def bundle_files(
    outcome: Outcome,
    figures: EvaluateResult,
    model: Path,
) -> dict[str, bytes]:
    """The files of the bundle, from a completed run and the model's folder."""
    return {
        **{
            name: (model / name).read_bytes()
            for name in (bundle.WEIGHTS, bundle.FACTS, bundle.CARD)
        },
        bundle.EVALUATION: (json.dumps(figures.record(), sort_keys=True).encode()),
        bundle.TRANSCRIPTS: bundle.pack_transcripts(outcome.transcripts),
    }


def deliver(
    lab: PartyFolder,
    folder: Path,
    plan: RoundPlan,
    outcome: Outcome,
    figures: EvaluateResult,
    *,
    model: Path,
    warn: Callable[[str], None],
) -> tuple[str, ...]:
    """Seal the model to its recipients and put it into the store; their names.

    Nothing that fails here loses the result: ``securefl study report`` sends what could not be
    sent.

    Args:
        lab: the researcher's folder.
        folder: the study's folder in it.
        plan: the study.
        outcome: the completed run.
        figures: its released figures.
        model: the model's folder.
        warn: told when the store did not take it.
    """
    readers = readers_of(plan, outcome)
    if not readers:
        return ()
    try:
        files = bundle_files(outcome, figures, model)
        sealed = bundle.seal_bundle(plan, files, readers, lab.identity.sign)
        del files  # it may be large
        replace_file(folder / STATEMENT, sealed.statement)
        replace_file(folder / SEALED, bytes(sealed.sealed))
        persist(lambda: send(lab, folder, plan), float(plan.study.schedule.round_deadline))
    except StoreError as error:
        warn(
            f"The model was not sent to its recipients: {error.what} `securefl study report`"
            " sends it."
        )
    except OSError as error:
        warn(
            "The model was not sealed to its recipients, and they have to be given its folder:"
            f" {error.strerror or error}."
        )
        return ()
    return tuple(card.name for card in readers)


def send(lab: PartyFolder, folder: Path, plan: RoundPlan) -> bool:
    """Send a sealed model that waits; true if there was one.

    The statement goes last: who sees it finds the rest.

    Raises:
        StoreError: the store takes nothing now; it stays.
    """
    waiting = folder / SEALED
    if not waiting.exists():
        return False
    on_board = StudyBoard(lab.board, plan.digest)
    with waiting.open("rb") as file:
        on_board.model().post_file(file)
    on_board.model_statement.post((folder / STATEMENT).read_bytes())
    waiting.unlink()
    return True
