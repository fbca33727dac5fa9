"""File of a backbone: a graph that is not trained any more, and its weights (safetensors).

Its SHA-256 pins graph and weights alike, and stands in the name of every feature that it makes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.learning.graphs.graph import read_graph
from securefl.learning.graphs.operation import GraphFault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.learning.graphs.graph import Graph
    from securefl.types import FloatArray

#: Key of the graph in the file's metadata.
GRAPH_KEY: Final = "securefl-graph"
#: Digits of the hash in a feature's name.
_DIGITS: Final = 12
#: Bytes in front that say how long the head is.
_LENGTH_BYTES: Final = 8


def feature_name(sha256: str, place: int) -> str:
    """Name of a backbone's feature as a column.

    >>> feature_name("0123456789abcdef" * 4, 3)
    'b0123456789ab_3'
    """
    return f"b{sha256[:_DIGITS]}_{place}"


def weights_of(graph: Graph, tensors: Mapping[str, FloatArray]) -> FloatArray:
    """A graph's weights as one vector, float64[p], of tensors by their names.

    Raises:
        GraphFault: these are tensors of another graph, or no numbers.
    """
    names = {one.name for one in graph.parameters}
    if set(tensors) != names:
        raise GraphFault(f"has {len(tensors)} tensors, and not the {len(names)} of its graph")
    theta = np.empty(graph.size)
    for one, stretch in graph.stretches():
        tensor = tensors[one.name]
        if tensor.shape != one.shape:
            raise GraphFault(f"has a tensor {one.name} of another shape")
        theta[stretch] = tensor.reshape(-1)
    if not np.isfinite(theta).all():
        raise GraphFault("has weights that are no numbers")
    return theta


def open_backbone(data: bytes) -> tuple[Graph, FloatArray]:
    """Read a backbone's file: its graph, and its weights float64[p].

    Raises:
        GraphFault: the file holds something else.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    length = int.from_bytes(data[:_LENGTH_BYTES], "little")
    try:
        head = json.loads(data[_LENGTH_BYTES : _LENGTH_BYTES + length])
        text = str(head["__metadata__"][GRAPH_KEY])
        tensors = load(data)
    except (SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise GraphFault(f"holds no graph with its weights ({type(error).__name__})") from None
    graph = read_graph(text)
    return graph, weights_of(graph, tensors)
