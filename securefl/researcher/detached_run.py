"""Run of a study in a process of its own, which outlives the session or notebook that started it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securefl.backoff import poll
from securefl.errors import RoundError, UsageError
from securefl.files import read_file
from securefl.party.background import started
from securefl.researcher.results import has_result
from securefl.researcher.run_records import follow
from securefl.researcher.run_study import was_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from securefl.federation.round_record import RoundRecord
    from securefl.party.folder import PartyFolder

#: What a detached run says when it cannot go on; in the study's folder.
OUTPUT: Final = "run.out"
_MOST: Final = 2000


def start_detached(lab: PartyFolder, folder: Path, model_folder: Path | None) -> None:
    """Start `securefl study run` in a session of its own, and come back at once.

    Args:
        lab: the researcher's folder.
        folder: the study's folder in it.
        model_folder: where the model goes; None for the usual place.
    """
    words = ["study", "run", folder.name, "--researcher", str(lab.path.absolute())]
    if model_folder is not None:
        words += ["--out", str(model_folder.absolute())]
    started(words, folder / OUTPUT)


def look_on(folder: Path, watch: Callable[[RoundRecord], None], seconds: float) -> None:
    """Follow a run that any process does, until it is over.

    Args:
        folder: the study's.
        watch: called after each opened sum with its record.
        seconds: how long its beginning is waited for.

    Raises:
        UsageError: none has begun.
        RoundError: it ended without a result.
    """
    if poll(lambda: was_run(folder) or None, seconds=seconds, longest=0.5) is None:
        raise UsageError(
            f"No run of {folder.name} has begun. {_said(folder)}".rstrip(),
            whose="the researcher",
            next_step="study.start() starts one.",
        )
    for record in follow(folder):
        watch(record)
    if not has_result(folder):
        raise RoundError(
            f"The run of {folder.name} stopped without a result. {_said(folder)}".rstrip(),
            whose="the researcher",
            next_step="study.run_status() says whether it goes on; then study.run() again.",
        )


def _said(folder: Path) -> str:
    """The last words of a detached run; empty where there are none."""
    try:
        return read_file(folder / OUTPUT).decode(errors="replace").strip()[-_MOST:]
    except FileNotFoundError:
        return ""
