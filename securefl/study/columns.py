"""Columns as the study declares them: public ranges and levels (rule 10).

Nothing is learnt from data to scale it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    Field,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from securefl.study.binary_label import Label
from securefl.study.fields import DecimalText, Fault, Name, RatioText, Section, tuples
from securefl.study.labels import LabelSection
from securefl.study.registries import LABELS
from securefl.study.texts import CellText, ColumnName, in_both, named_twice

#: Texts of one column that mean "not recorded", beside the empty cell and the usual words (``NA``,
#: ``null`` and the like).
MissingCodes = tuple[CellText, ...]


class NumericColumn(Section):
    """A number with its declared range, both ends included.

    A row outside it is set aside, or with ``outside = "clip"`` taken as the nearer end of the
    range. ``missing_codes`` come first: a cell that is one of them ("-9", "9999", "0") is not
    recorded, also where it lies within the range.
    """

    name: ColumnName
    kind: Literal["numeric"]
    low: DecimalText
    high: DecimalText
    unit: str = ""
    transform: Literal["linear", "log"] = "linear"
    missing: Literal["refuse", "flag"] = "refuse"
    missing_codes: MissingCodes = ()
    outside: Literal["set-aside", "clip"] = "set-aside"

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.low >= self.high:
            raise Fault(f"column {self.name}: low must be below high", "low")
        if self.transform == "log" and self.low <= Decimal(0):
            raise Fault(f"column {self.name}: a log scale needs low above 0", "low")
        check_codes(self.name, (), self.missing_codes)
        return self


class CategoryColumn(Section):
    """A value out of a declared list. A row with another value is set aside.

    A level may be any text, also ``None``, ``NA`` or ``?``: what is declared wins over the words
    that mean "not recorded".
    """

    name: ColumnName
    kind: Literal["category"]
    levels: Annotated[tuple[CellText, ...], Field(min_length=2)]
    missing: Literal["refuse", "flag"] = "refuse"
    missing_codes: MissingCodes = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        twice = named_twice(self.levels)
        if twice is not None:
            raise Fault(
                f"column {self.name}: a level is named twice ({twice!r}; numbers compare as"
                " numbers)",
                "levels",
            )
        check_codes(self.name, self.levels, self.missing_codes)
        return self


class BooleanColumn(Section):
    """A yes/no value: ``true`` and ``false`` are the texts that stand for them in the table."""

    name: ColumnName
    kind: Literal["boolean"]
    true: CellText
    false: CellText
    missing: Literal["refuse", "flag"] = "refuse"
    missing_codes: MissingCodes = ()

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if named_twice((self.true, self.false)) is not None:
            raise Fault(
                f"column {self.name}: true and false are the same text (numbers compare as"
                " numbers)",
                "false",
            )
        check_codes(self.name, (self.true, self.false), self.missing_codes)
        return self


Column = Annotated[NumericColumn | CategoryColumn | BooleanColumn, Field(discriminator="kind")]


def check_codes(name: str, declared: tuple[str, ...], codes: MissingCodes) -> None:
    """Refuse a missing-value code that stands twice or that is a declared value."""
    twice = named_twice(codes)
    if twice is not None:
        raise Fault(
            f"column {name}: {twice!r} is named twice (numbers compare as numbers)", "missing_codes"
        )
    both = in_both(declared, codes)
    if both is not None:
        raise Fault(
            f"column {name}: {both!r} is a declared value and cannot mean 'not recorded' as well",
            "missing_codes",
        )


def _label(value: Any, parse: ValidatorFunctionWrapHandler, info: ValidationInfo) -> LabelSection:  # noqa: ANN401 - whatever stood in the file
    """A label of a registered kind; the kinds of this product go through pydantic's own union."""
    if info.mode == "json":
        value = tuples(value)
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if not isinstance(kind, str) or kind not in LABELS:
        built_in: LabelSection = value
        if not isinstance(value, LabelSection):
            built_in = parse(value)
        return built_in
    section = LABELS[kind]
    try:
        return section.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        own = first.get("ctx", {}).get("error")
        if isinstance(own, Fault):
            raise Fault(str(own), *first["loc"], *own.path) from None
        raise Fault(first["msg"], *first["loc"]) from None


if TYPE_CHECKING:
    StudyLabel = LabelSection
else:
    StudyLabel = Annotated[SerializeAsAny[Label], WrapValidator(_label)]


class DataSpec(Section):
    """Table that a hospital must have: data set, population, patient column, features and label.

    Of one patient at most ``max_rows_per_patient`` rows are used, chosen by a keyed lot.
    ``holdout`` is the share of patients kept for evaluation, drawn by a keyed hash of the patient
    (rule 10).
    """

    dataset: Name
    population: Name
    patient: ColumnName
    columns: Annotated[tuple[Column, ...], Field(min_length=1)]
    label: StudyLabel
    max_rows_per_patient: Annotated[int, Field(ge=1, le=100)]
    holdout: RatioText

    @model_validator(mode="after")
    def _columns(self) -> Self:
        seen: set[str] = set()
        for i, column in enumerate(self.columns):
            if column.name in seen:
                raise Fault(f"the column {column.name} is named twice; remove one", "columns", i)
            if column.name in (*self.label.columns, self.patient):
                raise Fault(
                    "the label and the patient identifier cannot be features; remove the column",
                    "columns",
                    i,
                )
            seen.add(column.name)
        if self.patient in self.label.columns:
            raise Fault("the patient identifier cannot be the label", "label", "column")
        if not 0 <= self.holdout < 1:
            raise Fault(
                'must lie between 0 and 1, like "3/10"; "0" where no model is checked', "holdout"
            )
        return self
