"""A study whose patients' gradients stand on grid lines: the last bit of a norm decides into which
grid cell they fall.

The first layer's weights are 0 and the last layer's all ``w``: a patient's gradient is then ``w``
times the same vector (1, features) for each hidden unit. The features are 64ths whose squares make
that vector's norm a power of two, so that the clipped gradient lies on the grid exactly, or just
below it. Tables go the worker's own way: bytes of a file, prepare, split, trainer.
"""

from __future__ import annotations

import numpy as np
from in_process_federation import sealed_study
from small_study import FixedDraws

from securefl.learning.features import prepare
from securefl.learning.split import split_rows
from securefl.learning.stages.stage import Rows
from securefl.learning.steps import PrivateSteps
from securefl.learning.table import read_table
from securefl.node.worker import _Task
from securefl.study.parse import parse_study
from securefl.study.wire import GRID

#: (features in 64ths, hidden units) of models with 8,193, 17,409, 20,481 and 69,633 weights; hidden
#: * (1 + squares) is a power of 4.
SHAPES = (
    ((61, 60, 41, 39, 33, 26), 1024),
    ((31,) * 12 + (24, 12, 6), 1024),
    ((42, 30, 24, 19, 15, 11, 10, 7), 2048),
    ((54, 39, 36, 36, 34, 31, 29, 26, 23, 21, 19, 12, 11, 5, 2), 4096),
)
#: Last-layer weights at which the second model's norm has another last bit when its terms are added
#: in another order.
WEIGHTS = (3802784.0, 4033184.0, 1527520.0, 4063584.0)
_SECRET = b"s" * 32
_COLUMNS = """\
  { name = "age", kind = "numeric", low = "0", high = "120", unit = "years" },
  { name = "TSH", kind = "numeric", low = "0.005", high = "600", transform = "log", missing = "flag" },
  { name = "sex", kind = "category", levels = ["F", "M"], missing = "flag" },
  { name = "sick", kind = "boolean", true = "t", false = "f" },
"""


class GridLines:
    """One hospital's worker on tables of such patients, two rows each; everybody is drawn and no
    noise is added.
    """

    def __init__(self, features: tuple[int, ...], hidden: int) -> None:
        self._hidden = hidden
        self._cells = [f"{16 + a / 4}" for a in features]
        columns = "".join(
            f'  {{ name = "c{i}", kind = "numeric", low = "0", high = "32" }},\n'
            for i in range(len(features))
        )
        text, self._plan = sealed_study(
            ('kind = "logistic-regression"\n', f'kind = "mlp"\nhidden = [{hidden}]\n'),
            ("max_rows_per_patient = 1", "max_rows_per_patient = 2"),
            (_COLUMNS, columns),
        )
        self._study = parse_study(text)

    def rows(self, name: str, label: str, count: int = 2) -> list[str]:
        """The file's lines for one patient."""
        return [",".join([name, *self._cells, label])] * count

    def task(self, lines: list[str]) -> _Task:
        """The worker after it was handed a file of these lines."""
        head = ",".join(["patient_id", *(f"c{i}" for i in range(len(self._cells))), "target"])
        table = read_table("\n".join([head, *lines, ""]).encode())
        found = prepare(table, self._study.data, _SECRET, self._study.privacy.unit)
        train, held_out = split_rows(found, _SECRET, self._study.data.holdout)
        return _Task(self._study, self._study.cohort[0], Rows(train, held_out), FixedDraws())

    def model(self, w: float) -> np.ndarray:
        """A global model that a coordinator could send."""
        theta = np.zeros(self._plan.parameters)
        theta[-self._hidden - 1 : -1] = w
        return theta

    def total(self, task: _Task, w: float) -> np.ndarray:
        """The sum of the clipped gradients of everybody who trains there, in grid units: int64[p]."""
        (steps,) = [end for end in task._ends if isinstance(end, PrivateSteps)]
        return steps.noised_steps(self.model(w))


def length(units: np.ndarray) -> float:
    """L2 length of int64[p], in clip norms."""
    return float(np.sqrt((units.astype(np.float64) ** 2).sum())) / GRID
