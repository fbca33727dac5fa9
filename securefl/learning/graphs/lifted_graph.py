"""A graph at work: scores and gradients of every record by itself (torch).

The graph is interpreted for one record and lifted by ``vmap`` over a block of records, gradients by
``vmap(grad)``. A record therefore cannot see another, whatever the graph says. Blocks are whole
vectors, with zeros behind the last record; that and exact sums
(:mod:`securefl.learning.graphs.exact_operations`) make each record's result the same to the last
bit wherever it stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch.func import grad, vmap

from securefl.learning.graphs.exact_operations import Exact, TorchOwn
from securefl.learning.graphs.run_operations import run_operation
from securefl.learning.whole_vectors import padded

if TYPE_CHECKING:
    from securefl.learning.graphs.graph import Graph
    from securefl.learning.tasks.task import Task
    from securefl.types import FloatArray

#: Numbers in memory at once (half a GB), and the most and the fewest records of a block: a whole
#: vector of the widest processors.
_MOST_NUMBERS: Final = 1 << 26
_MOST_RECORDS: Final = 1024
_LEAST_RECORDS: Final = 8


def block_records(graph: Graph) -> int:
    """Records of a block at most: fewer by halves where a record needs much.

    It decides nothing: a record's result is the same in a block of any size.
    """
    found = _MOST_RECORDS
    while found > _LEAST_RECORDS and found * (graph.numbers + graph.size) > _MOST_NUMBERS:
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
            torch.tensor(one.numbers, dtype=torch.float64).reshape(one.shape)
            for one in graph.constants
        ]
        self._block = block_records(graph)

    def scores(
        self,
        theta: FloatArray,
        x: FloatArray,
    ) -> FloatArray:
        """Scores of rows, float64[m, k] of float64[m, d]."""
        exact = Exact(2)
        weights = torch.from_numpy(np.ascontiguousarray(theta))

        def of_record(record: torch.Tensor) -> torch.Tensor:
            return self._run(
                weights,
                record,
                exact,
            )

        found = np.empty((len(x), self._graph.outputs))
        with torch.no_grad():
            for start in range(
                0,
                len(x),
                self._block,
            ):
                rows = self._rows(x[start : start + self._block])
                said = vmap(of_record)(rows).numpy()
                found[start : start + self._block] = said[: len(x) - start]
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
        exact = Exact(1)
        weights = torch.from_numpy(np.ascontiguousarray(theta))

        def lost(
            theta: torch.Tensor,
            record: torch.Tensor,
            target: torch.Tensor,
        ) -> torch.Tensor:
            scores = self._run(
                theta,
                record,
                exact,
            )
            slope = _Slope.apply(
                scores.detach(),
                target,
                task,
            )  # type: ignore[no-untyped-call]
            # Its gradient by the weights is that of the task's loss.
            loss: torch.Tensor = (scores * slope).sum()
            return loss

        of_records = vmap(grad(lost), in_dims=(None, 0, 0))
        found = np.empty((len(x), self._graph.size))
        for start in range(
            0,
            len(x),
            self._block,
        ):
            some = slice(start, start + self._block)
            rows = self._rows(x[some])
            targets = self._rows(y[some])
            got = of_records(
                weights,
                rows,
                targets,
            ).numpy()
            found[some] = got[: len(x) - start]
        return found

    def _rows(self, rows: FloatArray) -> torch.Tensor:
        """A block of whole vectors, with zeros behind the last row."""
        whole = padded(rows)
        if len(whole) > self._block:
            whole = whole[: self._block]
        return torch.from_numpy(whole)

    def _run(
        self,
        theta: torch.Tensor,
        record: torch.Tensor,
        exact: Exact,
    ) -> torch.Tensor:
        """Scores of one record, float64[k]."""
        graph = self._graph
        values = [record.reshape(1, -1)]
        values += [theta[place].reshape(one.shape) for one, place in graph.stretches()]
        values += self._constants
        for node in graph.nodes:
            inputs = [None if one is None else values[one] for one in node.inputs]
            values.append(
                run_operation(
                    node,
                    inputs,
                    exact,
                )
            )
        scores: torch.Tensor = values[graph.output].reshape(-1)
        return scores


class _Slope(torch.autograd.Function):
    """Gradient of the task's loss at the scores: numpy's part, for a whole block at once."""

    @staticmethod
    def forward(
        scores: torch.Tensor,
        target: torch.Tensor,
        task: Task,
    ) -> torch.Tensor:
        most = task.steepest
        found = task.loss_gradient(scores.detach().contiguous().numpy(), target.detach().numpy())
        return torch.from_numpy(
            np.clip(
                found,
                -most,
                most,
            )
        )

    @staticmethod
    def vmap(
        info: TorchOwn,
        in_dims: tuple[int | None, ...],
        scores: torch.Tensor,
        target: torch.Tensor,
        task: Task,
    ) -> tuple[torch.Tensor, int]:
        del info
        if in_dims[0] is None or in_dims[1] is None:
            raise RuntimeError("scores and targets are of records")
        along = scores.movedim(in_dims[0], 0), target.movedim(in_dims[1], 0)
        return _Slope.apply(*along, task), 0  # type: ignore[no-untyped-call]

    @staticmethod
    def setup_context(
        ctx: TorchOwn,
        _inputs: TorchOwn,
        output: torch.Tensor,
    ) -> None:
        ctx.mark_non_differentiable(output)

    @staticmethod
    def backward(_ctx: TorchOwn, *_grads: torch.Tensor) -> tuple[None, None, None]:
        return None, None, None
