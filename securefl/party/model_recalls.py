"""Recalls of a model that lie on a board, kept beside the model: the same for every role that holds
one.

Whoever operates the board can keep a recall back; then the signed file, handed over, does the same.
An altered or invented one is signed by no hospital of the model, and is not kept.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from securefl.errors import MessageError
from securefl.federation.study_board import StudyBoard, recalls_on
from securefl.learning.model_notices import keep_recall, kept_recall

if TYPE_CHECKING:
    from securefl.boards.board import Board
    from securefl.learning.artefact import Model
    from securefl.learning.model_notices import Recall


def take_recalls(board: Board, *models: Model) -> tuple[Recall, ...]:
    """Keep the recalls of models that are on the board and not yet beside them, by one listing.

    What is no recall of such a model by one of its hospitals is as if it were not there.

    Args:
        board: of the models' studies.
        models: each with the folder that it was read from.

    Returns:
        Those that are new here.

    Raises:
        StoreError: the board cannot be read.
    """
    taken = []
    there = recalls_on(board) if models else []
    for model in models:
        for digest, site in there:
            if digest != model.facts.study_digest or site not in model.facts.owners:
                continue
            with suppress(MessageError):
                found = take_recall(board, model, site)
                if found is not None:
                    taken.append(found)
    return tuple(taken)


def take_recall(board: Board, model: Model, site: str) -> Recall | None:
    """Keep one hospital's recall of a model; None where there is none, or one lies here already.

    Args:
        board: of the model's study.
        model: with the folder that it was read from.
        site: a hospital of the model.

    Raises:
        MessageError: what lies there is no recall of this model by that hospital.
        StoreError: the board cannot be read.
    """
    folder = model.folder
    if folder is None or kept_recall(folder, model, site) is not None:
        return None
    signed = StudyBoard(board, model.facts.study_digest).recall(site).read()
    if signed is None:
        return None
    return keep_recall(folder, model, site, signed)
