"""Rounds of a study on invented rows, by the worker that a study starts: seconds a round, and its
memory.

The rows are made from the study's columns alone, so many as the study itself plans for; no table of
the hospital is opened, and nothing is charged. The sums that go on are this one hospital's own
answers, so the model is worth nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from securefl.errors import RoundError
from securefl.learning.mock import mock_table
from securefl.learning.models import weights_to_bytes
from securefl.learning.stages.programme import Programme
from securefl.sources.csv import CsvSource
from securefl.study.training import training_if_any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from securefl.learning.stages.programme import Step
    from securefl.learning.stages.release import Release
    from securefl.learning.stages.stage import Result, Stage
    from securefl.node.launcher import Worker
    from securefl.sources.source import Source
    from securefl.study.schema import Study
    from securefl.study.sealed import SealedStudy
    from securefl.types import IntArray

#: Rows where a study says no number of patients, and the most that are made.
_ROWS: Final = 500
_MOST_ROWS: Final = 50_000
#: Any integer of a release is smaller.
_LARGEST: Final = (1 << 62) - 1
_SECRET: Final = bytes(32)


@dataclass(frozen=True)
class MockPace:
    """Pace of this machine on invented rows.

    Attributes:
        rows: invented.
        rounds: that were run, the first ones of the study.
        of: rounds of the study.
        first: seconds of the first answer, in which the table is read and prepared.
        slowest: seconds of the slowest answer after it; the first where there is no other.
        memory: bytes that the worker took at most; None where the system does not say.
    """

    rows: int
    rounds: int
    of: int
    first: float
    slowest: float
    memory: int | None


def mock_pace(
    sealed: SealedStudy,
    site: str,
    folder: Path,
    seconds: float,
    start: Callable[[Source, int, Path], Worker],
) -> MockPace:
    """Run rounds of a study until the last one, or until the time is over.

    Args:
        sealed: the study.
        site: a hospital of it.
        folder: an empty one, for the invented table and the worker's log.
        seconds: after which no further round begins; one is always run.
        start: makes the worker of a table, its longest answer in bytes, and its log.

    Raises:
        DataError, RoundError: as :class:`~securefl.node.launcher.Worker`.
    """
    study = sealed.study
    programme = Programme(study)
    rows = mock_rows(study)
    table = folder / "mock.csv"
    table.write_bytes(mock_table(study.data, rows, seed=1))
    longest = max(release.length for _, release in programme.releases)
    with start(CsvSource(table), 8 * longest, folder / "worker.log") as worker:
        worker.wait_ready()
        began = time.monotonic()
        worker.prepare(sealed.text, site, _SECRET)
        prepared = time.monotonic() - began
        run = _Run(study, worker, began + seconds)
        run.stages(programme)
        memory = _most_memory(worker.pid)
    taken = run.taken
    first = prepared + taken[0]
    return MockPace(
        rows, len(taken), programme.last_round, first, max(taken[1:], default=first), memory
    )


def mock_rows(study: Study) -> int:
    """Rows of one hospital, so that all together are the patients that a study plans for."""
    section = training_if_any(study)
    if section is None:
        return _ROWS
    train = float(section.normaliser) / float(section.sample_rate)
    whole = train / float(1 - study.data.holdout)
    return min(max(2, round(whole / len(study.participants))), _MOST_ROWS)


class _Run:
    """Rounds one after the other, each timed."""

    def __init__(self, study: Study, worker: Worker, until: float) -> None:
        self._study = study
        self._worker = worker
        self._until = until
        self.taken: list[float] = []

    def stages(self, programme: Programme) -> None:
        """Run stage after stage, while there is time."""
        results: list[Result] = []
        try:
            for stage in programme.stages:
                result = self._stage(stage, list(programme.rounds_of(stage)), results)
                if result is None:
                    return
                results.append(result)
        except RoundError:
            # A stage that finds too few in invented rows ends the study. What was timed stays.
            if not self.taken:
                raise

    def _stage(
        self,
        stage: Stage,
        rounds: Sequence[Step],
        earlier: Sequence[Result],
    ) -> Result | None:
        """Run one stage; None where the time is over before its end."""
        state = stage.start(earlier)
        hospitals = len(self._study.participants)
        for step in rounds:
            if self.taken and time.monotonic() > self._until:
                return None
            answer = self._answer(step.release, weights_to_bytes(stage.broadcast(state)))
            state = stage.absorb(state, answer * hospitals, hospitals)
        return stage.result(state)

    def _answer(self, release: Release, public: bytes) -> IntArray:
        deadline = float(self._study.schedule.round_deadline)
        number = len(self.taken) + 1
        began = time.monotonic()
        answer = self._worker.release(number, public, release.length, _LARGEST, deadline)
        self.taken.append(time.monotonic() - began)
        return answer


def _most_memory(pid: int) -> int | None:
    """``VmHWM`` of /proc/PID/status (proc_pid_status(5)), in bytes."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, rest = line.partition(":")
        if name == "VmHWM":
            return int(rest.split()[0]) * 1024
    return None
