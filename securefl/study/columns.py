"""Columns as the study declares them: public ranges and levels, so that nothing is learnt from data to scale it (rule 10)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from securefl.study.fields import DecimalText, Line, Name, RatioText, Section

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")]


class NumericColumn(Section):
    """A number with its declared range, both ends included. A row outside it is set aside."""

    name: ColumnName
    kind: Literal["numeric"]
    low: DecimalText
    high: DecimalText
    unit: str = ""
    transform: Literal["linear", "log"] = "linear"
    missing: Literal["refuse", "flag"] = "refuse"

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"column {self.name}: low must be below high")
        if self.transform == "log" and self.low <= Decimal(0):
            raise ValueError(f"column {self.name}: a log scale needs low above 0")
        return self


class CategoryColumn(Section):
    """A value out of a declared list. A row with another value is set aside."""

    name: ColumnName
    kind: Literal["category"]
    levels: Annotated[tuple[Line, ...], Field(min_length=2)]
    missing: Literal["refuse", "flag"] = "refuse"

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.levels)) != len(self.levels):
            raise ValueError(f"column {self.name}: a level is named twice")
        return self


class BooleanColumn(Section):
    """A yes/no value: ``true`` and ``false`` are the texts that stand for them in the table."""

    name: ColumnName
    kind: Literal["boolean"]
    true: Line
    false: Line
    missing: Literal["refuse", "flag"] = "refuse"

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.true == self.false:
            raise ValueError(f"column {self.name}: true and false are the same text")
        return self


Column = Annotated[NumericColumn | CategoryColumn | BooleanColumn, Field(discriminator="kind")]


class Label(Section):
    """What counts as positive: any of these letters in the text, or equality with one of these texts."""

    column: ColumnName
    kind: Literal["any-of-letters", "equals", "threshold"]
    positive: Annotated[tuple[Line, ...], Field(min_length=1)]


class DataSpec(Section):
    """The table a hospital must have: its registered data set, population, patient column, features and label.

    ``holdout`` is the share of patients kept for evaluation, drawn by a keyed hash of the patient (rule 10).
    """

    dataset: Name
    population: Name
    patient: ColumnName
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    label: Label
    max_rows_per_patient: Annotated[int, Field(ge=1, le=1)]
    holdout: RatioText

    @model_validator(mode="after")
    def _columns(self) -> Self:
        names = [c.name for c in self.columns]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"a column is named twice: {', '.join(twice)}")
        if self.label.column in names or self.patient in names:
            raise ValueError("the label and the patient identifier cannot be features")
        if not 0 < self.holdout < 1:
            raise ValueError('holdout must lie between 0 and 1, like "3/10"')
        return self
