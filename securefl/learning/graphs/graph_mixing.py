"""Check that a module looks at one record alone, as its graph will at every hospital."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Final

import torch

from securefl.errors import StudyError
from securefl.learning.graphs.graph_nodes import named, place_of, sides
from securefl.learning.public import public_uniforms

if TYPE_CHECKING:
    from torch import nn

#: Records that are told from one another, when it is checked that a batch is not mixed.
_TRIED: Final = 3
_NEVER_MIXES: Final = 1e-6


def check_mixing(
    module: nn.Module,
    program: torch.export.ExportedProgram,
    features: int,
) -> None:
    """Refuse a module that reads one record in the light of others: its graph, which has one alone,
    would be another model than the one that was tried out.
    """
    drawn = public_uniforms("batches-are-not-mixed", b"", _TRIED * features)
    rows = torch.from_numpy(2.0 * drawn - 1.0).reshape(_TRIED, features)
    try:
        with torch.no_grad():
            together = module(rows)
            alone = torch.cat([module(rows[i : i + 1]) for i in range(_TRIED)])
    except Exception:  # noqa: BLE001 - a module may well take one record only
        return
    if together.shape != alone.shape or (together - alone).abs().max() > _NEVER_MIXES:
        raise StudyError(
            f"{_over_records(program)}the model's scores of a record change with the other records"
            " of a batch.",
            next_step="A hospital runs it on one record at a time, so what is taken over dimension 0 is lost"
            " there. Name the other dimensions: y.sum(1, keepdim=True), and so mean and amax.",
        )


def _over_records(program: torch.export.ExportedProgram) -> str:
    """Place of the first operation over dimension 0, in front of what is wrong with it."""
    for node in program.graph.nodes:
        if node.op != "call_function" or node.target is operator.getitem:
            continue
        name, arguments = named(node)
        if name.partition(".")[0] not in ("sum", "mean", "amax"):
            continue
        over = arguments["dim"]
        first = -len(sides(arguments["self"]))
        if not over or 0 in over or first in over:
            return place_of(node)
    return "model.py: "
