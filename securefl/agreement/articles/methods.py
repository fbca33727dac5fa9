"""Article 4: which stages, tasks and families of models a study may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, model_validator

from securefl.agreement.article import Article, Breach
from securefl.study.fields import Fault, Line
from securefl.study.registries import FAMILIES, TASKS
from securefl.study.stages import STAGES
from securefl.study.training import TrainSection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from securefl.agreement.article import Case
    from securefl.study.schema import Study

Words = Annotated[tuple[Line, ...], Field(min_length=1)]


class Methods(Article):
    """Kinds of stages, tasks and families of models, by their words in a study file."""

    number: ClassVar[int] = 4
    title: ClassVar[str] = "methods"

    stages: Words
    tasks: Words
    families: Words

    @model_validator(mode="after")
    def _known(self) -> Self:
        for key, known in (("stages", STAGES), ("tasks", TASKS), ("families", FAMILIES)):
            for place, word in enumerate(getattr(self, key)):
                if word not in known:
                    listed = ", ".join(known.names())
                    raise Fault(f'"{word}" is not known here; there are: {listed}', key, place)
        return self

    def breaches(self, case: Case) -> Iterator[Breach]:
        """See the base class."""
        study = case.study
        kinds = [section.kind for section in study.stages]
        yield from _beyond("kinds of stages", kinds, self.stages)
        yield from _beyond("tasks", [study.data.label.task], self.tasks)
        yield from _beyond("families of models", _families(study), self.families)

    def clauses(self) -> list[str]:
        """See the base class."""
        return [
            f"A study has stages of these kinds: {', '.join(self.stages)}.",
            f"It predicts: {', '.join(self.tasks)}.",
            f"Its models are of these families: {', '.join(self.families)}.",
        ]


def _families(study: Study) -> list[str]:
    trained = (section for section in study.stages if isinstance(section, TrainSection))
    return [section.model.family for section in trained]


def _beyond(clause: str, found: Iterable[str], agreed: tuple[str, ...]) -> Iterator[Breach]:
    other = sorted(set(found) - set(agreed))
    if other:
        yield Breach(
            clause,
            f"the study has {', '.join(other)}; agreed are {', '.join(agreed)}",
            "Make the study with agreed ones, or amend the agreement.",
        )
