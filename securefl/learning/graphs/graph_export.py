"""A researcher's ``model.py`` as a graph: torch.export for one record, at the researcher's alone.

The module is called with one record, float64[1, d], and traced to core ATen. Each operation is
written down in the words of the list, or refused with its line of ``model.py`` and what to use
instead. No module of a hospital imports this one: there, nothing of a ``model.py`` runs.
"""

from __future__ import annotations

import logging
import operator
import warnings
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import torch
from torch import nn

from securefl.learning.graphs.aten_operations import Said, translated
from securefl.learning.graphs.graph import MOST_CONSTANTS, SCHEMA, read_graph, write_graph
from securefl.learning.graphs.graph_mixing import check_mixing
from securefl.learning.graphs.graph_module import (
    NEXT,
    line_of_error,
    module_of,
    refused,
    short,
)
from securefl.learning.graphs.graph_nodes import (
    first_named,
    layer_of,
    line_of,
    line_with,
    makes_whole_numbers,
    named,
    place_of,
    sides,
)
from securefl.learning.graphs.graph_weights import check_learnt
from securefl.learning.graphs.operation import GraphFault
from securefl.learning.graphs.refusals import why_refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch.fx import Node


@dataclass(frozen=True)
class Exported:
    """A model that was exported.

    Attributes:
        graph: canonical JSON.
        source: the text of ``model.py``.
    """

    graph: str
    source: str


def export_model(
    source: str,
    features: int,
    outputs: int,
    *,
    learnt: bool = True,
) -> Exported:
    """The graph of the module that a ``model.py`` defines.

    Its text is run, as ``python model.py`` would run it.

    Args:
        source: the text.
        features: d, numbers of a record.
        outputs: k, scores that the task wants.
        learnt: the graph is trained, so no weight of the module may be frozen or unused; a
            backbone's never is.

    Raises:
        StudyError: it defines no module, or one that cannot be a graph: with the line and the mend.
    """
    text = source.replace("\r\n", "\n")
    module = module_of(text)
    refuse_layers(module, text)
    module = module.double().train()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced, program = _traced(module, features)
        _refuse_attention(traced)
        written = _Writer(module, program, features, outputs)
        graph = written.text()
        if learnt:
            check_learnt(
                module,
                traced,
                program,
                features,
                text,
            )
        check_mixing(module, program, features)
    return Exported(graph, text)


def refuse_layers(module: nn.Module, source: str = "") -> None:
    """Refuse layers that are known to be no part of a graph, by their names.

    Args:
        module: of the model.
        source: its text, whose first line with the layer's name is told.

    Raises:
        StudyError: with the layer and what to use.
    """
    for name, layer in module.named_modules():
        known = ""
        if isinstance(layer, nn.modules.batchnorm._NormBase) and not isinstance(  # noqa: SLF001 - the common base
            layer,
            nn.modules.instancenorm._InstanceNorm,  # noqa: SLF001 - as above
        ):
            known = "batch_norm"
        if isinstance(layer, nn.modules.dropout._DropoutNd) and layer.p:  # noqa: SLF001 - as above
            known = "dropout"
        if isinstance(layer, nn.modules.conv._ConvTransposeNd):  # noqa: SLF001 - as above
            known = "transposed convolution"
        if isinstance(layer, (nn.RNNBase, nn.RNNCellBase)):
            known = "recurrent cell"
        if isinstance(layer, nn.Embedding):
            known = "embedding"
        if known:
            why, instead = why_refused(known)
            kind = type(layer).__name__
            at = line_with(f"{kind}(", source)
            raise refused(f"{at}the layer {name or 'itself'} ({kind}) {why}.", instead)


