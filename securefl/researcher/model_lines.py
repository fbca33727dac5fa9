"""Studies of a researcher's folder as versions of a model that grew."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from securefl.errors import UnreadableError
from securefl.files import read_file
from securefl.learning.artefact import load_model
from securefl.learning.model_versions import ModelVersion, version_of
from securefl.researcher.model_recalls import fetch_recalls
from securefl.researcher.run_study import RESULT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from securefl.federation.round_plan import RoundPlan
    from securefl.learning.artefact import Model
    from securefl.party.folder import PartyFolder

_MAX_RESULT: Final = 64 << 20


class Kept(Protocol):
    """A study of the folder."""

    folder: Path

    @property
    def plan(self) -> RoundPlan:
        """The study."""


def known_versions(lab: PartyFolder, studies: Iterable[Kept]) -> tuple[ModelVersion, ...]:
    """All completed studies, each with its model where that is kept, and its recalls in the store.

    Args:
        lab: the researcher's folder.
        studies: of the folder.
    """
    completed = [(study, found) for study in studies if (found := _result(study)) is not None]
    models = [_model(study, result) for study, result in completed]
    fetch_recalls(lab, *(model for model in models if model is not None))
    return tuple(
        version_of(study.folder.name, study.plan.digest, study.plan.study, model)
        for (study, _), model in zip(completed, models, strict=True)
    )


def _result(study: Kept) -> dict[str, Any] | None:
    """The result of a completed study; None of another."""
    try:
        found: dict[str, Any] = json.loads(read_file(study.folder / RESULT, _MAX_RESULT))
    except (OSError, ValueError):
        return None
    return found


def _model(study: Kept, result: dict[str, Any]) -> Model | None:
    """The model of a completed study; None where there is none, or it was moved away."""
    place = Path(str(result.get("model") or study.folder / "no-model"))
    # whoever moved the model away still has the study
    with suppress(UnreadableError, OSError):
        found = load_model(place)
        if found.facts.study_digest == study.plan.digest:
            return found
    return None
