"""Article 5: how many hospitals stand behind every total."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, model_validator

from securefl.agreement.article import Article, Breach
from securefl.study.fields import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.agreement.article import Case

Hospitals = Annotated[int, Field(ge=2, le=10_000)]


class Participation(Article):
    """Fewest hospitals of a study, and fewest whose numbers are in a total."""

    number: ClassVar[int] = 5
    title: ClassVar[str] = "participation"

    min_participants: Hospitals
    min_contributors: Hospitals

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.min_contributors > self.min_participants:
            raise Fault("must be at most min_participants", "min_contributors")
        return self

    def breaches(self, case: Case) -> Iterator[Breach]:
        """See the base class."""
        hospitals = len(case.study.participants)
        if hospitals < self.min_participants:
            yield Breach(
                "fewest hospitals",
                f"the study has {hospitals}, at least {self.min_participants} are agreed",
                "Ask more hospitals of the consortium.",
            )
        least = case.study.secagg.min_contributors
        if least < self.min_contributors:
            yield Breach(
                "fewest in a total",
                f"the study opens totals of {least}, at least {self.min_contributors} are agreed",
                "Raise secagg.min_contributors.",
            )

    def clauses(self) -> list[str]:
        """See the base class."""
        return [
            f"At least {self.min_participants} hospitals take part in a study.",
            f"No total of fewer than {self.min_contributors} is opened.",
        ]
