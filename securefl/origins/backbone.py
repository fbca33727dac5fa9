"""A published backbone at home: a frozen graph with its weights makes features of a file's numbers.

One file of safetensors holds the weights, and the graph in its metadata. It runs at the hospital's
own command, before any study, and its weights were public before, so it costs no budget. Every
column is named after the file's hash: a study that names these columns fits no table that another
backbone made.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.errors import DataError
from securefl.learning.graphs.backbone import feature_name, open_backbone
from securefl.learning.graphs.operation import GraphFault
from securefl.sources.table_file import table_descriptor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from securefl.learning.graphs.graph import Graph
    from securefl.learning.graphs.lifted_graph import Lifted
    from securefl.types import FloatArray

#: Digits behind the point of a feature: far finer than what a clip keeps.
_DECIMALS: Final = 6
#: Bytes of a backbone, at most: the weights of the largest graph, and its text.
_MOST_BYTES: Final = 16 << 20


@dataclass(frozen=True, eq=False)
class Backbone:
    """A graph that is not trained any more. Made by :meth:`read`.

    Attributes:
        sha256: of its file.
        graph: checked.
        theta: float64[p], its weights.
    """

    sha256: str
    graph: Graph
    theta: FloatArray
    _lifted: Lifted

    @classmethod
    def read(
        cls,
        path: Path,
        sha256: str,
        inputs: int,
    ) -> Backbone:
        """Check and read a backbone.

        Args:
            path: of its file.
            sha256: that the file must have, hex.
            inputs: numbers that it is given.

        Raises:
            DataError: it is another file, or takes another number of numbers.
        """
        from securefl.learning.graphs.lifted_graph import Lifted

        with open(table_descriptor(path), "rb") as file:  # noqa: PTH123 - a descriptor
            data = file.read(_MOST_BYTES + 1)
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise DataError(
                f"{path.name} is not the backbone that is pinned: its SHA-256 is {found[:16]}…",
                next_step="Get the published file, or pin this one if it is the one that is meant.",
            )
        try:
            graph, theta = open_backbone(data)
        except GraphFault as fault:
            raise DataError(
                f"{path.name} is no backbone: it {fault}.",
                next_step="docs/own-model.md says how one is made.",
            ) from None
        if graph.features != inputs:
            raise DataError(
                f"{path.name} takes {graph.features} numbers, and a file has {inputs}.",
                next_step="Bring the files to the size that the backbone was made for.",
            )
        return cls(sha256, graph, theta, Lifted(graph))

    @property
    def names(self) -> list[str]:
        """Names of the features' columns: each carries the file's hash."""
        return [feature_name(self.sha256, place) for place in range(self.graph.outputs)]

    def features(self, numbers: Sequence[float]) -> list[float]:
        """The features of one record: they follow from its own numbers alone."""
        record = np.asarray(numbers, dtype=np.float64)[None]
        scores = self._lifted.scores(self.theta, record)[0]
        return [round(float(score), _DECIMALS) for score in scores]
