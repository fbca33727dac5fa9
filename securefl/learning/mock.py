"""Mock tables: made from the declared columns alone, never from records.

A mock has the columns, ranges and levels that the study or the data set declares and nothing else: values are spread
evenly over the range, columns are independent, and the label has nothing to do with them. It is for writing and trying
code, and a model trained on it is worth nothing.
"""

from __future__ import annotations

import csv
import io
import math
import string

from securefl.learning.features import threshold
from securefl.learning.public import public_uniforms
from securefl.study.columns import BooleanColumn, Column, DataSpec, Label, NumericColumn

#: Share of missing values in a column that may be missing, so that mock data exercise that path.
_MISSING_SHARE = 0.1
#: What a negative label may look like, the first that the study does not count as positive.
_NEGATIVE = "-" + string.digits + string.ascii_letters


def mock_table(spec: DataSpec, rows: int, seed: int) -> bytes:
    """A CSV of ``rows`` invented records (UTF-8, header line). The same arguments give the same bytes everywhere."""
    names = [spec.patient, *(column.name for column in spec.columns), spec.label.column]
    key = seed.to_bytes(16, "big", signed=True)
    columns = [[f"mock-{i + 1}" for i in range(rows)]]
    for column in spec.columns:
        value = public_uniforms(f"mock/value/{column.name}", key, rows).tolist()
        gone = public_uniforms(f"mock/missing/{column.name}", key, rows).tolist()
        lost = _MISSING_SHARE if column.missing == "flag" else 0.0
        columns.append(["" if g < lost else _value(column, u) for u, g in zip(value, gone, strict=True)])
    columns.append([_label(spec.label, u) for u in public_uniforms("mock/label", key, rows).tolist()])
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue().encode()


def _value(column: Column, u: float) -> str:
    """The value at ``u`` in (0, 1) of the way through the column's range or levels."""
    if isinstance(column, NumericColumn):
        low, high = float(column.low), float(column.high)
        number = low * math.exp(u * math.log(high / low)) if column.transform == "log" else low + u * (high - low)
        return f"{min(max(float(f'{number:.4g}'), low), high):.10g}"
    if isinstance(column, BooleanColumn):
        return column.true if u < 0.5 else column.false
    return column.levels[int(u * len(column.levels))]


def _label(label: Label, u: float) -> str:
    """A positive label for the upper half of ``u``, a negative one for the lower."""
    if label.kind == "threshold":
        cut = threshold(label)
        return f"{cut if u >= 0.5 else cut - 1:.10g}"
    if u >= 0.5:
        return label.positive[int((u - 0.5) * 2 * len(label.positive))]
    return next(sign for sign in _NEGATIVE if sign not in label.positive)
