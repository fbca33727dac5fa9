"""Check that a graph learns the weights that its ``model.py`` learns, no more and no fewer.

A graph has no frozen part: every parameter gets a gradient, noise, and a place in what is sent. The
export drops ``requires_grad = False``, ``torch.no_grad()``, ``detach`` and gradients of one's own,
so the gradients of the module and of the exported program are compared at weights that a public
lot draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from securefl.errors import StudyError
from securefl.learning.graphs.graph_nodes import line_of, line_with, named
from securefl.learning.public import public_uniforms

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn
    from torch.fx import GraphModule, Node

    Tensors = dict[str, torch.Tensor]

#: Relative difference above which two gradients are not the same.
_CLOSE: Final = 1e-6
_FROZEN_STEP: Final = (
    "Nothing in a graph can be frozen. Learn it, or make it a buffer (at most 4,096 numbers), or"
    ' take features of a frozen backbone (docs/own-model.md, "A frozen backbone").'
)
_GRAD_MODE: Final = "wrap_with_set_grad_enabled"


def check_learnt(
    module: nn.Module,
    traced: torch.export.ExportedProgram,
    program: torch.export.ExportedProgram,
    features: int,
    source: str,
) -> None:
    """Refuse parameters that the module holds fixed, shares or never uses, and gradients of its own.

    Args:
        module: float64.
        traced: its program before the decompositions, which still names what cuts gradients.
        program: the decomposed program, which becomes the graph.
        features: d, numbers of a record.
        source: text of ``model.py``.

    Raises:
        StudyError: with the parameters, the line where there is one, and the mend.
    """
    held = dict(module.named_parameters())
    fixed = [name for name, tensor in held.items() if not tensor.requires_grad]
    if fixed:
        at = line_with("requires_grad", source)
        raise StudyError(
            f"{at}{_listed(fixed)} {_verb(fixed)} frozen (requires_grad is False), and a graph"
            " would learn it all the same.",
            next_step=_FROZEN_STEP,
        )
    parameters = traced.graph_signature.inputs_to_parameters.values()
    shared = [name for name in parameters if name not in held]
    if shared:
        raise StudyError(
            f"{_defined_at(shared[0], source)}{_listed(shared)} {_verb(shared)} shared with another"
            " layer, and a graph would learn it twice.",
            next_step="Give the layer one name and call it twice, or use its weight by"
            " torch.nn.functional.linear.",
        )
    weights = _weights(held)
    record = _drawn("record", (1, features))
    own = _gradients(module, weights, record)
    exported = _gradients(program.module(), weights, record)
    unused = [name for name, slope in exported.items() if slope is None]
    if unused:
        raise StudyError(
            f"{_defined_at(unused[0], source)}{_listed(unused)} {_verb(unused)} never used for the"
            " scores, and would be noised and sent all the same.",
            next_step="Delete what forward does not use.",
        )
    changed = [name for name, slope in exported.items() if not _same(slope, own[name])]
    if changed:
        cut = _first_cut(traced)
        at = f"model.py, line {cut}: " if cut else "model.py: "
        raise StudyError(
            f"{at}the gradient of {_listed(changed)} is cut or changed here (detach,"
            " torch.no_grad, torch.autograd.Function), and a graph would learn by the whole one.",
            next_step=_FROZEN_STEP,
        )


def _weights(held: dict[str, nn.Parameter]) -> Tensors:
    """Weights of a public lot: those of the module may be 0, and then hide gradients."""
    found: Tensors = {}
    for name, tensor in held.items():
        moved = tensor.detach() + 0.1 * _drawn(name, tuple(tensor.shape))
        found[name] = moved.requires_grad_()
    return found


def _drawn(word: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Numbers in [-1, 1) by a public lot, float64."""
    count = torch.Size(shape).numel()
    drawn = public_uniforms("learnt-weights", word.encode(), count)
    return torch.from_numpy(2.0 * drawn - 1.0).reshape(shape)


def _gradients(
    module: nn.Module | GraphModule,
    weights: Tensors,
    record: torch.Tensor,
) -> dict[str, torch.Tensor | None]:
    """Gradient of a mixture of the scores by each weight; None where it does not reach them."""
    call: Callable[..., torch.Tensor] = torch.func.functional_call
    scores = call(module, weights, (record,))
    if not scores.requires_grad:
        return dict.fromkeys(weights)
    mixed = scores * _drawn("scores", tuple(scores.shape))
    slopes = torch.autograd.grad(
        mixed.sum(),
        list(weights.values()),
        allow_unused=True,
    )
    return dict(zip(weights, slopes, strict=True))


def _same(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return torch.allclose(
        one,
        other,
        rtol=_CLOSE,
        atol=_CLOSE,
        equal_nan=True,
    )


def _first_cut(traced: torch.export.ExportedProgram) -> int:
    """First line of model.py that cuts the gradient of a parameter; 0 where none is found.

    torch itself detaches constants, which no parameter reaches.
    """
    learnt = traced.graph_signature.inputs_to_parameters
    reached: set[Node] = set()
    for node in traced.graph.nodes:
        if node.name in learnt:
            reached.add(node)
            continue
        if reached.isdisjoint(node.all_input_nodes):
            continue
        reached.add(node)
        name, _ = named(node)
        if name in ("detach", "detach_"):
            return line_of(node)
        if name == _GRAD_MODE and node.args[0] is False:
            return _first_line(traced.graph_module, node)
    return 0


def _first_line(owner: GraphModule, node: Node) -> int:
    """First line of model.py inside a block without gradients."""
    block = owner.get_submodule(str(node.args[1].target))  # type: ignore[union-attr]
    lines = [line_of(inner) for inner in block.graph.nodes]  # type: ignore[union-attr]
    return next((line for line in lines if line), 0)


def _defined_at(parameter: str, source: str) -> str:
    """Line of model.py that assigns a parameter or its layer, in front of what is wrong."""
    first = parameter.partition(".")[0]
    return line_with(f"self.{first} =", source)


def _listed(names: list[str]) -> str:
    """Some names, and the number of the others."""
    shown = ", ".join(names[:4])
    others = len(names) - 4
    return f"{shown} and {others} more" if others > 0 else shown


def _verb(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
