"""A researcher's ``model.py`` as a graph: torch.export for one record, at the researcher's alone.

The module is called with one record, float64[1, d], and traced to core ATen. Each operation is
written down in the words of the list, or refused with its line of ``model.py`` and what to use
instead. No module of a hospital imports this one: there, nothing of a ``model.py`` runs.
"""

from __future__ import annotations

import linecache
import logging
import operator
import sys
import warnings
from contextlib import redirect_stderr
from dataclasses import dataclass
from importlib.abc import InspectLoader
from io import StringIO
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np
import torch
from torch import nn

from securefl.errors import StudyError
from securefl.learning.graphs.aten_operations import Said, translated
from securefl.learning.graphs.graph import MOST_CONSTANTS, SCHEMA, read_graph, write_graph
from securefl.learning.graphs.graph_mixing import check_mixing
from securefl.learning.graphs.graph_nodes import (
    NAME,
    layer_of,
    line_of,
    line_with,
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

_NEXT: Final = "Mend model.py and make the study again."


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
    module = _module_of(text)
    refuse_layers(module, text)
    module = module.double().train()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced, program = _traced(module, features)
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
            raise _refused(f"{at}the layer {name or 'itself'} ({kind}) {why}.", instead)


class _Text(InspectLoader):
    """Import of a text as a module: the researcher's own file, on the researcher's machine."""

    def __init__(self, name: str, source: str) -> None:
        self._name = name
        self._source = source

    def get_source(self, fullname: str) -> str:
        """The text of the one module that there is."""
        if fullname != self._name:
            raise ImportError(fullname)
        return self._source

    def get_code(self, fullname: str) -> CodeType:
        """The module's code, whose lines are those of model.py."""
        return self.source_to_code(self.get_source(fullname), NAME)


def _module_of(source: str) -> nn.Module:
    """The module that a text defines: the class ``Model``, or its only one."""
    made = ModuleType("securefl_own_model")
    # Tracing asks for the lines of functions, and for the module of classes.
    linecache.cache[NAME] = (
        len(source),
        None,
        source.splitlines(keepends=True),
        NAME,
    )
    sys.modules[made.__name__] = made
    try:
        _Text(made.__name__, source).exec_module(made)
        module: nn.Module = _class_of(made)()
    except StudyError:
        raise
    except Exception as error:
        raise _refused(
            f"model.py ends with an error{_line_of(error)}: {_short(error)}", _NEXT
        ) from error
    finally:
        sys.modules.pop(made.__name__, None)
    return module


def _class_of(made: ModuleType) -> type[nn.Module]:
    own = [
        found
        for found in vars(made).values()
        if isinstance(found, type)
        and issubclass(found, nn.Module)
        and found.__module__ == made.__name__
    ]
    named = [found for found in own if found.__name__ == "Model"] or own
    if len(named) != 1:
        raise _refused(
            f"model.py defines {len(own)} classes of nn.Module, and none is called Model.",
            "Call the model's class Model.",
        )
    return named[0]


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
        said = _short(error)
        if "data-dependent" in str(error) or "DataDependent" in type(error).__name__:
            why, instead = why_refused("where")
            raise _refused(
                f"model.py{_line_of(error)} {why}, as in `if x > 0`.", instead
            ) from error
        raise _refused(
            f"model.py cannot be exported for one record of {features} features"
            f"{_line_of(error)}: {said}",
            "Its forward takes one tensor, float64[1, features], and gives one, [1, scores]. "
            + _NEXT,
        ) from error
    finally:
        log.setLevel(level)
    return program, found


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
            raise _refused(f"The graph of model.py {fault}.", _NEXT) from fault
        return text

    def _name_values(self) -> None:
        """Number the record, the parameters and the constants."""
        signature = self._program.graph_signature
        changed = {**signature.buffers_to_mutate, **signature.user_inputs_to_mutate}
        if changed:
            names = ", ".join(sorted(changed.values()))
            raise _refused(
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
            raise _refused(f"{place_of(node)}the operation {name} {fault}.", _NEXT) from fault
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
            raise _refused("model.py gives several tensors.", "Return one, [1, scores].")
        shape = sides(results[0])
        if shape != (1, self._outputs):
            raise _refused(
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
        why, instead = why_refused(name.partition(".")[0])
        raise _refused(f"{place_of(node)}the operation {name} {why}.", instead)


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
        raise _refused(
            f"model.py brings {values.numel():,} numbers along in {name}, which are not learnt.",
            f"At most {MOST_CONSTANTS:,} stand in a study file; compute them, or learn them.",
        )
    numbers = values.detach().double().reshape(-1).tolist()
    return {"shape": list(values.shape), "numbers": numbers}


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Options as JSON: booleans as 0 and 1."""
    return {name: int(v) if isinstance(v, bool) else v for name, v in options.items()}


def _line_of(error: BaseException) -> str:
    """The innermost line of model.py in an error's way."""
    trace = error.__traceback__
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == NAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename == NAME:
        line = error.lineno or 0
    return f", line {line}" if line else ""


def _short(error: BaseException) -> str:
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"{type(error).__name__}: {first[:300]}"


def _refused(what: str, next_step: str) -> StudyError:
    return StudyError(what, next_step=next_step)
