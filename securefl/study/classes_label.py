"""Label of several classes: public rules that give each row one of 3 to 20 named classes.

A row about which the rules say nothing is set aside and counted for its owner. With ``equals`` a
cell is one of the texts of a class. With ``any-of-letters`` a cell is a set of letters, all of them
declared; it belongs to the first class, in the order of the file, of which it holds a letter.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from securefl.study.fields import DecimalText, Fault, Line, Section
from securefl.study.labels import LabelSection
from securefl.study.texts import CellText, ColumnName, in_both, named_twice

LEAST_CLASSES = 3
MOST_CLASSES = 20


class NamedClass(Section):
    """A class: its name on every page, and the texts in a cell that mean it.

    ``weight`` is that of its rows' loss in the training, above 0 and at most 1: a public constant,
    so that frequent classes do not drown rare ones. It follows from published shares.
    """

    name: Line
    texts: Annotated[tuple[CellText, ...], Field(min_length=1)]
    weight: DecimalText = Decimal(1)


class ClassesLabel(LabelSection):
    """One column whose cells name one of several classes.

    A cell that is one of ``missing_codes`` counts as not recorded. Where a class has a weight,
    ``weights_source`` says what published figures it follows from.
    """

    task: ClassVar[str] = "classes"
    kind: Literal["classes"]
    column: ColumnName
    match: Literal["equals", "any-of-letters"] = "equals"
    classes: Annotated[
        tuple[NamedClass, ...], Field(min_length=LEAST_CLASSES, max_length=MOST_CLASSES)
    ]
    missing_codes: tuple[CellText, ...] = ()
    weights_source: Line | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The column that the label is read from."""
        return (self.column,)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the file."""
        return tuple(named.name for named in self.classes)

    @model_validator(mode="after")
    def _weights(self) -> Self:
        for place, named in enumerate(self.classes):
            if not 0 < named.weight <= 1:
                raise Fault(
                    "must be above 0 and at most 1: the rarest class has 1",
                    "classes",
                    place,
                    "weight",
                )
        if self.weights_source is None and any(named.weight != 1 for named in self.classes):
            raise Fault(
                "is missing: say which published figures the weights follow from; they may not come"
                " from the hospitals' tables",
                "weights_source",
            )
        return self

    @model_validator(mode="after")
    def _all_differ(self) -> Self:
        names = self.names
        before: tuple[str, ...] = self.missing_codes
        for place, named in enumerate(self.classes):
            if named.name in names[:place]:
                raise Fault("is the name of another class; rename one", "classes", place, "name")
            if self.match == "any-of-letters" and any(len(text) != 1 for text in named.texts):
                raise Fault(
                    '"any-of-letters" takes single letters, like ["E", "F"]',
                    "classes",
                    place,
                    "texts",
                )
            twice = named_twice(named.texts) or in_both(before, named.texts)
            if twice is not None:
                raise Fault(
                    f"{twice!r} has a meaning already (numbers compare as numbers); remove one",
                    "classes",
                    place,
                    "texts",
                )
            before += named.texts
        return self
