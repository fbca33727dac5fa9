"""Evaluation of several classes in the study file: every class against the rest, and a table of
true and told classes.

A held-out patient counts in one number for each class (the band of that class' score, among the
patients of the class or among the rest) and in one number of the table: classes + 1 numbers in all.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from securefl.study.classes_label import LEAST_CLASSES, MOST_CLASSES
from securefl.study.counts import EvaluateSection
from securefl.study.edges import DEFAULT_BINS, LEAST_PREVALENCE, MOST_PREVALENCE, default_edges
from securefl.study.fields import DecimalText, Fault, Line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST_BINS: Final = 64
#: Published shares are rounded figures; together they may miss 1 by this much.
_SHARES_SLACK: Final = Decimal("0.02")


class MacroAucSection(EvaluateSection):
    """One-against-rest score histograms and a table of true and told classes.

    ``shares`` are the published shares of the classes, in the order of the label. The inner edges
    of each class' score bands follow from its share (:mod:`securefl.study.edges`); a sealed study
    lists them, one class after the other.
    """

    metric: Literal["macro-auc"]
    shares: Annotated[
        tuple[DecimalText, ...], Field(min_length=LEAST_CLASSES, max_length=MOST_CLASSES)
    ]
    shares_source: Line
    bins: Annotated[int, Field(ge=2, le=_MOST_BINS)] = DEFAULT_BINS
    edges: tuple[DecimalText, ...] = ()

    @property
    def cells(self) -> int:
        """A number for each class, and one of the table."""
        return len(self.shares) + 1

    def edges_of(self, place: int) -> tuple[Decimal, ...]:
        """The inner edges of one class' bands, rising within (0, 1)."""
        inner = self.bins - 1
        return self.edges[place * inner : (place + 1) * inner]

    @classmethod
    def unsealed(cls, raw: Mapping[str, Any]) -> Iterator[Fault]:
        """The edges of the bands."""
        if "edges" not in raw:
            yield Fault(
                "is missing: a sealed study lists its edges; `securefl study new` works them out",
                "edges",
            )

    @model_validator(mode="after")
    def _shares_are_shares(self) -> Self:
        for place, share in enumerate(self.shares):
            if not LEAST_PREVALENCE <= share <= MOST_PREVALENCE:
                raise Fault(
                    f"must be at least {LEAST_PREVALENCE} and at most {MOST_PREVALENCE}: it is the"
                    " published share of a class",
                    "shares",
                    place,
                )
        whole = sum(self.shares, Decimal(0))
        if abs(whole - 1) > _SHARES_SLACK:
            raise Fault(f"add up to {whole}, not to 1; give one share for each class", "shares")
        return self

    @model_validator(mode="after")
    def _edges(self) -> Self:
        if not self.edges and "edges" not in self.model_fields_set:
            worked_out = tuple(
                edge for share in self.shares for edge in default_edges(share, self.bins)
            )
            object.__setattr__(self, "edges", worked_out)
        if len(self.edges) != len(self.shares) * (self.bins - 1):
            raise Fault(
                f"has {len(self.edges)} edges; {self.bins} bands for each of {len(self.shares)}"
                f" classes need {len(self.shares) * (self.bins - 1)}",
                "edges",
            )
        for place in range(len(self.shares)):
            ends = (Decimal(0), *self.edges_of(place), Decimal(1))
            if any(high <= low for low, high in pairwise(ends)):
                raise Fault("must rise strictly between 0 and 1 within each class", "edges")
        return self

    def sealed(self) -> dict[str, Any]:
        """The edges of the bands."""
        return {"edges": [format(edge, "f") for edge in self.edges]}
