"""Columns of a table as inputs of an ONNX graph, encoded there as the study declares.

A numeric column is an input of doubles [n, 1] in which NaN is "not recorded"; another one is an
input of texts [n, 1] in which "" is.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from securefl.learning.encoding import column_features
from securefl.learning.portable.onnx_nodes import ML_DOMAIN
from securefl.learning.portable.text_codes import UNKNOWN, text_codes
from securefl.study.columns import BooleanColumn, CategoryColumn, NumericColumn
from securefl.study.texts import text_key

if TYPE_CHECKING:
    from securefl.learning.portable.onnx_nodes import OnnxNodes
    from securefl.study.columns import Column


@dataclass(frozen=True)
class Encoded:
    """Names of an encoded column in the graph.

    Attributes:
        features: doubles [n, m].
        usable: bool [n, 1].
    """

    features: str
    usable: str


def encoded_column(nodes: OnnxNodes, column: Column) -> Encoded:
    """Nodes that encode one column, whose input is called as the column."""
    if isinstance(column, NumericColumn):
        return _numeric(nodes, column)
    return _texts(nodes, column)


def _numeric(nodes: OnnxNodes, column: NumericColumn) -> Encoded:
    cell = column.name
    missing = nodes.node("IsNaN", [cell])
    for code in map(text_key, column.missing_codes):
        if isinstance(code, Decimal):
            same = nodes.node("Equal", [cell, nodes.matrix(float(code))])
            missing = nodes.node("Or", [missing, same])
    recorded = nodes.node("Not", [missing])
    # the logarithm is asked for all rows: what is not recorded is taken for the lower end there
    known = nodes.node("Where", [missing, nodes.matrix(float(column.low)), cell])
    block = [nodes.node("Where", [missing, nodes.matrix(0.0), _scaled(nodes, column, known)])]
    usable = nodes.node("And", [recorded, _within(nodes, column, known)])
    if column.missing == "flag":
        block.append(nodes.cast(missing, "DOUBLE"))
        usable = nodes.node("Or", [usable, missing])
    features = nodes.node("Concat", block, axis=1)
    return Encoded(features, usable)


def _within(nodes: OnnxNodes, column: NumericColumn, known: str) -> str:
    """Test of a recorded number: may it be used."""
    low = float(column.low)
    high = float(column.high)
    if column.outside == "clip":
        # an infinite one is no number, also where numbers outside the range are cut
        low = -sys.float_info.max
        high = sys.float_info.max
    above = nodes.node("GreaterOrEqual", [known, nodes.matrix(low)])
    below = nodes.node("LessOrEqual", [known, nodes.matrix(high)])
    return nodes.node("And", [above, below])


def _scaled(nodes: OnnxNodes, column: NumericColumn, known: str) -> str:
    """A number's place between -1 and 1."""
    low = float(column.low)
    high = float(column.high)
    at_least = nodes.node("Max", [known, nodes.matrix(low)])
    value = nodes.node("Min", [at_least, nodes.matrix(high)])
    left = low
    right = high
    if column.transform == "log":
        left = math.log(low)
        right = math.log(high)
        value = nodes.node("Log", [value])
    above = nodes.node("Sub", [value, nodes.matrix(left)])
    twice = nodes.node("Mul", [above, nodes.matrix(2.0)])
    part = nodes.node("Div", [twice, nodes.matrix(right - left)])
    return nodes.node("Sub", [part, nodes.matrix(1.0)])


def _texts(nodes: OnnxNodes, column: CategoryColumn | BooleanColumn) -> Encoded:
    codes = text_codes(column)
    code = nodes.node(
        "LabelEncoder",
        [column.name],
        domain=ML_DOMAIN,
        keys_strings=list(codes),
        values_int64s=list(codes.values()),
        default_int64=UNKNOWN,
    )
    places = np.arange(len(column_features(column)))[None]
    same = nodes.node("Equal", [code, nodes.constant(places, np.int64)])
    unknown = nodes.node("Equal", [code, nodes.constant([[UNKNOWN]], np.int64)])
    return Encoded(nodes.cast(same, "DOUBLE"), nodes.node("Not", [unknown]))
