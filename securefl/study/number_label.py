"""Label of a number: one column, its public range, and the loss with which it is learnt.

The range is public, so the target is put on a scale from -1 to 1 without looking at any table (rule
10). A row whose number lies outside is set aside, or with ``outside = "clip"`` counts as the nearer
end.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from securefl.study.columns import NumericColumn, check_codes
from securefl.study.fields import DecimalText, Fault, Line
from securefl.study.labels import LabelSection
from securefl.study.texts import CellText, ColumnName

ShortLine = Annotated[Line, Field(max_length=40)]


class NumberLabel(LabelSection):
    """A column whose number is to be predicted.

    ``loss`` is ``squared``, or ``huber``: errors above ``huber``, a part of the range, then count
    in proportion instead of squared, so that few patients far off do not decide. ``typical`` is a
    published mean or median, where the model begins; without it the middle of the scale.
    """

    task: ClassVar[str] = "number"
    kind: Literal["number"]
    column: ColumnName
    low: DecimalText
    high: DecimalText
    unit: ShortLine | None = None
    transform: Literal["linear", "log"] = "linear"
    outside: Literal["set-aside", "clip"] = "set-aside"
    missing_codes: tuple[CellText, ...] = ()
    loss: Literal["squared", "huber"] = "squared"
    huber: DecimalText | None = None
    typical: DecimalText | None = None
    typical_source: Line | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The column that the label is read from."""
        return (self.column,)

    @property
    def read_as(self) -> NumericColumn:
        """The column as a feature would be declared: one rule reads the cells of both."""
        return NumericColumn(
            name=self.column,
            kind="numeric",
            low=self.low,
            high=self.high,
            unit=self.unit or "",
            transform=self.transform,
            missing_codes=self.missing_codes,
            outside=self.outside,
        )

    @property
    def ranges(self) -> tuple[NumericColumn, ...]:
        """The column, whose numbers may be cut to its range."""
        return (self.read_as,)

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.low >= self.high:
            raise Fault("must be below high", "low")
        if self.transform == "log" and self.low <= 0:
            raise Fault("must be above 0 on a log scale", "low")
        check_codes(self.column, (), self.missing_codes)
        return self

    @model_validator(mode="after")
    def _loss(self) -> Self:
        if self.loss == "squared" and self.huber is not None:
            raise Fault('belongs to loss = "huber"; remove it', "huber")
        if self.loss == "huber" and self.huber is None:
            raise Fault(
                'is missing: the part of the range up to which errors are squared, like "0.1"',
                "huber",
            )
        if self.huber is not None and not Decimal("0.001") <= self.huber <= 1:
            raise Fault("is a part of the range: at least 0.001 and at most 1", "huber")
        return self

    @model_validator(mode="after")
    def _typical(self) -> Self:
        if self.typical is not None and self.typical_source is None:
            raise Fault(
                "is missing: say where the typical value was published; it may not come from the"
                " hospitals' tables",
                "typical_source",
            )
        if self.typical is None and self.typical_source is not None:
            raise Fault("is missing, and typical_source says where it comes from", "typical")
        if self.typical is not None and not self.low < self.typical < self.high:
            raise Fault("must lie between low and high", "typical")
        return self
