"""Article 8: how often there is a study, and how long one may stay open."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from securefl.agreement.article import Article, Breach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.agreement.article import Case

Days = Annotated[int, Field(ge=0, le=3660)]


class Cadence(Article):
    """Days from one approved study on a population to the next, at least; days from a study's
    opening to its closing, at most.
    """

    number: ClassVar[int] = 8
    title: ClassVar[str] = "cadence"

    days_between: Days
    longest_days: Annotated[int, Field(ge=1, le=3660)]

    def breaches(self, case: Case) -> Iterator[Breach]:
        """See the base class."""
        schedule = case.study.schedule
        if schedule.closes - schedule.opens > timedelta(days=self.longest_days):
            yield Breach(
                "longest study",
                f"the study may stay open for {(schedule.closes - schedule.opens).days} days or"
                f" more, at most {self.longest_days} are agreed",
                "Let it close earlier.",
            )
        past = [p.approved for p in case.history or () if p.approved <= case.at]
        if not past:
            return
        next_at = max(past) + timedelta(days=self.days_between)
        if case.at < next_at:
            yield Breach(
                "days between studies",
                f"the last study on this population was approved here on {max(past):%Y-%m-%d};"
                f" {self.days_between} days between two are agreed",
                f"Ask again from {next_at:%Y-%m-%d %H:%M} UTC on.",
            )

    def clauses(self) -> list[str]:
        """See the base class."""
        return [
            (
                f"Between two studies on a population are at least {self.days_between} days, from"
                " approval to approval."
            ),
            f"A study stays open for at most {self.longest_days} days.",
        ]
