"""Newest comparison of rows that a model scored with a hospital's table at the approval.

It names columns and holds no figure of them. It lies in the folder that no backup copies, for the
owner's own screen: a model is told to be used on other patients also where the rows of the day are
too few to show it.
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

_FOLDER: Final = "newest-drift"
_LONGEST: Final = 1 << 20
#: Rows from which on a comparison is kept. Of so many rows chance explains an index of up to about
#: 0.15 in ten bands and two more. Of fewer a column that moved can go unseen, and would hide what
#: many rows had shown.
ENOUGH_ROWS: Final = 200


@dataclass(frozen=True)
class NewestDrift:
    """A comparison of at least :data:`ENOUGH_ROWS` rows.

    Attributes:
        day: of the comparison, UTC.
        rows: that were compared.
        moved: columns that were distributed otherwise.
    """

    day: str
    rows: int
    moved: tuple[str, ...]


def keep_newest_drift(site: Site, study: str, found: NewestDrift) -> None:
    """Keep a comparison in place of the one before. A full disk costs the note and no score.

    Args:
        site: the hospital.
        study: digest of the model's study.
        found: the comparison; of too few rows none is kept.
    """
    if found.rows < ENOUGH_ROWS:
        return
    with suppress(OSError):
        private_folder(_file(site, study).parent)
        replace_file(_file(site, study), json.dumps(asdict(found)).encode())


def newest_drift(site: Site, study: str) -> NewestDrift | None:
    """The comparison that was kept last; None where there is none, or its note is damaged."""
    try:
        found = json.loads(read_file(_file(site, study), _LONGEST))
        moved = tuple(str(name) for name in found["moved"])
        return NewestDrift(str(found["day"]), int(found["rows"]), moved)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget_newest_drift(site: Site, study: str) -> None:
    """Delete what was kept of a study's model."""
    _file(site, study).unlink(missing_ok=True)


def _file(site: Site, study: str) -> Path:
    return site.path / "private" / _FOLDER / f"{study}.json"
