"""Studies of a researcher's folder as versions of a model that grew."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from securefl.errors import UnreadableError
from securefl.files import read_file
from securefl.learning.artefact import load_model
from securefl.learning.model_versions import ModelVersion, version_of
from securefl.researcher.run_study import RESULT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from securefl.federation.round_plan import RoundPlan
    from securefl.learning.artefact import Model

_MAX_RESULT: Final = 64 << 20


class Kept(Protocol):
    """A study of the folder."""

    folder: Path

    @property
    def plan(self) -> RoundPlan:
        """The study."""


def known_versions(studies: Iterable[Kept]) -> tuple[ModelVersion, ...]:
    """All completed studies, each with its model where that is kept."""
    found = [_version(study.folder, study.plan) for study in studies]
    return tuple(version for version in found if version is not None)


def _version(folder: Path, plan: RoundPlan) -> ModelVersion | None:
    """A completed study as a version; None where it has no result.

    Args:
        folder: of the study.
        plan: the study.
    """
    try:
        result = json.loads(read_file(folder / RESULT, _MAX_RESULT))
    except (OSError, ValueError):
        return None
    model: Model | None = None
    place = Path(str(result.get("model") or folder / "no-model"))
    # whoever moved the model away still has the study
    with suppress(UnreadableError, OSError):
        found = load_model(place)
        if found.facts.study_digest == plan.digest:
            model = found
    return version_of(folder.name, plan.digest, plan.study, model)
