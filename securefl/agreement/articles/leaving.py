"""Article 11: how a party leaves, and from when on it takes part in nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from securefl.agreement.article import Article, Breach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.agreement.article import Case


class Leaving(Article):
    """Days from a party's notice until it has left.

    Until then studies may still name it, if they close before. What it spent stays spent, and what
    was learnt with it is not taken back.
    """

    number: ClassVar[int] = 11
    title: ClassVar[str] = "leaving"

    notice_days: Annotated[int, Field(ge=0, le=3660)]

    def breaches(self, case: Case) -> Iterator[Breach]:
        """See the base class."""
        study = case.study
        named = (study.coordinator, study.aggregator, *study.participants)
        for party in named:
            until = case.departed.get(party.name)
            if until is not None and study.schedule.closes > until:
                yield Breach(
                    "notice of leaving",
                    f"{party.name} has left from {until:%Y-%m-%d %H:%M} UTC on, and the study may"
                    " run longer",
                    "Make the study without that party, or let it close before.",
                )

    def clauses(self) -> list[str]:
        """See the base class."""
        return [
            (
                f"A party has left {self.notice_days} days after its signed notice came in. Studies"
                " that name it close before."
            ),
            "What was spent stays spent.",
        ]
