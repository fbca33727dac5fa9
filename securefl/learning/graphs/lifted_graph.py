"""A graph at work: scores and gradients of every record by itself (numpy).

A graph is a function of one record. Here it runs on a block of records side by side, by rules that
never leave a record (:mod:`securefl.learning.graphs.run_operations`,
:mod:`securefl.learning.graphs.run_layers`); what flows back to the weights stays a record's own.
Blocks are whole vectors, with zeros behind the last record; that, sums of a fixed order and exact
products make each record's result the same to the last bit wherever it stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from securefl.learning.graphs.run_layers import LAYER_RULES
from securefl.learning.graphs.run_operations import RULES
from securefl.learning.whole_vectors import PAD, padded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.learning.graphs.graph import Graph, Node
    from securefl.learning.graphs.run_operations import Back, Ran
    from securefl.learning.tasks.task import Task
    from securefl.types import FloatArray

#: Numbers of a block, so that most of it stays in the processor's cache, and its records at most.
_MOST_NUMBERS: Final = 1 << 22
_MOST_RECORDS: Final = 1024


def block_records(graph: Graph) -> int:
    """Records of a block at most: fewer by halves where a record needs much.

    It decides nothing: a record's result is the same in a block of any size.
    """
    found = _MOST_RECORDS
    while found > PAD and found * graph.numbers > _MOST_NUMBERS:
        found //= 2
    return found


class Lifted:
    """A graph with what is needed to run it.

    Args:
        graph: checked.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._constants = [
            np.array(one.numbers, dtype=np.float64).reshape(1, *one.shape)
            for one in graph.constants
        ]
        self._block = block_records(graph)
        self._learnt = _learnt(graph)
        self._done = _done(graph)

    def scores(
        self,
        theta: FloatArray,
        x: FloatArray,
    ) -> FloatArray:
        """Scores of rows, float64[m, k] of float64[m, d]."""
        found = np.empty((len(x), self._graph.outputs))
        with np.errstate(all="ignore"):
            for some, rows in self._blocks(x):
                values, _ = self._run(theta, rows, learning=False)
                scores = self._scores(values, len(rows))
                found[some] = scores[: len(found[some])]
        return found

    def gradients(
        self,
        task: Task,
        theta: FloatArray,
        x: FloatArray,
        y: FloatArray,
    ) -> FloatArray:
        """Gradients of the task's loss, float64[m, p]; of a record that is not finite, zeros or
        what is not finite: the clip counts both as zero.
        """
        found = np.empty((len(x), self._graph.size))
        most = task.steepest
        with np.errstate(all="ignore"):
            for some, rows in self._blocks(x):
                values, backs = self._run(theta, rows, learning=True)
                scores = self._scores(values, len(rows))
                slopes = task.loss_gradient(scores, padded(y[some]))
                slopes = np.clip(slopes, -most, most)
                self._flow_back(slopes, backs, found[some])
        return found

    def _blocks(self, x: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
        """Records of each block, as whole vectors with zeros behind the last row."""
        for start in range(0, len(x), self._block):
            some = slice(start, min(start + self._block, len(x)))
            yield some, padded(x[some])

    def _scores(self, values: list[FloatArray], rows: int) -> FloatArray:
        """Scores of a block, float64[rows, k]."""
        scores = values[self._graph.output].reshape(-1, self._graph.outputs)
        return np.ascontiguousarray(np.broadcast_to(scores, (rows, self._graph.outputs)))

    def _run(
        self,
        theta: FloatArray,
        rows: FloatArray,
        *,
        learning: bool,
    ) -> tuple[list[FloatArray], list[Back]]:
        """All values of a block, and for each node what flows back through it."""
        graph = self._graph
        values: list[Any] = [rows.reshape(len(rows), 1, -1)]
        values += [theta[place].reshape(1, *one.shape) for one, place in graph.stretches()]
        values += self._constants
        backs = []
        for node, done in zip(graph.nodes, self._done, strict=True):
            ran = self._ran(node, values, learning=learning)
            values.append(ran.result)
            if learning:
                backs.append(ran.back)
            # Room that is given back at once is still in the processor's cache.
            for one in done:
                values[one] = None
        return values, backs

    def _ran(
        self,
        node: Node,
        values: list[Any],
        *,
        learning: bool,
    ) -> Ran:
        inputs = [None if one is None else values[one] for one in node.inputs]
        if node.name in RULES:
            return RULES[node.name](inputs, node)
        wanted = None
        if learning:
            wanted = [one is not None and self._learnt[one] for one in node.inputs]
        return LAYER_RULES[node.name](inputs, node, wanted)

    def _flow_back(
        self,
        slopes: FloatArray,
        backs: list[Back],
        found: FloatArray,
    ) -> None:
        """Write each record's gradient.

        Args:
            slopes: of the scores, float64[rows, k].
            backs: of the nodes; used up.
            found: float64[records, p], filled here.
        """
        graph = self._graph
        first = len(self._learnt) - len(graph.nodes)
        flowing: list[FloatArray | None] = [None] * len(self._learnt)
        flowing[graph.output] = slopes.reshape(len(slopes), 1, -1)
        for number in range(len(self._learnt) - 1, first - 1, -1):
            arrived = flowing[number]
            back = backs.pop()
            if arrived is None or not self._learnt[number]:
                continue
            flowing[number] = None
            node = graph.nodes[number - first]
            for one, part in zip(node.inputs, back(arrived), strict=False):
                if one is not None and part is not None and self._learnt[one]:
                    before = flowing[one]
                    flowing[one] = part if before is None else before + part
        for number, (_, place) in enumerate(graph.stretches(), 1):
            arrived = flowing[number]
            if arrived is None:
                found[:, place] = 0.0
            else:
                found[:, place] = arrived.reshape(len(arrived), -1)[: len(found)]


def _learnt(graph: Graph) -> list[bool]:
    """For each value, True where it follows from a weight."""
    found = [False] + [True] * len(graph.parameters) + [False] * len(graph.constants)
    for node in graph.nodes:
        found.append(any(one is not None and found[one] for one in node.inputs))
    return found


def _done(graph: Graph) -> list[list[int]]:
    """For each node, the values that no later node takes; the scores stay."""
    last: dict[int, int] = {}
    first = 1 + len(graph.parameters) + len(graph.constants)
    for number, node in enumerate(graph.nodes):
        last[first + number] = number
        for one in node.inputs:
            if one is not None:
                last[one] = number
    found: list[list[int]] = [[] for _ in graph.nodes]
    for value, number in last.items():
        if value != graph.output:
            found[number].append(value)
    return found
