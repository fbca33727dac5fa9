"""Article 12: from when until when the agreement holds."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from securefl.agreement.article import Article, Breach
from securefl.study.fields import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.agreement.article import Case


class Term(Article):
    """First and last moment; a study opens and closes between them.

    After the end no study is approved: an agreement that ran out does not set a machine free. The
    parties renew it, or leave.
    """

    number: ClassVar[int] = 12
    title: ClassVar[str] = "term"

    begins: datetime
    ends: datetime

    @model_validator(mode="after")
    def _order(self) -> Self:
        for name in ("begins", "ends"):
            time = getattr(self, name)
            if time.tzinfo is None or time.microsecond:
                raise Fault("write whole seconds with the zone, like 2026-01-31T00:00:00Z", name)
        if self.begins >= self.ends:
            raise Fault("must lie before ends", "begins")
        return self

    def breaches(self, case: Case) -> Iterator[Breach]:
        """See the base class."""
        schedule = case.study.schedule
        if schedule.opens < self.begins or schedule.closes > self.ends:
            yield Breach(
                "dates",
                f"the study runs from {schedule.opens:%Y-%m-%d} to {schedule.closes:%Y-%m-%d}, the"
                f" agreement from {self.begins:%Y-%m-%d} to {self.ends:%Y-%m-%d}",
                "Give the study other dates, or renew the agreement by an amendment.",
            )

    def clauses(self) -> list[str]:
        """See the base class."""
        return [
            (
                f"It holds from {self.begins:%Y-%m-%d %H:%M} to {self.ends:%Y-%m-%d %H:%M} UTC. After"
                " that no study is approved until it is renewed, or left."
            )
        ]
