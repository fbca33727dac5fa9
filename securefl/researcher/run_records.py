"""Records of a run as it leaves them in its study's folder, for whoever looks on."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from pydantic import TypeAdapter, ValidationError

from securefl.federation.round_record import RoundRecord
from securefl.files import read_file
from securefl.researcher.run_study import RECORDS, is_running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_RECORD: Final = TypeAdapter(RoundRecord)
#: Seconds between two looks.
_OFTEN: Final = 0.2


def read_records(folder: Path) -> list[RoundRecord]:
    """The rounds that were opened so far; half a line, as it is being written, is none."""
    try:
        data = read_file(folder / RECORDS)
    except FileNotFoundError:
        return []
    found = []
    for line in data.splitlines():
        with suppress(ValidationError):
            found.append(_RECORD.validate_json(line))
    return found


def _pause() -> None:
    time.sleep(_OFTEN)


def follow(folder: Path, pause: Callable[[], None] = _pause) -> Iterator[RoundRecord]:
    """Each round of a run once, as it comes, until no process runs it.

    A run that was interrupted and goes on tells its rounds from the first one on; here each comes
    once.

    Args:
        folder: the study's.
        pause: waits between two looks.
    """
    told = 0
    while True:
        running = is_running(folder)
        for record in read_records(folder):
            if record.round > told:
                told = record.round
                yield record
        if not running:
            return
        pause()
