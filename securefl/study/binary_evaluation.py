"""Evaluation of a binary task in the study file: a score histogram per class, in bands that follow
from the published prevalence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from securefl.study.counts import EvaluateSection
from securefl.study.edges import DEFAULT_BINS, LEAST_PREVALENCE, MOST_PREVALENCE, default_edges
from securefl.study.fields import DecimalText, Fault, Line, is_decimal

_MOST_BINS: Final = 1024


def _prevalence(text: object) -> Decimal | None:
    """Return the number that an evaluation's prevalence says.

    None where it says none that edges can follow from.
    """
    if isinstance(text, str) and is_decimal(text):
        text = Decimal(text)
    if isinstance(text, Decimal) and LEAST_PREVALENCE <= text <= MOST_PREVALENCE:
        return text
    return None


class AucSection(EvaluateSection):
    """Evaluation of a binary task: a score histogram per class.

    ``edges`` are the inner bin edges in (0, 1). A protocol may leave them out and name
    ``prevalence``, the published share of positives, instead: they are worked out from it
    (:mod:`securefl.study.edges`) and written into the sealed study.
    """

    metric: Literal["auc"]
    prevalence: DecimalText | None = None
    prevalence_source: Line | None = None
    bins: Annotated[int, Field(ge=2, le=_MOST_BINS)] = DEFAULT_BINS
    edges: tuple[DecimalText, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _work_out(cls, raw: Any) -> Any:  # noqa: ANN401 - whatever stood in the file
        """Edges from the prevalence, or the number of bins from the edges: a file says one of them."""
        if not isinstance(raw, Mapping):
            return raw
        if isinstance(edges := raw.get("edges"), tuple) and edges:
            return {"bins": len(edges) + 1, **raw}
        prevalence = _prevalence(raw.get("prevalence"))
        bins = raw.get("bins", DEFAULT_BINS)
        if (
            "edges" in raw
            or prevalence is None
            or type(bins) is not int
            or not 2 <= bins <= _MOST_BINS
        ):
            return raw
        return {"bins": bins, **raw, "edges": default_edges(prevalence, bins)}

    @classmethod
    def unsealed(cls, raw: Mapping[str, Any]) -> Iterator[Fault]:
        """The edges of the bins."""
        if "edges" not in raw:
            yield Fault(
                "is missing: a sealed study lists its edges; `securefl study new` works them out",
                "edges",
            )

    @model_validator(mode="after")
    def _prevalence_has_a_source(self) -> Self:
        if self.prevalence is None:
            return self
        if not LEAST_PREVALENCE <= self.prevalence <= MOST_PREVALENCE:
            raise Fault(
                f"must be at least {LEAST_PREVALENCE} and at most {MOST_PREVALENCE}: it is the"
                " published share of positives",
                "prevalence",
            )
        if self.prevalence_source is None:
            raise Fault(
                "is missing: say where the prevalence was published; it may not come from the"
                " hospitals' tables",
                "prevalence_source",
            )
        return self

    @model_validator(mode="after")
    def _edges_rise(self) -> Self:
        if not self.edges and "edges" not in self.model_fields_set:
            raise Fault(
                'is missing: name the published share of positives, like prevalence = "0.07", from'
                " which the edges follow, or list the edges",
                "edges",
            )
        if not self.edges or any(
            b <= a
            for a, b in zip((Decimal(0), *self.edges), (*self.edges, Decimal(1)), strict=True)
        ):
            raise Fault("must rise strictly between 0 and 1", "edges")
        if self.bins != len(self.edges) + 1:
            raise Fault(
                f"says {self.bins}, but {len(self.edges)} edges make {len(self.edges) + 1}; leave"
                " out one of them",
                "bins",
            )
        return self

    def sealed(self) -> dict[str, Any]:
        """The edges of the bins."""
        return {"edges": [format(edge, "f") for edge in self.edges]}