def _traced(
    module: nn.Module,
    features: int,
) -> tuple[torch.export.ExportedProgram, torch.export.ExportedProgram]:
    """The module's program as it was traced, and in core ATen."""
    record = torch.zeros(
        1,
        features,
        dtype=torch.float64,
    )
    # What fails is told below, once; torch would write its own trace to the screen beside it.
    log = logging.getLogger("torch")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        # It prints there what it had of the graph, past every logger.
        with redirect_stderr(StringIO()):
            program = torch.export.export(
                module,
                (record,),
                strict=False,
            )
        found: torch.export.ExportedProgram = program.run_decompositions()
    except Exception as error:
        said = short(error)
        if "data-dependent" in str(error) or "DataDependent" in type(error).__name__:
            why, instead = why_refused("gt")
            raise refused(
                f"model.py{line_of_error(error)} {why}, as in `if x > 0`.", instead
            ) from error
        raise refused(
            f"model.py cannot be exported for one record of {features} features"
            f"{line_of_error(error)}: {said}",
            "Its forward takes one tensor, float64[1, features], and gives one, [1, scores]. "
            + NEXT,
        ) from error
    finally:
        log.setLevel(level)
    return program, found


def _refuse_attention(traced: torch.export.ExportedProgram) -> None:
    """Refuse torch's attention by its own name: its parts would say little."""
    name = "scaled_dot_product_attention"
    node = first_named(traced, name)
    if node is not None:
        why, instead = why_refused(name)
        raise refused(f"{place_of(node)}the operation {name} {why}.", instead)


class _Writer:
    """The graph of an exported program."""

    def __init__(
        self,
        module: nn.Module,
        program: torch.export.ExportedProgram,
        features: int,
        outputs: int,
    ) -> None:
        self._module = module
        self._program = program
        self._features = features
        self._outputs = outputs
        self._numbers: dict[Node, int] = {}
        self._parts: dict[Node, list[int]] = {}
        self._nodes: list[dict[str, Any]] = []
        self._parameters: list[dict[str, Any]] = []
        self._constants: list[dict[str, Any]] = []

    def text(self) -> str:
        """Canonical JSON, read once to be sure that it is a graph."""
        self._name_values()
        output = -1
        for node in self._program.graph.nodes:
            if node.op == "call_function":
                self._call(node)
            elif node.op == "output":
                output = self._output(node)
        raw = {
            "schema": SCHEMA,
            "features": self._features,
            "outputs": self._outputs,
            "parameters": self._parameters,
            "constants": self._constants,
            "nodes": self._nodes,
            "output": output,
        }
        try:
            text = write_graph(raw)
            read_graph(text)
        except GraphFault as fault:
            raise refused(f"The graph of model.py {fault}.", NEXT) from fault
        return text

    def _name_values(self) -> None:
        """Number the record, the parameters and the constants."""
        signature = self._program.graph_signature
        changed = {**signature.buffers_to_mutate, **signature.user_inputs_to_mutate}
        if changed:
            names = ", ".join(sorted(changed.values()))
            raise refused(
                f"model.py changes {names} while it runs.",
                "A graph keeps nothing from one record to the next: delete what is counted or"
                " averaged there.",
            )
        held = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        held |= signature.inputs_to_lifted_tensor_constants
        entries = [n for n in self._program.graph.nodes if n.op == "placeholder"]
        learnt = [n for n in entries if n.name in signature.inputs_to_parameters]
        fixed = [n for n in entries if n.name in held and n not in learnt]
        record = [n for n in entries if n.name not in held]
        for number, node in enumerate((*record, *learnt, *fixed)):
            self._numbers[node] = number
        tensors = {**self._program.state_dict, **self._program.constants}
        for node in learnt:
            name = held[node.name]
            self._parameters.append(_parameter(name, tensors[name].detach()))
        for node in fixed:
            self._constants.append(_constant(held[node.name], tensors[held[node.name]]))

    def _call(self, node: Node) -> None:
        """One operation of the program."""
        if node.target is operator.getitem:
            source, at = node.args
            parts = self._parts.get(source)  # type: ignore[arg-type]
            if parts is None or at not in range(len(parts)):
                self._refuse(node, source)  # type: ignore[arg-type]
            self._numbers[node] = parts[at]  # type: ignore[index]
            return
        name, arguments = named(node)
        if name == "_assert_tensor_metadata":
            return
        if name in (
            "clone",
            "alias",
            "detach",
            "contiguous",
        ):
            self._numbers[node] = self._numbers[arguments["self"]]
            return
        if name in ("split_with_sizes", "unbind.int"):
            self._parts[node] = [self._write(node, said) for said in _parted(name, arguments)]
            return
        for said in self._said(
            node,
            name,
            arguments,
        ):
            number = self._write(node, said)
        self._numbers[node] = number
        self._parts[node] = [number]

    def _said(
        self,
        node: Node,
        name: str,
        arguments: dict[str, Any],
    ) -> Iterator[Said]:
        """The operation in words of the list, one or several."""
        if name == "addmm":
            if arguments["beta"] != 1 or arguments["alpha"] != 1:
                self._refuse(node)
            product = self._write(
                node,
                Said(
                    "matmul",
                    [arguments["mat1"], arguments["mat2"]],
                    {},
                ),
            )
            yield Said(
                "add",
                [product, arguments["self"]],
                {},
            )
            return
        try:
            said = translated(
                name,
                arguments,
                sides,
            )
        except GraphFault as fault:
            raise refused(f"{place_of(node)}the operation {name} {fault}.", NEXT) from fault
        if said is None:
            self._refuse(node)
        yield said

    def _write(
        self,
        node: Node,
        said: Said,
    ) -> int:
        inputs = [self._number(node, one) for one in said.inputs]
        line = line_of(node)
        layer = layer_of(node)
        self._nodes.append(
            {
                "op": said.name,
                "inputs": inputs,
                "options": _plain(said.options),
                "layer": layer,
                "line": line,
            }
        )
        values = 1 + len(self._parameters) + len(self._constants)
        return values + len(self._nodes) - 1

    def _number(
        self,
        node: Node,
        value: object,
    ) -> int | None:
        if value is None or isinstance(value, int):
            return value
        found = self._numbers.get(value)  # type: ignore[call-overload]
        if found is None:
            self._refuse(node)
        return int(found)

    def _output(self, node: Node) -> int:
        results = node.args[0]
        if not isinstance(results, (list, tuple)) or len(results) != 1:
            raise refused("model.py gives several tensors.", "Return one, [1, scores].")
        shape = sides(results[0])
        if shape != (1, self._outputs):
            raise refused(
                f"model.py gives {'x'.join(map(str, shape))} numbers for a record, and the study's"
                f" task wants {self._outputs} scores, as 1x{self._outputs}.",
                f"Make its last layer nn.Linear(..., {self._outputs}).",
            )
        return self._numbers[results[0]]  # type: ignore[index]

    def _refuse(
        self,
        node: Node,
        source: Node | None = None,
    ) -> NoReturn:
        name, _ = named(source or node)
        known = name.partition(".")[0]
        if known == "_to_copy" and makes_whole_numbers(node):
            known = "whole numbers"
        why, instead = why_refused(known)
        raise refused(f"{place_of(node)}the operation {name} {why}.", instead)


