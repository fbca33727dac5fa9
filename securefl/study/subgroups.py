"""Subgroups in the study file: a declared column splits patients by its levels, or by bands of its
numbers between public edges.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from securefl.study.columns import NumericColumn
from securefl.study.fields import DecimalText, Section
from securefl.study.texts import ColumnName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.study.columns import Column, DataSpec
    from securefl.study.stages import Finding

#: Bands of a number; each has noise of its own.
_MOST_EDGES: Final = 15


class Subgroups(Section):
    """A split of patients by one column: every patient is in one subgroup.

    ``edges`` are the inner edges of a number's bands, in its own unit; a value equal to an edge is
    in the band above it. A column with levels has none.
    """

    column: ColumnName
    edges: Annotated[tuple[DecimalText, ...], Field(max_length=_MOST_EDGES)] = ()

    def faults(self, data: DataSpec) -> Iterator[Finding]:
        """Contradictions to the study's data: the place below this table, and what would fit."""
        column = {column.name: column for column in data.columns}.get(self.column)
        if column is None:
            found = f"the study's data have no column {self.column}"
            yield ("column",), f"{found}; add it to [data] columns or remove it here"
        elif isinstance(column, NumericColumn):
            yield from self._edge_faults(column)
        elif self.edges:
            yield ("edges",), f"the column {self.column} has levels and needs no edges; delete them"

    def _edge_faults(self, column: NumericColumn) -> Iterator[Finding]:
        span = f"between {column.low} and {column.high}"
        if not self.edges:
            yield ("edges",), f"is missing: {self.column} is a number; list edges {span}"
            return
        ends = (column.low, *self.edges, column.high)
        if any(upper <= lower for lower, upper in pairwise(ends)):
            yield ("edges",), f"must rise strictly {span}"


def band_names(column: Column, subgroups: Subgroups) -> tuple[str, ...]:
    """Names of a number's bands, from the lowest."""
    unit = f" {column.unit}" if isinstance(column, NumericColumn) and column.unit else ""
    edges = [format(edge, "f") for edge in subgroups.edges]
    inner = [f"{low} to below {high}{unit}" for low, high in pairwise(edges)]
    return (f"below {edges[0]}{unit}", *inner, f"{edges[-1]}{unit} or more")
