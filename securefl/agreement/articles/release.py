"""Article 14: the released figure that a model has before anybody hands it on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from securefl.agreement.article import Article, Breach
from securefl.agreement.articles.quality import check_tasks
from securefl.study.fields import DecimalText, Fault
from securefl.study.stages import makes_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.agreement.article import Case


class Release(Article):
    """Task → the lowest released figure of a model that is handed on.

    A study carries this rule itself: a minimum at least as high, and ``stop_rule = "withhold"``.
    Then the model of which the released interval does not show it is saved by no researcher's
    program, sent to nobody, in no archive, continued by no study, and refused by every hospital.
    """

    number: ClassVar[int] = 14
    title: ClassVar[str] = "handing on"

    minimum: Mapping[str, DecimalText]

    @model_validator(mode="after")
    def _known(self) -> Self:
        check_tasks(self.minimum)
        if not self.minimum:
            raise Fault("names no task: no model could be handed on", "minimum")
        return self

    def breaches(self, case: Case) -> Iterator[Breach]:
        """See the base class."""
        study = case.study
        quality = study.quality
        if quality is None or not makes_model(study):
            return
        task = study.data.label.task
        agreed = self.minimum.get(task)
        if agreed is None:
            yield Breach(
                "models that may be handed on",
                f"no figure is agreed for {task}, so no such model may be handed on",
                "Agree on one with `securefl consortium amend`, or ask for figures alone.",
            )
            return
        if quality.minimum < agreed:
            yield Breach(
                "lowest figure",
                f"the study asks for {quality.minimum}, and a model for {task} is handed on from"
                f" {agreed} on",
                "Raise quality.minimum.",
            )
        if quality.stop_rule != "withhold":
            yield Breach(
                "until it is shown",
                "the study hands its model on whatever the released figure is",
                'Write quality.stop_rule = "withhold".',
            )

    def clauses(self) -> list[str]:
        """See the base class."""
        return [
            f"A model for {task} is handed on only when its released interval lies above {least}"
            " as a whole. Until then nobody is given it."
            for task, least in sorted(self.minimum.items())
        ]
