"""Section of the study file for a stage that counts columns: histograms by public edges and levels,
by group where asked, and cross tables.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import Field, model_validator

from securefl.study.columns import NumericColumn
from securefl.study.counts import Positive, check_epsilon, check_noise, noise_on_cells
from securefl.study.fields import DecimalText, Fault
from securefl.study.stages import StageSection
from securefl.study.texts import ColumnName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.study.columns import Column, DataSpec
    from securefl.study.stages import Finding

#: Enough for a mean without bias where a distribution is smooth; each bin more costs noise.
DEFAULT_BINS: Final = 20
_MOST_BINS: Final = 256
_MOST_COLUMNS: Final = 64
#: Numbers of the released list in all.
_MOST_CELLS: Final = 1 << 16

Pair = Annotated[tuple[ColumnName, ...], Field(min_length=2, max_length=2)]


class StatisticsSection(StageSection):
    """Histograms of columns, and cross tables of two columns that have levels.

    ``columns`` are columns of the study's data; a number is counted in ``bins`` bins that are equal
    on its declared scale, from its lowest to its highest value. ``by`` splits every histogram by
    the levels of one more column, ``by_outcome`` by what is to be predicted. A patient counts in
    one number for each column and table, so the noise on each number is the multiplier times the
    root of how many there are.
    """

    columns: Annotated[tuple[ColumnName, ...], Field(min_length=1, max_length=_MOST_COLUMNS)]
    by: ColumnName | None = None
    by_outcome: bool = False
    tables: Annotated[tuple[Pair, ...], Field(max_length=_MOST_COLUMNS)] = ()
    bins: Annotated[int, Field(ge=2, le=_MOST_BINS)] = DEFAULT_BINS
    noise_multiplier: DecimalText
    epsilon: DecimalText
    bound: Positive

    @property
    def cells(self) -> int:
        """Numbers in which one patient counts."""
        return len(self.columns) + len(self.tables)

    @property
    def sigma(self) -> Decimal:
        """Standard deviation of the noise on each number."""
        return noise_on_cells(self.noise_multiplier, self.cells)

    @model_validator(mode="after")
    def _asked_once(self) -> Self:
        for place, name in enumerate(self.columns):
            if name in self.columns[:place]:
                raise Fault(f"the column {name} is named twice; remove one", "columns", place)
            if name == self.by:
                raise Fault(
                    f"the column {name} splits the others and cannot be split by itself",
                    "columns",
                    place,
                )
        for place, pair in enumerate(self.tables):
            if pair[0] == pair[1]:
                raise Fault("needs two different columns", "tables", place)
            if pair in self.tables[:place]:
                raise Fault("is asked for twice; remove one", "tables", place)
        if self.by is not None and self.by_outcome:
            raise Fault('splits once: write "by" or "by_outcome", not both', "by_outcome")
        return self

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        check_epsilon(self.epsilon)
        check_noise(
            self.noise_multiplier,
            Decimal(2),
            "it counts patients, and integer noise needs two units",
        )
        return self

    def faults(self, data: DataSpec) -> Iterator[Finding]:
        """Columns that the study's data do not have, or that have no levels to split by."""
        declared = {column.name: column for column in data.columns}
        for place, name in enumerate(self.columns):
            if name not in declared:
                yield ("columns", place), _unknown(name)
        split = [] if self.by is None else [(("by",), self.by)]
        pairs = [
            (("tables", place, end), name)
            for place, pair in enumerate(self.tables)
            for end, name in enumerate(pair)
        ]
        for where, name in (*split, *pairs):
            if name not in declared:
                yield where, _unknown(name)
            elif isinstance(declared[name], NumericColumn):
                yield where, f"the column {name} is a number and has no levels to split by"

    def size_fault(self, size: int) -> Iterator[Finding]:
        """A list longer than is released at once."""
        if size > _MOST_CELLS:
            made = f"makes a list of {size:,} numbers; {_MOST_CELLS:,} are the most"
            yield ("bins",), f"{made}: ask for fewer bins or columns"


def column_of(data: DataSpec, name: str) -> Column:
    """The declared column of that name.

    Raises:
        LookupError: there is none; the study file's checks refuse such a study.
    """
    return next(column for column in data.columns if column.name == name)


def _unknown(name: str) -> str:
    return f"the study's data have no column {name}; add it to [data] columns or remove it here"
