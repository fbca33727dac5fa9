"""Tables that are no text at home: the owner's command takes them out into the hospital's folder."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from securefl.files import private_folder
from securefl.node.site import Site
from securefl.origins.origin import origin_of
from securefl.origins.writing import write_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Below the folder of private tables: no backup and no shared folder holds it.
_FOLDER: Final = "tables"


@dataclass(frozen=True)
class Taken:
    """A table as text.

    Attributes:
        text: the file that studies would read.
        origin: the file that the owner named.
        sheet: the part of it that is meant; empty where there is one only.
        words: what it was taken out of; empty where the file is text itself.
        records: how many were taken out.
    """

    text: Path
    origin: Path
    sheet: str = ""
    words: str = ""
    records: int = 0


@contextmanager
def taken_out(
    site: Site,
    table: Path,
    sheet: str = "",
    tick: Callable[[], None] = lambda: None,
) -> Iterator[Taken]:
    """Take a table out of a spreadsheet, a database or an export; a text table stays where it is.

    The text stays if it is registered before the end, and then takes the place of the one
    before. Else it is removed.

    Args:
        site: the hospital.
        table: the file that the owner named.
        sheet: the part that is meant; empty where there is one only.
        tick: called after each record.

    Raises:
        DataError: it is no such table, or cannot be reached.
    """
    origin = origin_of(table, sheet)
    if origin is None:
        yield Taken(table, table)
        return
    folder = private_folder(private_folder(site.path / "private") / _FOLDER)
    file = folder / f"{secrets.token_hex(8)}.csv"
    try:
        count = write_table(origin, file, tick)
        yield Taken(file, table.expanduser().absolute(), sheet, origin.words, count)
    finally:
        _remove_unregistered(site.path, folder)


def _remove_unregistered(site: Path, folder: Path) -> None:
    """Remove tables that no data set stands for: records lie here no longer than needed."""
    kept = {site / entry.path for entry in Site.at(site).settings.datasets}
    for file in folder.iterdir():
        if file not in kept:
            file.unlink(missing_ok=True)
