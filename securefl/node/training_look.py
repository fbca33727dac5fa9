"""Look at a study's table as it is when the owner approves the study.

It holds no cell of the table: shares by band or declared text (:mod:`securefl.learning.drift`). It
lies in the folder that no backup copies, and is compared with rows that the model scores later.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from securefl.errors import SecureFLError
from securefl.files import entries, private_folder, read_file, replace_file
from securefl.learning.drift import summary
from securefl.learning.readiness import look_at
from securefl.learning.table import read_table
from securefl.node.newest_drift import forget_newest_drift

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from securefl.node.site import Site
    from securefl.study.schema import Study

_FOLDER: Final = "training-looks"
_TYPE: Final = "securefl-training-look/1"
_LONGEST: Final = 8 * 1024 * 1024


def keep_training_look(
    site: Site,
    digest: str,
    study: Study,
    at: str,
    *,
    approved: str | None = None,
) -> None:
    """Keep a look at a study's table. Whatever goes wrong costs a later comparison and no study.

    Args:
        site: the hospital.
        digest: of the study.
        study: approved here.
        at: now, UTC in ISO 8601.
        approved: keyed hash of the table that was registered when the study was approved: of
            another one none is kept. None at the approval itself.
    """
    with suppress(SecureFLError, OSError):
        source = site.table(study.data.dataset)
        look = look_at(read_table(source.content(), source.reading), study.data)
        if approved is not None and source.fingerprint(site.secret) != approved:
            return
        kept = {
            "type": _TYPE,
            "dataset": study.data.dataset,
            "day": at[:10],
            "look": summary(look),
        }
        private_folder(_file(site, digest).parent)
        replace_file(_file(site, digest), json.dumps(kept).encode())


def training_look(site: Site, digest: str) -> Mapping[str, Any] | None:
    """The look with its day; None where none was kept, or its file is damaged."""
    try:
        found: dict[str, Any] = json.loads(read_file(_file(site, digest), _LONGEST))
        if found["type"] != _TYPE or not isinstance(found["look"]["columns"], dict):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found


def forget_training_looks(site: Site, dataset: str) -> None:
    """Delete what was kept of looks at a data set, and of rows compared with it."""
    for file in entries(site.path / "private" / _FOLDER):
        found = training_look(site, file.stem)
        if found is None or found["dataset"] == dataset:
            file.unlink(missing_ok=True)
            forget_newest_drift(site, file.stem)


def _file(site: Site, digest: str) -> Path:
    return site.path / "private" / _FOLDER / f"{digest}.json"
