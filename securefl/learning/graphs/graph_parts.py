"""A graph's operations as rows that an owner reads, in the order in which they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from securefl.learning.graphs.operation import size
from securefl.learning.graphs.operations import OPERATIONS

if TYPE_CHECKING:
    from securefl.learning.graphs.graph import Graph


class Part(NamedTuple):
    """One operation.

    Attributes:
        does: in words of ours.
        result: shape of what it makes of one record, as "1x8x8x8".
        learns: numbers that are learnt and first used here.
        layer: of ``model.py``, in the researcher's words, with the line.
    """

    does: str
    result: str
    learns: int
    layer: str


class OwnModel(NamedTuple):
    """A model of the researcher's own, to be read.

    Attributes:
        parts: its operations.
        learns: numbers in all.
        numbers: that one record needs in memory at once.
        products: multiplications that one record needs.
        source: the researcher's text, which does not run.
    """

    parts: tuple[Part, ...]
    learns: int
    numbers: int
    products: int
    source: str


def own_model(graph: Graph, source: str) -> OwnModel:
    """The graph's rows, with the text that it was made from."""
    first = 1
    last = first + len(graph.parameters)
    seen: set[int] = set()
    parts = []
    for node in graph.nodes:
        used = {one for one in node.inputs if one is not None and first <= one < last}
        new = used - seen
        seen |= used
        learns = sum(size(graph.parameters[one - first].shape) for one in new)
        layer = node.layer
        if node.line:
            layer = f"{layer}, line {node.line}"
        does = OPERATIONS[node.name].words
        result = "x".join(map(str, node.shape)) or "1"
        parts.append(Part(does, result, learns, layer))
    return OwnModel(
        tuple(parts),
        graph.size,
        graph.numbers,
        graph.products,
        source,
    )
