"""Article 3: what studies may cost a patient.

The quarter is a window that moves: 92 days, the longest quarter, counted back from the decision. A
study counts from its approval until 92 days after its end, so in no 92 days do studies that
released anything cost more than is agreed. Epsilons are added (basic composition, Dwork and Roth
2014, theorem 3.16; it holds for studies chosen in the light of earlier ones, Rogers et al. 2016),
and their deltas add up beside them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from securefl.agreement.article import Article, Breach
from securefl.study.counts import check_epsilon
from securefl.study.fields import DecimalText, Fault
from securefl.study.policy_rules import QUARTER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from securefl.agreement.article import Case, PastStudy

#: As in a study: a larger delta is no promise.
MOST_DELTA: Final = Decimal("1e-3")
_PLACES: Final = {"local": "whole at each hospital", "distributed": "whole only in the sum"}


def quarter_epsilon(history: Iterable[PastStudy], at: datetime) -> Decimal:
    """Epsilon of the studies that count in the quarter before ``at``."""
    since = at - QUARTER
    counted = [
        past.epsilon
        for past in history
        if past.approved <= at and (past.ended is None or past.ended >= since)
    ]
    return sum(counted, Decimal(0))


class Privacy(Article):
    """Largest epsilon of a study, and of all studies on a population in a quarter; largest delta of
    a study; units of privacy; where the noise is whole: at each hospital (``local``), or only in the
    sum (``distributed``), where epsilon rests on the masks.
    """

    number: ClassVar[int] = 3
    title: ClassVar[str] = "privacy"

    epsilon_study: DecimalText
    epsilon_quarter: DecimalText
    delta: DecimalText
    units: Annotated[tuple[Literal["patient", "record"], ...], Field(min_length=1)]
    noise: Annotated[tuple[Literal["local", "distributed"], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        check_epsilon(self.epsilon_study)
        if self.epsilon_quarter < self.epsilon_study:
            raise Fault("must be at least epsilon_study", "epsilon_quarter")
        if not 0 < self.delta <= MOST_DELTA:
            raise Fault(f"must be above 0 and at most {MOST_DELTA}", "delta")
        return self

    def breaches(self, case: Case) -> Iterator[Breach]:
        """See the base class.

        The study must state the epsilon of the whole: that figure was checked against all its
        stages (:mod:`securefl.study.consistency`).
        """
        stated = case.study.privacy
        if stated.unit not in self.units:
            yield Breach(
                "unit of privacy",
                f"the study protects a {stated.unit}; agreed is: {', '.join(self.units)}",
                "Make the study with an agreed unit.",
            )
        if stated.noise not in self.noise:
            yield Breach(
                "noise",
                f"the study's noise is {stated.noise}; agreed is: {', '.join(self.noise)}",
                "Make the study with an agreed kind of noise.",
            )
        if stated.delta > self.delta:
            yield Breach(
                "delta",
                f"the study has delta {stated.delta}, at most {self.delta} is agreed",
                "Make the study with a smaller delta.",
            )
        if stated.epsilon is None:
            yield Breach(
                "epsilon a study",
                "the study does not state the epsilon of the whole",
                "State it as privacy.epsilon; `securefl study plan` works it out.",
            )
            return
        if stated.epsilon > self.epsilon_study:
            yield Breach(
                "epsilon a study",
                f"the study may cost {stated.epsilon}, at most {self.epsilon_study} is agreed",
                "Ask for fewer steps or more noise.",
            )
        yield from self._quarter(case, stated.epsilon)

    def _quarter(self, case: Case, epsilon: Decimal) -> Iterator[Breach]:
        if case.history is None:
            return
        before = quarter_epsilon(case.history, case.at)
        if before + epsilon <= self.epsilon_quarter:
            return
        yield Breach(
            "epsilon a quarter",
            f"the studies of the last {QUARTER.days} days cost {before} on this population here,"
            f" and this one {epsilon} more; at most {self.epsilon_quarter} is agreed",
            "Wait until an earlier study has ended long enough, or ask for a cheaper one.",
        )

    def clauses(self) -> list[str]:
        """See the base class."""
        return [
            (
                f"A study costs one patient at most epsilon {self.epsilon_study}, at a delta of at most"
                f" {self.delta}."
            ),
            (
                f"All studies on a population cost at most epsilon {self.epsilon_quarter} in any"
                f" {QUARTER.days} days."
            ),
            f"What is protected: a {' or a '.join(self.units)}.",
            f"The noise is {' or '.join(_PLACES[kind] for kind in self.noise)}.",
        ]
