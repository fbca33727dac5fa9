"""Outcome of the owner's looks at a table beside the columns of studies, for article 13 of an
agreement.

It stands in the folder that no backup copies, and says which kinds of trouble the owner was shown,
for which columns, of which state of the table. A decision asks only whether the table is still in
that state: by the cheap mark of :meth:`securefl.sources.source.Source.version`, without reading a
row, so that the time until an approval tells nothing of the table (rule 1).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from securefl.agreement.article import OwnTable
from securefl.errors import SecureFLError
from securefl.files import private_folder, read_file, replace_file
from securefl.signed import canonical
from securefl.study.table_troubles import Trouble

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from securefl.node.site import Site
    from securefl.sources.source import Source
    from securefl.study.columns import DataSpec
    from securefl.study.data_part import Unit

_FOLDER: Final = "looks"
#: A look is some hundred bytes.
_LONGEST: Final = 64 * 1024
#: Looks at one table that are remembered: one for each set of columns.
_MOST: Final = 50


class _Look(BaseModel):
    """One look: at which columns, at which state of the table, with which troubles."""

    model_config = ConfigDict(strict=False, extra="forbid", frozen=True)

    columns: str
    state: str
    troubles: tuple[Trouble, ...]


class _Looks(BaseModel):
    """All looks at one table, the newest last."""

    model_config = ConfigDict(strict=False, extra="forbid", frozen=True)

    looks: tuple[_Look, ...] = ()


def keep_outcome(
    site: Site,
    state: str,
    spec: DataSpec,
    unit: Unit,
    troubles: Collection[Trouble],
) -> None:
    """Keep what a look at a table showed.

    Args:
        site: the hospital.
        state: of the table before the look (:func:`table_state`).
        spec: the columns, with the names of data set and population.
        unit: of privacy.
        troubles: kinds that were shown.
    """
    columns = _columns(spec, unit)
    others = [look for look in _kept(site, spec.dataset) if look.columns != columns]
    look = _Look(columns=columns, state=state, troubles=tuple(sorted(troubles)))
    found = _Looks(looks=(*others[1 - _MOST :], look))
    file = _file(site, spec.dataset)
    private_folder(file.parent)
    replace_file(file, found.model_dump_json().encode())


def own_table(site: Site, spec: DataSpec, unit: Unit) -> OwnTable:
    """The owner's look at a table for these columns; not looked at, where it changed since."""
    columns = _columns(spec, unit)
    try:
        state = table_state(site.table(spec.dataset))
    except SecureFLError:
        return OwnTable(looked=False)
    for look in _kept(site, spec.dataset):
        if (look.columns, look.state) == (columns, state):
            return OwnTable(looked=True, troubles=frozenset(look.troubles))
    return OwnTable(looked=False)


def table_state(source: Source) -> str:
    """SHA-256 (hex) of a table's mark and of the way it is read; "" where the table is gone."""
    version = source.version()
    if version is None:
        return ""
    mapping = None
    if source.reading.mapping is not None:
        mapping = source.reading.mapping.model_dump(mode="json")
    said = canonical([[str(part) for part in version], source.reading.words, mapping])
    return hashlib.sha256(said).hexdigest()


def forget_outcomes(site: Site, dataset: str) -> None:
    """Delete what was kept of the looks at a table."""
    _file(site, dataset).unlink(missing_ok=True)


def _file(site: Site, dataset: str) -> Path:
    return site.path / "private" / _FOLDER / f"{dataset}.json"


def _kept(site: Site, dataset: str) -> tuple[_Look, ...]:
    """Looks that were kept; none where the file is damaged: then the owner looks again."""
    try:
        text = read_file(_file(site, dataset), _LONGEST)
        return _Looks.model_validate_json(text).looks
    except (OSError, ValidationError):
        return ()


def _columns(spec: DataSpec, unit: Unit) -> str:
    """SHA-256 (hex) of declared columns and the unit of privacy."""
    declared = canonical([spec.model_dump(mode="json"), unit])
    return hashlib.sha256(declared).hexdigest()
