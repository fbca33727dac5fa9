"""A model as one ONNX file, from a table's columns to predictions.

Its inputs are the study's columns by name (:mod:`securefl.learning.portable.onnx_columns`). Its
outputs are ``prediction``, doubles [n, q], NaN in a row that the model was not made for, and
``usable``, bool [n, 1]. All arithmetic is in float64, with the features rounded to float32 as
hospitals round them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from securefl.learning.portable.of_model import program_of
from securefl.learning.portable.onnx_columns import encoded_column
from securefl.learning.portable.onnx_nodes import (
    IR_VERSION,
    ML_DOMAIN,
    ML_OPSET,
    OPSET,
    OnnxNodes,
    onnx_module,
)
from securefl.learning.tasks import task_of
from securefl.study.columns import NumericColumn

if TYPE_CHECKING:
    from securefl.learning.artefact import Model
    from securefl.learning.portable.program import Program, Step
    from securefl.learning.table import Table

#: Outputs' names; a column of that name makes them end in an underscore.
OUTPUTS: Final = ("prediction", "usable")
_KINDS: Final = {
    "exp": "Exp",
    "log": "Log",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "abs": "Abs",
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "div": "Div",
    "maximum": "Max",
    "minimum": "Min",
}


def onnx_bytes(model: Model) -> bytes:
    """The file's bytes.

    Raises:
        UsageError: onnx is not installed, or the model is of an extension that does not say its
            steps.
    """
    onnx = onnx_module()
    program = program_of(model)
    nodes = OnnxNodes()
    columns = model.data.columns
    encoded = [encoded_column(nodes, column) for column in columns]
    wide = nodes.node("Concat", [each.features for each in encoded], axis=1)
    features = nodes.cast(nodes.cast(wide, "FLOAT"), "DOUBLE")
    usable = encoded[0].usable
    for each in encoded[1:]:
        usable = nodes.node("And", [usable, each.usable])
    said, usable_name = output_names(model)
    found = _written(nodes, program, features)
    nothing = nodes.matrix(np.nan)
    nodes.node("Where", [usable, found, nothing], said)
    nodes.node("Identity", [usable], usable_name)
    kinds = onnx.TensorProto
    inputs = [
        _info(
            column.name,
            kinds.DOUBLE if isinstance(column, NumericColumn) else kinds.STRING,
            1,
        )
        for column in columns
    ]
    width = program.steps[-1].width
    outputs = [_info(said, kinds.DOUBLE, width), _info(usable_name, kinds.BOOL, 1)]
    graph = onnx.helper.make_graph(nodes.nodes, "securefl", inputs, outputs, nodes.constants)
    made = onnx.helper.make_model(
        graph,
        producer_name="securefl",
        ir_version=IR_VERSION,
        opset_imports=[
            onnx.helper.make_opsetid("", OPSET),
            onnx.helper.make_opsetid(ML_DOMAIN, ML_OPSET),
        ],
    )
    onnx.helper.set_model_props(made, _facts(model))
    onnx.checker.check_model(made)
    written: bytes = made.SerializeToString()
    return written


def output_names(model: Model) -> tuple[str, str]:
    """Names of predictions and of what rows are usable."""
    taken = {column.name for column in model.data.columns}
    found = []
    for name in OUTPUTS:
        free = name
        while free in taken:
            free += "_"
        found.append(free)
    return found[0], found[1]


def onnx_inputs(model: Model, table: Table) -> dict[str, Any]:
    """A table as the inputs of the model's ONNX file: doubles and texts [n, 1].

    For tables with a decimal point. A text in a numeric column, which such a file cannot be
    given, becomes infinite, so that its row has no prediction either.
    """
    from securefl.learning.cells import DeclaredNumbers

    found: dict[str, Any] = {}
    for column in model.data.columns:
        cells = table.column(column.name)
        if not isinstance(column, NumericColumn):
            texts = [cell or "" for cell in cells]
            found[column.name] = np.array(texts, dtype=object)[:, None]
            continue
        numbers = DeclaredNumbers(column.missing_codes)
        values = [numbers.value(cell) for cell in cells]
        found[column.name] = np.array([_number(value) for value in values])[:, None]
    return found


def _number(value: float | str | None) -> float:
    if value is None:
        return float("inf")
    if isinstance(value, str):
        return float("nan")
    return value


def _info(name: str, kind: int, width: int) -> Any:  # noqa: ANN401 - onnx ships no types here
    return onnx_module().helper.make_tensor_value_info(name, kind, ["rows", width])


def _facts(model: Model) -> dict[str, str]:
    task = task_of(model.data)
    return {
        "title": model.facts.title,
        "model_digest": model.digest,
        "study_digest": model.facts.study_digest,
        "intended_use": model.facts.intended_use,
        "licence": model.facts.licence,
        "not_to_be_used_after": model.facts.expires,
        "privacy": model.facts.privacy,
        "prediction": model.score_words,
        "prediction_names": ", ".join(task.score_names) or task.noun,
    }


def _written(nodes: OnnxNodes, program: Program, features: str) -> str:
    names: list[str] = []
    for step in program.steps:
        names.append(_step(nodes, step, [names[place] for place in step.inputs], features))
    return names[-1]


def _step(
    nodes: OnnxNodes,
    step: Step,
    inputs: list[str],
    features: str,
) -> str:
    match step.kind:
        case "input":
            name = features
        case "constant":
            name = nodes.constant(step.arrays[0])
        case "columns":
            first = nodes.constant([step.first], np.int64)
            end = nodes.constant([step.first + step.width], np.int64)
            axis = nodes.constant([1], np.int64)
            name = nodes.node("Slice", [*inputs, first, end, axis])
        case "affine":
            weight, bias = step.arrays
            moved = nodes.node("MatMul", [*inputs, nodes.constant(weight.T)])
            name = nodes.node("Add", [moved, nodes.matrix(bias)])
        case "concat":
            name = nodes.node("Concat", inputs, axis=1)
        case "softmax":
            name = nodes.node("Softmax", inputs, axis=1)
        case _:
            name = nodes.node(_KINDS[step.kind], inputs)
    return name
