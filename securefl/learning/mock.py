"""Mock tables: made from the declared columns alone, never from records.

A mock has the columns, ranges, levels and labels that the study or the data set declares and
nothing else: values crowd in the middle of the range and reach its ends, columns are independent,
and the label has nothing to do with them. It is for writing and trying code, and a model trained on
it is worth nothing.
"""

from __future__ import annotations

import csv
import io
import math

from securefl.learning.public import public_uniforms
from securefl.learning.tasks import task_of
from securefl.study.columns import BooleanColumn, Column, DataSpec, NumericColumn

#: Share of missing values in a column that may be missing, so that mock data exercise that path.
_MISSING_SHARE = 0.1


def mock_table(spec: DataSpec, rows: int, seed: int) -> bytes:
    """A CSV of ``rows`` invented records (UTF-8, header line). The same arguments give the same
    bytes everywhere.
    """
    names = [spec.patient, *(column.name for column in spec.columns), *spec.label.columns]
    key = seed.to_bytes(16, "big", signed=True)
    columns = [[f"mock-{i + 1}" for i in range(rows)]]
    for column in spec.columns:
        value = public_uniforms(f"mock/value/{column.name}", key, rows).tolist()
        gone = public_uniforms(f"mock/missing/{column.name}", key, rows).tolist()
        lost = 0.0
        if column.missing == "flag":
            lost = _MISSING_SHARE
        columns.append(
            ["" if g < lost else _value(column, u) for u, g in zip(value, gone, strict=True)]
        )
    task = task_of(spec)
    labels = [task.mock(u) for u in public_uniforms("mock/label", key, rows).tolist()]
    for place in range(len(spec.label.columns)):
        cells_there = [cells[place] for cells in labels]
        columns.append(cells_there)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue().encode()


def _value(column: Column, u: float) -> str:
    """The value at ``u`` in (0, 1) of a column: of numbers a triangular distribution over the
    range, of others each as often.
    """
    if isinstance(column, NumericColumn):
        low = float(column.low)
        high = float(column.high)
        place = math.sqrt(u / 2) if u < 0.5 else 1.0 - math.sqrt((1.0 - u) / 2)
        number = (
            low * math.exp(place * math.log(high / low))
            if column.transform == "log"
            else low + place * (high - low)
        )
        return f"{min(max(float(f'{number:.4g}'), low), high):.10g}"
    if isinstance(column, BooleanColumn):
        if u < 0.5:
            return column.true
        return column.false
    return column.levels[int(u * len(column.levels))]
