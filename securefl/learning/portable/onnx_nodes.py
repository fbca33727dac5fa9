"""A growing ONNX graph: nodes and constants with names of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from securefl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Versions of the operator sets that are used: in onnxruntime since 1.14 (2023).
OPSET: Final = 18
ML_OPSET: Final = 3
IR_VERSION: Final = 8
ML_DOMAIN: Final = "ai.onnx.ml"
#: Before each name inside the graph; outside stand the columns' own names.
_INSIDE: Final = "securefl/"


def onnx_module() -> Any:  # noqa: ANN401 - onnx is an extra, without types here
    """The package onnx.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise UsageError(
            "Writing ONNX needs the package onnx.",
            whose="this machine's operator",
            next_step="pip install 'securefl[onnx]'",
        ) from error
    return onnx


class OnnxNodes:
    """Nodes and constants so far.

    Attributes:
        nodes: ONNX nodes.
        constants: ONNX initializers.
    """

    def __init__(self) -> None:
        self._helper = onnx_module().helper
        self._from_array = onnx_module().numpy_helper.from_array
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Any, dtype: Any = np.float64) -> str:  # noqa: ANN401 - as numpy's array
        """The name of a new constant."""
        name = self._name()
        array = np.ascontiguousarray(np.asarray(value, dtype=dtype))
        self.constants.append(self._from_array(array, name))
        return name

    def matrix(self, value: Any) -> str:  # noqa: ANN401 - as numpy's array
        """The name of a new constant of float64 with two axes."""
        return self.constant(np.atleast_2d(value))

    def node(
        self,
        kind: str,
        inputs: Sequence[str],
        output: str = "",
        **settings: Any,  # noqa: ANN401 - attributes of the operator
    ) -> str:
        """The name of a new node's output; ``output`` where it must have a certain one."""
        name = output or self._name()
        self.nodes.append(self._helper.make_node(kind, list(inputs), [name], **settings))
        return name

    def cast(self, value: str, kind: str) -> str:
        """A value as ``FLOAT`` or ``DOUBLE``."""
        to = getattr(onnx_module().TensorProto, kind)
        return self.node("Cast", [value], to=to)

    def _name(self) -> str:
        return f"{_INSIDE}{len(self.nodes) + len(self.constants)}"
