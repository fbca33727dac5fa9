"""A hospital whose answers come from the worker's own code on a table of its own."""

from __future__ import annotations

import numpy as np
from in_process_federation import Room

from securefl.learning.features import prepare
from securefl.learning.split import split_rows
from securefl.learning.stages.stage import Rows
from securefl.learning.steps import RandomDraws
from securefl.learning.table import read_table
from securefl.node.worker import _Task
from securefl.privacy.randomness import SystemRandomness

_SECRET = b"s" * 32


class WorkerHospital:
    """Reading, splitting and every stage as the worker does them; noise from the operating
    system.
    """

    def __init__(self, plan, name, table: bytes) -> None:
        study = plan.study
        prepared = prepare(read_table(table), study.data, _SECRET, study.privacy.unit)
        rows = Rows(*split_rows(prepared, _SECRET, study.data.holdout))
        self._task = _Task(study, name, rows, RandomDraws(SystemRandomness()))
        self.produced: list[np.ndarray] = []

    def __call__(self, number, model, length, largest):
        values = np.frombuffer(self._task.release(number, model), dtype="<i8").astype(np.int64)
        assert values.shape == (length,)
        assert np.abs(values).max() <= largest
        self.produced.append(values)
        return values


def room_of(plan, tables) -> Room:
    """Everybody of one study, with a table for each hospital, in the order of the cohort."""
    room = Room(plan)
    room.hospitals = {
        name: WorkerHospital(plan, name, table)
        for name, table in zip(plan.study.cohort, tables, strict=True)
    }
    return room