def _parted(name: str, a: dict[str, Any]) -> Iterator[Said]:
    """A tensor cut in parts, each an operation of its own."""
    if name == "unbind.int":
        for index in range(sides(a["self"])[a["dim"]]):
            yield Said(
                "select",
                [a["self"]],
                {"dim": a["dim"], "index": index},
            )
        return
    start = 0
    for width in a["split_sizes"]:
        options = {
            "dim": a["dim"],
            "start": start,
            "end": start + width,
            "step": 1,
        }
        yield Said(
            "slice",
            [a["self"]],
            options,
        )
        start += width


def _parameter(name: str, values: torch.Tensor) -> dict[str, Any]:
    """A parameter, filled at first with one number where the module fills it so, and biases with 0."""
    first = values.reshape(-1)[0].item()
    start: str | float = 0.0
    if bool((values == first).all()) and np.isfinite(first):
        start = first
    elif values.dim() > 1:
        start = "drawn"
    return {"name": name, "shape": list(values.shape), "start": start}


def _constant(name: str, values: torch.Tensor) -> dict[str, Any]:
    if values.numel() > MOST_CONSTANTS:
        raise refused(
            f"model.py brings {values.numel():,} numbers along in {name}, which are not learnt.",
            f"At most {MOST_CONSTANTS:,} stand in a study file; compute them, or learn them.",
        )
    numbers = values.detach().double().reshape(-1).tolist()
    return {"shape": list(values.shape), "numbers": numbers}


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Options as JSON: booleans as 0 and 1."""
    return {name: int(v) if isinstance(v, bool) else v for name, v in options.items()}
