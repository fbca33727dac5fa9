"""A model of the researcher's own: a graph of listed operations, sealed in the study."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, StringConstraints, model_validator

from securefl.errors import StudyError
from securefl.learning.encoding import column_features
from securefl.learning.families.family import Family
from securefl.learning.graphs.graph import MOST_LETTERS, read_graph
from securefl.learning.graphs.operation import GraphFault
from securefl.learning.public import public_uniforms
from securefl.study.fields import TEXT, Fault
from securefl.study.training import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.learning.graphs.graph import Graph
    from securefl.learning.graphs.graph_parts import OwnModel
    from securefl.learning.graphs.lifted_graph import Lifted
    from securefl.learning.steps import GradientFunction
    from securefl.learning.tasks.task import Task
    from securefl.study.columns import Column
    from securefl.types import FloatArray

_FILE = r"^[A-Za-z][A-Za-z0-9_-]{0,59}\.py$"
_UNMADE = (
    "is missing: `securefl study new`, `check`, `plan` and `simulate` export it from the model's file"
    " beside the template; name the template's file to them, not its text"
)


class GraphSpec(ModelSpec):
    """A graph, and the text that it was exported from, which is shown and never run.

    In a template ``file`` alone is there; ``graph`` and ``source`` are made of it.
    """

    kind: Literal["graph"]
    file: Annotated[str, StringConstraints(pattern=_FILE)]
    graph: Annotated[str, Field(max_length=MOST_LETTERS)] = ""
    source: Annotated[str, StringConstraints(max_length=64 * 1024, pattern=TEXT)] = ""

    @model_validator(mode="after")
    def _is_a_graph(self) -> Self:
        if not self.graph:
            raise Fault(_UNMADE, "graph")
        try:
            read_graph(self.graph)
        except GraphFault as fault:
            raise Fault(str(fault), "graph") from None
        return self


def is_file_name(name: object) -> bool:
    """True if a template may name its model's file so."""
    return isinstance(name, str) and re.fullmatch(_FILE, name) is not None


class OwnGraph(Family):
    """The model that a graph describes."""

    Section = GraphSpec

    def __init__(
        self,
        section: GraphSpec,
        inputs: int,
        outputs: int,
    ) -> None:
        # Whoever only asks for the size may know no more than a bound of the features.
        del inputs, outputs
        self.graph: Graph = read_graph(section.graph)
        self._source: str = getattr(section, "source", "")
        self._made: Lifted | None = None

    @classmethod
    def of(
        cls,
        section: GraphSpec,
        columns: Sequence[Column],
        outputs: int,
    ) -> Self:
        """The graph, where it was made for these columns and this task.

        Raises:
            StudyError: it was not.
        """
        inputs = sum(len(column_features(column)) for column in columns)
        made = cls(section, inputs, outputs)
        have = (made.graph.features, made.graph.outputs)
        if have != (inputs, outputs):
            raise StudyError(
                f"The model's graph takes {have[0]} features and gives {have[1]} scores; the"
                f" study's columns make {inputs} features, and its task wants {outputs} scores.",
                next_step="Make the study again of its template: the graph is exported anew.",
            )
        return made

    @property
    def parameters(self) -> int:
        """Numbers that the graph learns."""
        return self.graph.size

    def initial_weights(self, seed: str) -> FloatArray:
        """As the graph fills them, or uniform(-a, a) with a = sqrt(6 / (in + out)), out of the seed
        (Glorot and Bengio 2010).
        """
        found = np.empty(self.parameters)
        for number, (one, stretch) in enumerate(self.graph.stretches()):
            if one.start is not None:
                found[stretch] = one.start
                continue
            width = math.sqrt(6.0 / sum(one.fans))
            size = stretch.stop - stretch.start
            draws = public_uniforms(
                f"initial-weights/{number}",
                seed.encode(),
                size,
            )
            found[stretch] = (2.0 * draws - 1.0) * width
        return found

    def scores(
        self,
        theta: FloatArray,
        x: FloatArray,
    ) -> FloatArray:
        """The graph's, of each record by itself."""
        return self._lifted.scores(theta, x)

    def gradients(self, task: Task) -> GradientFunction:
        """Lifted over blocks of records (:mod:`securefl.learning.graphs.lifted_graph`)."""
        lifted = self._lifted

        def gradients(
            theta: FloatArray,
            x: FloatArray,
            y: FloatArray,
        ) -> FloatArray:
            return lifted.gradients(
                task,
                theta,
                x,
                y,
            )

        return gradients

    def open_libraries(self) -> None:
        """See :class:`Family`."""
        import securefl.learning.graphs.lifted_graph  # noqa: F401 - opened beforehand

    def tensors(self, theta: FloatArray) -> dict[str, FloatArray]:
        """Parameters by their names in ``model.py``, as its ``state_dict`` has them."""
        return {one.name: theta[at].reshape(one.shape) for one, at in self.graph.stretches()}

    def from_tensors(self, tensors: Mapping[str, FloatArray]) -> FloatArray:
        """The inverse of :meth:`tensors`; raises as the base class."""
        if set(tensors) != {one.name for one in self.graph.parameters}:
            raise KeyError(f"{len(tensors)} tensors")
        found = np.empty(self.parameters)
        for one, at in self.graph.stretches():
            if tensors[one.name].shape != one.shape:
                raise ValueError(one.name)
            found[at] = tensors[one.name].reshape(-1)
        return found

    @property
    def own(self) -> OwnModel:
        """Every operation, and the text beside it."""
        from securefl.learning.graphs.graph_parts import own_model

        return own_model(self.graph, self._source)

    def words(self, task: Task) -> str:
        """Size of the graph."""
        del task
        return (
            f"a model of the researcher's own ({len(self.graph.nodes)} operations,"
            f" {self.parameters:,} connections)"
        )

    @property
    def _lifted(self) -> Lifted:
        if self._made is None:
            from securefl.learning.graphs.lifted_graph import Lifted

            self._made = Lifted(self.graph)
        return self._made
