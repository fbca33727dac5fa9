"""Writing of a table as text, readable by its owner alone."""

from __future__ import annotations

import csv
import os
from collections import Counter
from typing import TYPE_CHECKING

from securefl.errors import DataError, file_error
from securefl.origins.cell_text import cell_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from securefl.origins.origin import Origin


def write_table(
    origin: Origin,
    file: Path,
    tick: Callable[[], None] = lambda: None,
) -> int:
    """Take the table out of its origin into a new file (0600): UTF-8, commas, a header line.

    Args:
        origin: what it is taken out of.
        file: where it goes; there must be no such file.
        tick: called after each record, for a progress bar.

    Returns:
        Records that were written.

    Raises:
        DataError: the origin is no such table or cannot be reached.
        UnreadableError: the file cannot be written.
    """
    records = origin.read()
    names = [str(name) for name in next(iter(records), ())]
    _check_names(origin, names)
    count = 0
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(names)
            for record in records:
                writer.writerow(_cells(record, len(names)))
                count += 1
                tick()
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        raise file_error(error, file) from None
    return count


def _cells(record: Sequence[object], width: int) -> list[str]:
    """The record's texts, as many as there are columns: what hangs over has no name."""
    cells = [cell_text(value) for value in record[:width]]
    return cells + [""] * (width - len(cells))


def _check_names(origin: Origin, names: list[str]) -> None:
    times = Counter(names)
    twice = sorted(name for name in times if times[name] > 1)
    if not any(names):
        raise DataError(
            f"{origin.path.name} has no columns with names.",
            next_step="Write the columns' names into the first line of the table.",
        )
    if twice:
        raise DataError(
            f"{origin.path.name} has two columns called {twice[0]!r}.",
            next_step="Give each column a name of its own.",
        )
