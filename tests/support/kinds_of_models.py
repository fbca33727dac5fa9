"""A model of every family and task of the product, with weights that say something, and rows for
it with all that may be wrong with a cell.
"""

from __future__ import annotations

import itertools

import numpy as np
from classes_study import classes_protocol
from count_study import count_protocol
from model_facts import DETAILS
from number_study import number_protocol
from small_study import protocol
from survival_study import survival_protocol

from securefl.learning.artefact import Model
from securefl.learning.families import FAMILIES
from securefl.learning.mock import mock_table
from securefl.learning.models import family_of
from securefl.learning.table import Table, read_table

TASKS = {
    "binary": protocol,
    "classes": classes_protocol,
    "number": number_protocol,
    "count": count_protocol,
    "time-to-event": survival_protocol,
}
_KEYS = {
    "linear": {"kind": "regression"},
    "perceptron": {"kind": "mlp", "hidden": (5, 3)},
    "additive": {"kind": "additive", "knots": 7, "smoothing": 1},
    "boosted-trees": {"kind": "boosted-trees", "trees": 9, "depth": 3},
    "low-rank": {"kind": "low-rank", "hidden": (6, 4), "rank": 2},
    "subspace": {"kind": "subspace", "hidden": (6,), "dimensions": 9},
}
KINDS = tuple(itertools.product(TASKS, _KEYS))


def some_model(task: str, family: str) -> Model:
    """A model of that kind."""
    data = TASKS[task]().data
    section = FAMILIES[family].Section(initial_seed="portable", **_KEYS[family])
    size = family_of(section, data).parameters
    theta = np.random.default_rng(len(task) + size).normal(size=size)
    return Model(theta, section, data, DETAILS, "d" * 64)


def rows_with_faults(model: Model, rows: int) -> Table:
    """Invented rows for a model; in one of seven a cell is spoilt in some way."""
    table = read_table(mock_table(model.data, rows, 7))
    columns = {name: list(cells) for name, cells in table.columns.items()}
    spoilt = ["", "NaN", "n/A", "nonsense", "-1e9", "1e300", "inf"]
    chosen = np.random.default_rng(3)
    for row in range(0, rows, 7):
        column = model.data.columns[chosen.integers(len(model.data.columns))]
        columns[column.name][row] = spoilt[chosen.integers(len(spoilt))] or None
    return Table({name: tuple(cells) for name, cells in columns.items()}, rows)
