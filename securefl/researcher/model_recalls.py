"""Recalls of a completed study's model, fetched from the store beside the researcher's copy."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from securefl.errors import StoreError, UnreadableError
from securefl.learning.artefact import load_model
from securefl.learning.edited_model import edited_beside
from securefl.party.model_recalls import take_recalls

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from securefl.learning.artefact import Model
    from securefl.learning.model_notices import ModelStanding
    from securefl.party.folder import PartyFolder


def fetch_recalls(lab: PartyFolder, *models: Model) -> None:
    """Keep what hospitals recalled since; a store that is away hides nothing that was kept.

    Args:
        lab: the researcher's folder.
        models: each with the folder that it was read from.
    """
    with suppress(StoreError):
        take_recalls(lab.board, *models)


def standing_now(lab: PartyFolder, result: Mapping[str, Any]) -> ModelStanding | None:
    """Standing of a study's model after a look into the store; None where it is not kept here.

    Models that were edited of it, and lie beside it, get the same notices.

    Args:
        lab: the researcher's folder.
        result: of the study, with the model's folder.
    """
    models = tuple(_kept_models(result))
    if not models:
        return None
    fetch_recalls(lab, *models)
    return models[0].standing()


def _kept_models(result: Mapping[str, Any]) -> Iterator[Model]:
    """The study's model, and those that were edited of it; none where it was moved away."""
    folder = Path(result.get("model") or "")
    if not (folder / "model.json").is_file():
        return
    with suppress(UnreadableError):
        model = load_model(folder)
        yield model
        for place in edited_beside(folder):
            with suppress(UnreadableError):
                edited = load_model(place)
                if edited.edited and edited.edited.unedited.digest == model.digest:
                    yield edited
