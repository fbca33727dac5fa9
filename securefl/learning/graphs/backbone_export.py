"""A trained ``model.py`` as a backbone: its graph and its weights in one file, at its maker's alone.

What hospitals run is the graph (:mod:`securefl.origins.backbone`); nothing of ``model.py`` comes to
them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from securefl.errors import StudyError
from securefl.learning.graphs.backbone import GRAPH_KEY, weights_of
from securefl.learning.graphs.graph import read_graph
from securefl.learning.graphs.graph_export import export_model
from securefl.learning.graphs.operation import GraphFault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from securefl.types import FloatArray


def export_backbone(
    source: str,
    weights: Mapping[str, FloatArray],
    target: Path,
    *,
    inputs: int,
    features: int,
) -> str:
    """Write a backbone's file.

    Args:
        source: text of its ``model.py``. It is run.
        weights: tensors by their names in it, as ``state_dict`` has them.
        target: the file.
        inputs: numbers that the model takes.
        features: numbers that it gives.

    Returns:
        The file's SHA-256 in hex, which a description pins.

    Raises:
        StudyError: the model cannot be a graph, or the weights are not its own.
    """
    from safetensors.numpy import save_file

    text = export_model(
        source,
        inputs,
        features,
        learnt=False,
    ).graph
    graph = read_graph(text)
    own = {name: np.asarray(tensor, dtype=np.float64) for name, tensor in weights.items()}
    try:
        weights_of(graph, own)
    except GraphFault as fault:
        raise StudyError(
            f"The backbone {fault}.",
            next_step="Pass the state_dict of the module that model.py defines.",
        ) from None
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in own.items()}
    save_file(tensors, target, metadata={GRAPH_KEY: text})
    return hashlib.sha256(target.read_bytes()).hexdigest()
