"""Columns as the study declares them: public ranges and levels, so that nothing is learnt from data to scale it (rule 10)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from securefl.study.fields import LINE, DecimalText, Fault, Line, Name, RatioText, Section, is_decimal

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=LINE)]


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
            raise Fault(f"column {self.name}: low must be below high", "low")
        if self.transform == "log" and self.low <= Decimal(0):
            raise Fault(f"column {self.name}: a log scale needs low above 0", "low")
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
            raise Fault(f"column {self.name}: a level is named twice", "levels")
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
            raise Fault(f"column {self.name}: true and false are the same text", "false")
        return self


Column = Annotated[NumericColumn | CategoryColumn | BooleanColumn, Field(discriminator="kind")]


class Label(Section):
    """What counts as positive: any of these letters in the text, equality with one of these texts, or this number and above."""

    column: ColumnName
    kind: Literal["any-of-letters", "equals", "threshold"]
    positive: Annotated[tuple[Line, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        if self.kind == "any-of-letters" and any(len(letter) != 1 for letter in self.positive):
            raise Fault('"any-of-letters" takes single letters, like ["E", "F"]', "positive")
        if self.kind == "threshold" and (len(self.positive) != 1 or not is_decimal(self.positive[0])):
            raise Fault('a "threshold" takes one number in quotes, like ["1.5"]', "positive")
        return self


class DataSpec(Section):
    """The table a hospital must have: its registered data set, population, patient column, features and label.

    Of one patient at most ``max_rows_per_patient`` rows are used, chosen by a keyed lot. ``holdout`` is the share of patients kept for evaluation, drawn by a keyed hash of the patient (rule 10).
    """

    dataset: Name
    population: Name
    patient: ColumnName
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    label: Label
    max_rows_per_patient: Annotated[int, Field(ge=1, le=100)]
    holdout: RatioText

    @model_validator(mode="after")
    def _columns(self) -> Self:
        seen: set[str] = set()
        for i, column in enumerate(self.columns):
            if column.name in seen:
                raise Fault(f"the column {column.name} is named twice; remove one", "columns", i)
            if column.name in (self.label.column, self.patient):
                raise Fault("the label and the patient identifier cannot be features; remove the column", "columns", i)
            seen.add(column.name)
        if self.label.column == self.patient:
            raise Fault("the patient identifier cannot be the label", "label", "column")
        if not 0 < self.holdout < 1:
            raise Fault('must lie between 0 and 1, like "3/10"', "holdout")
        return self
