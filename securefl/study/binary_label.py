"""Label of a binary task: public rules that make 1 or 0 of a row.

A row about which the rule says nothing is set aside, never counted as 0. Every condition declares
both outcomes. Texts: those that mean yes and those that mean no. Numbers: a threshold within a
declared range. "pending", "9999" and a spelling that nobody thought of are neither, so the hospital
sees them instead of training on them.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from securefl.study.fields import DecimalText, Fault
from securefl.study.labels import LabelSection
from securefl.study.texts import CellText, ColumnName, in_both, named_twice

Texts = Annotated[tuple[CellText, ...], Field(min_length=1)]


class _OneColumn(LabelSection):
    """A condition on one column is a whole label as well."""

    task: ClassVar[str] = "binary"
    column: ColumnName

    @property
    def parts(self) -> tuple[Self, ...]:
        """The conditions of the label: this one."""
        return (self,)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the label is read from."""
        return (self.column,)


class TextCondition(_OneColumn):
    """A text and what it means.

    ``equals``: positive is one of the texts ``positive``, negative one of ``negative``.
    ``any-of-letters``: positive is a text with at least one character of ``positive`` in it,
    negative one without; either way all its characters but blanks must be declared in ``positive``
    or ``negative``. A cell that is one of ``missing_codes`` counts as not recorded.
    """

    kind: Literal["any-of-letters", "equals"]
    positive: Texts
    negative: Texts
    missing_codes: tuple[CellText, ...] = ()

    @model_validator(mode="after")
    def _texts(self) -> Self:
        if self.kind == "any-of-letters":
            for field in ("positive", "negative"):
                if any(len(letter) != 1 for letter in getattr(self, field)):
                    raise Fault('"any-of-letters" takes single letters, like ["E", "F"]', field)
        _all_differ(
            positive=self.positive, negative=self.negative, missing_codes=self.missing_codes
        )
        return self


class NumberCondition(_OneColumn):
    """Condition on a number and a threshold.

    ``at-least`` and ``at-most`` include ``value``, ``above`` and ``below`` do not. A number outside
    ``low`` to ``high`` (both included) sets its row aside; a missing-value code counts as not
    recorded.
    """

    kind: Literal["at-least", "above", "at-most", "below"]
    value: DecimalText
    low: DecimalText
    high: DecimalText
    missing_codes: tuple[CellText, ...] = ()

    @model_validator(mode="after")
    def _both_outcomes(self) -> Self:
        if not self.low < self.high:
            raise Fault("low must be below high", "low")
        included_at_high = self.kind in {"at-least", "below"}
        inside = (
            self.low < self.value <= self.high
            if included_at_high
            else self.low <= self.value < self.high
        )
        if not inside:
            raise Fault(
                "must leave room on both sides: all numbers from low to high have one outcome",
                "value",
            )
        _all_differ(missing_codes=self.missing_codes)
        return self


Condition = TextCondition | NumberCondition


class CombinedLabel(LabelSection):
    """A label out of several conditions, usually on different columns.

    ``any-of``: positive where one condition is, negative where all are negative. ``all-of``:
    positive where all are, negative where one is negative. Where what is not recorded could change
    the answer, the row is set aside.
    """

    task: ClassVar[str] = "binary"
    kind: Literal["any-of", "all-of"]
    conditions: Annotated[
        tuple[Annotated[Condition, Field(discriminator="kind")], ...],
        Field(min_length=2, max_length=10),
    ]

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        seen: set[str] = set()
        for i, condition in enumerate(self.conditions):
            if condition.column in seen:
                raise Fault(
                    f"the column {condition.column} has a condition already; name each column once",
                    "conditions",
                    i,
                    "column",
                )
            seen.add(condition.column)
        return self

    @property
    def parts(self) -> tuple[Condition, ...]:
        """The conditions, in the order of the file."""
        return self.conditions

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the label is read from."""
        return tuple(condition.column for condition in self.conditions)


Label = Annotated[TextCondition | NumberCondition | CombinedLabel, Field(discriminator="kind")]


def _all_differ(**lists: tuple[str, ...]) -> None:
    """Refuse a text that stands twice in a list or in two lists; numbers compare as numbers."""
    before: tuple[str, ...] = ()
    for field, texts in lists.items():
        twice = named_twice(texts)
        if twice is not None:
            raise Fault(f"{twice!r} is named twice (numbers compare as numbers); remove one", field)
        both = in_both(before, texts)
        if both is not None:
            raise Fault(
                f"{both!r} has another meaning above (numbers compare as numbers); remove one",
                field,
            )
        before += texts
