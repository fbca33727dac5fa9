"""Record of a hospital's own use of its models: when each scored a table here first and last.

For the owner alone, in the folder that no backup copies. It holds times and no score.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from securefl.files import private_folder, read_file, replace_file

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.node.site import Site

_FOLDER: Final = "model-uses"
_LONGEST: Final = 1 << 12


@dataclass(frozen=True)
class ModelUse:
    """Times at which a model scored here, UTC in ISO 8601.

    Attributes:
        model: its digest.
        first: the first time.
        last: the last time.
    """

    model: str
    first: str
    last: str


def note_use(
    site: Site,
    study: str,
    model: str,
    at: str,
) -> None:
    """Note that a model scored now. A full disk costs the note and not the scores.

    Args:
        site: the hospital.
        study: digest of the model's study.
        model: digest of the model.
        at: now, UTC in ISO 8601.
    """
    before = use_of(site, study)
    first = at
    if before is not None and before.model == model:
        first = before.first
    with suppress(OSError):
        private_folder(_file(site, study).parent)
        text = json.dumps(asdict(ModelUse(model, first, at)))
        replace_file(_file(site, study), text.encode())


def use_of(site: Site, study: str) -> ModelUse | None:
    """The note on a study's model; None where it never scored, or where the note is damaged."""
    try:
        found = json.loads(read_file(_file(site, study), _LONGEST))
        return ModelUse(str(found["model"]), str(found["first"]), str(found["last"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _file(site: Site, study: str) -> Path:
    return site.path / "private" / _FOLDER / f"{study}.json"
