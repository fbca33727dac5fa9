"""Article 6: what a model must reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from securefl.agreement.article import Article, Breach
from securefl.study.fields import DecimalText, Fault
from securefl.study.registries import TASKS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from securefl.agreement.article import Case


class QualityStandard(Article):
    """Task → the lowest figure that a study may set as its own minimum.

    A study's minimum is judged on its released, noised interval and told to all hospitals. A task
    that is not named has no agreed minimum.
    """

    number: ClassVar[int] = 6
    title: ClassVar[str] = "quality"

    minimum: Mapping[str, DecimalText]

    @model_validator(mode="after")
    def _known(self) -> Self:
        check_tasks(self.minimum)
        return self

    def breaches(self, case: Case) -> Iterator[Breach]:
        """See the base class."""
        quality = case.study.quality
        agreed = self.minimum.get(case.study.data.label.task)
        if quality is None or agreed is None or quality.minimum >= agreed:
            return
        yield Breach(
            "lowest figure",
            f"the study asks for {quality.minimum}, at least {agreed} is agreed for"
            f" {case.study.data.label.task}",
            "Raise quality.minimum.",
        )

    def clauses(self) -> list[str]:
        """See the base class."""
        if not self.minimum:
            return ["No lowest figure is agreed; each study sets its own."]
        return [
            f"A study for {task} asks at least {least} of its model, judged on the released interval."
            for task, least in sorted(self.minimum.items())
        ]


def check_tasks(minimum: Mapping[str, Decimal]) -> None:
    """Refuse a figure for a task that there is not. Raises :class:`securefl.study.fields.Fault`."""
    for task in minimum:
        if task not in TASKS:
            listed = ", ".join(TASKS.names())
            raise Fault(f"is no task; there are: {listed}", "minimum", task)
