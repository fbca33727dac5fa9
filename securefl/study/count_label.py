"""Label of a count: one column of whole numbers from 0 up to a public largest one."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from securefl.study.columns import NumericColumn, check_codes
from securefl.study.fields import DecimalText, Fault, Line
from securefl.study.labels import LabelSection
from securefl.study.number_label import ShortLine
from securefl.study.texts import CellText, ColumnName

MOST_COUNTED = 10_000


class CountLabel(LabelSection):
    """A column whose count is to be predicted.

    A row with more than ``largest`` is set aside, or with ``outside = "clip"`` counts as that many.
    A number below 0 or not whole always sets its row aside. ``typical`` is a published mean, where
    the model begins.
    """

    task: ClassVar[str] = "count"
    kind: Literal["count"]
    column: ColumnName
    largest: Annotated[int, Field(ge=1, le=MOST_COUNTED)]
    unit: ShortLine | None = None
    outside: Literal["set-aside", "clip"] = "set-aside"
    missing_codes: tuple[CellText, ...] = ()
    typical: DecimalText
    typical_source: Line

    @property
    def columns(self) -> tuple[str, ...]:
        """The column that the label is read from."""
        return (self.column,)

    @property
    def ranges(self) -> tuple[NumericColumn, ...]:
        """The column, whose counts may be cut to the largest."""
        column = NumericColumn(
            name=self.column,
            kind="numeric",
            low=Decimal(0),
            high=Decimal(self.largest),
            missing_codes=self.missing_codes,
            outside=self.outside,
        )
        return (column,)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not 0 < self.typical < self.largest:
            raise Fault("must be above 0 and below largest", "typical")
        check_codes(self.column, (), self.missing_codes)
        return self
