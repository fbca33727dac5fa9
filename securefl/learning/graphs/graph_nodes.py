"""Nodes of an exported program as they are read: names, arguments, shapes, and lines of model.py."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import torch
    from torch.fx import Node

#: Name under which a researcher's text is run.
NAME: Final = "model.py"


def named(node: Node) -> tuple[str, dict[str, Any]]:
    """Name of an operation, and its arguments by name, defaults filled in."""
    target = node.target
    schema = getattr(
        target,
        "_schema",
        None,
    )
    if schema is None:
        return str(
            getattr(
                target,
                "__name__",
                target,
            )
        ), {}
    name = str(schema.name).rpartition("::")[2]
    if schema.overload_name and schema.overload_name != "default":
        name = f"{name}.{schema.overload_name}"
    arguments: dict[str, Any] = {}
    for place, argument in enumerate(schema.arguments):
        value = argument.default_value if argument.has_default_value() else None
        if place < len(node.args):
            value = node.args[place]
        arguments[argument.name] = node.kwargs.get(argument.name, value)
    return name, arguments


def first_named(program: torch.export.ExportedProgram, name: str) -> Node | None:
    """The first call of an operation; None where there is none."""
    nodes = (node for node in program.graph.nodes if node.op == "call_function")
    return next((node for node in nodes if named(node)[0] == name), None)


def makes_whole_numbers(node: Node) -> bool:
    """True for an operation that makes whole numbers of others: places in a table."""
    made = node.meta.get("val")
    return made is not None and not made.dtype.is_floating_point


def sides(value: Any) -> tuple[int, ...]:  # noqa: ANN401 - a node of the program
    """Shape of a value."""
    return tuple(int(side) for side in value.meta["val"].shape)


def line_of(node: Node) -> int:
    """The innermost line of model.py on the way to an operation; 0 where there is none."""
    found = re.findall(rf'File "{re.escape(NAME)}", line (\d+)', node.meta.get("stack_trace") or "")
    return int(found[-1]) if found else 0


def layer_of(node: Node) -> str:
    """The module that made an operation: its name, and its class."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    if not stack:
        return "model"
    name, kind = stack[-1]
    kind = kind if isinstance(kind, str) else kind.__name__
    return f"{name or 'model'} ({kind.rpartition('.')[2]})"[:160]


def place_of(node: Node) -> str:
    """Line and layer of an operation, in front of what is wrong with it."""
    line = line_of(node)
    if line:
        return f"model.py, line {line}, {layer_of(node)}: "
    return f"model.py, {layer_of(node)}: "


def line_with(words: str, source: str) -> str:
    """The first line of a text that holds these words, in front of what is wrong with it."""
    for number, line in enumerate(source.splitlines(), 1):
        if words in line:
            return f"model.py, line {number}: "
    return "model.py: "
