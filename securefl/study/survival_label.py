"""Label of a time to an event: a column with the time, one that says whether the event came, and
public intervals.

The curve of the published share without the event is where the model begins: it learns how a
patient's odds differ from it. So the intervals need no weights of their own under the noise.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from securefl.study.columns import check_codes
from securefl.study.fields import DecimalText, Fault, Line
from securefl.study.labels import LabelSection
from securefl.study.number_label import ShortLine
from securefl.study.texts import CellText, ColumnName

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_INTERVALS = 24
Times = Annotated[tuple[DecimalText, ...], Field(min_length=2, max_length=_MOST_INTERVALS)]
Texts = Annotated[tuple[CellText, ...], Field(min_length=1)]


class TimeToEventLabel(LabelSection):
    """Two columns: ``time`` from a common start to the event or to the end of observation, and
    ``event``, one of the texts ``happened`` or ``censored``.

    ``edges`` are the ends of the intervals, each belonging to the interval before it. Whoever is
    observed beyond the last one counts as without the event there. A time below 0 or above
    ``longest`` sets its row aside. ``survival`` is the published share without the event at each
    edge; a study without a model may leave it out.
    """

    task: ClassVar[str] = "time-to-event"
    kind: Literal["time-to-event"]
    time: ColumnName
    event: ColumnName
    event_name: ShortLine
    happened: Texts
    censored: Texts
    edges: Times
    longest: DecimalText
    survival: Times | None = None
    survival_source: Line | None = None
    unit: ShortLine
    missing_codes: tuple[CellText, ...] = ()
    event_missing_codes: tuple[CellText, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Time, then event."""
        return (self.time, self.event)

    @model_validator(mode="after")
    def _columns(self) -> Self:
        if self.time == self.event:
            raise Fault("is the column of the time as well; name another", "event")
        check_codes(self.time, (), self.missing_codes)
        check_codes(self.event, (*self.happened, *self.censored), self.event_missing_codes)
        check_codes(self.event, self.happened, self.censored)
        return self

    @model_validator(mode="after")
    def _curve(self) -> Self:
        if any(after <= before for before, after in pairwise((Decimal(0), *self.edges))):
            raise Fault("must rise strictly from above 0", "edges")
        if self.longest < self.edges[-1]:
            raise Fault(f"must be at least the last edge, {self.edges[-1]}", "longest")
        if self.survival is None:
            return self
        if len(self.survival) != len(self.edges):
            raise Fault(
                f"has {len(self.survival)} shares for {len(self.edges)} edges; give one for each",
                "survival",
            )
        ends = (Decimal(1), *self.survival, Decimal(0))
        if any(after >= before for before, after in pairwise(ends)):
            raise Fault("must fall strictly between 1 and 0", "survival")
        return self

    def model_faults(self) -> Iterator[Fault]:
        """The published curve, where a model begins, and its source."""
        for name in ("survival", "survival_source"):
            if getattr(self, name) is None:
                yield Fault("is missing: a model begins at the published curve", name)
