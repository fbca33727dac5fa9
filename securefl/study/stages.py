"""Stages of a study file: which kinds there are, and how their sections are read.

A stage is implemented above this room (:mod:`securefl.learning.stages`); it is named here so that
the contract can read its section and ask for its contradictions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Protocol

from pydantic import BeforeValidator, SerializeAsAny

from securefl.registry import Registry
from securefl.study.fields import Fault, Section

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from securefl.study.consistency import Accountant
    from securefl.study.schema import Template

#: Place in the study file and what is wrong there.
Finding = tuple[tuple[str | int, ...], str]


class StageSection(Section):
    """A table of ``[[stages]]``. Each kind of stage adds its own keys and checks."""

    #: Whether the stage makes the study's model; one stage of a study does.
    makes_model: ClassVar[bool] = False
    #: Whether it needs the model, and releases figures that the quality rule can be judged on.
    judges_model: ClassVar[bool] = False

    kind: str

    @classmethod
    def unsealed(cls, raw: Mapping[str, Any]) -> Iterable[Fault]:  # noqa: ARG003 - of those that leave something open
        """What a sealed study must say and this table leaves open.

        Args:
            raw: the table as it stands in the file.
        """
        return ()


class Priced(Protocol):
    """A release, as far as the study file asks: its price, and whom it is about."""

    @property
    def charge(self) -> Any:  # noqa: ANN401 - `securefl.privacy` has it, a neighbour of this room
        """What all its rounds cost together; its ``mechanism`` is priced."""

    @property
    def rounds(self) -> int:
        """In how many rounds it leaves."""

    @property
    def aside(self) -> bool:
        """True if it is about the patients kept aside."""


class StageChecks(Protocol):
    """A stage of a study, as far as the study file asks."""

    def faults(self, accountant: Accountant) -> Iterator[Finding]:
        """Contradictions: the place below this stage's table, and what would fit."""

    def releases(self) -> Sequence[Priced]:
        """What leaves each hospital."""

    def sealed(self) -> Mapping[str, Any]:
        """Keys that a sealed study says and this one leaves open, as TOML values."""


class StageMaker(Protocol):
    """The class of a stage."""

    #: The pydantic model of its table.
    Section: type[StageSection]
    #: Kind of each of its releases → one of them, and many.
    nouns: Mapping[str, tuple[str, str]]

    def __call__(self, study: Template, place: int) -> StageChecks:
        """The stage at this place of a study, from 0."""


STAGES: Final[Registry[StageMaker]] = Registry(
    "kind of stage",
    {
        "count": "securefl.learning.stages.count:Count",
        "train": "securefl.learning.stages.train:Train",
        "evaluate": "securefl.learning.stages.evaluate:Evaluate",
        "statistics": "securefl.learning.stages.statistics:Statistics",
        "survival-curve": "securefl.learning.stages.survival_curve:SurvivalCurve",
    },
)


def _section(raw: Any) -> Any:  # noqa: ANN401 - whatever stood in the file
    if not isinstance(raw, Mapping):
        return raw  # a section that was read, or something that pydantic refuses
    if "kind" not in raw:
        raise Fault(f"is missing: each stage has a kind, {_known()}", "kind")
    kind = raw["kind"]
    if not isinstance(kind, str) or kind not in STAGES:
        raise Fault(f"{ascii(kind)[:60]} is no kind of stage; write {_known()}", "kind")
    return STAGES[kind].Section.model_validate(raw)


def _known() -> str:
    return " or ".join(f'"{name}"' for name in STAGES.names())


def check_order(sections: Sequence[StageSection]) -> None:
    """Refuse stages that make several models, or one that they do not judge afterwards.

    A study that only counts makes none, and judges none.

    Raises:
        Fault: naming the stage.
    """
    makers = [place for place, section in enumerate(sections) if section.makes_model]
    judges = [place for place, section in enumerate(sections) if section.judges_model]
    if judges and not makers:
        raise Fault(
            f"judges a model, and no stage makes one; add one, like {_kinds_that('makes_model')}",
            "stages",
            judges[0],
        )
    if len(makers) > 1:
        raise Fault("a study makes one model; remove this stage", "stages", makers[1])
    if judges and judges[0] < makers[0]:
        raise Fault(
            "judges the model before there is one; put it behind the stage that makes the model",
            "stages",
            judges[0],
        )
    if makers and not judges:
        kinds = _kinds_that("judges_model")
        raise Fault(f"no stage judges the model; add one, like {kinds}", "stages")


def makes_model(study: Template) -> bool:
    """True if one of the study's stages makes a model."""
    return any(section.makes_model for section in study.stages)


def _kinds_that(what: str) -> str:
    able = (name for name in STAGES.names() if getattr(STAGES[name].Section, what))
    return " or ".join(f'kind = "{name}"' for name in able)


#: One item of ``[[stages]]``, read by the class of its kind.
AnyStageSection = Annotated[SerializeAsAny[StageSection], BeforeValidator(_section)]


def unsealed(stages: object) -> Iterator[Fault]:
    """What a sealed study must say and its stages leave open.

    Args:
        stages: the tables as they stand in the file; what is no table, or of no known kind, is
            refused elsewhere.
    """
    if not isinstance(stages, (tuple, list)):
        return
    for place, raw in enumerate(stages):
        if isinstance(raw, Mapping) and raw.get("kind") in STAGES:
            for fault in STAGES[str(raw["kind"])].Section.unsealed(raw):
                yield Fault(str(fault), "stages", place, *fault.path)


def kind_of(section: type[StageSection]) -> str:
    """Word of the stage whose table has this class.

    Raises:
        LookupError: no stage has.
    """
    for name in STAGES.names():
        if STAGES[name].Section is section:
            return name
    raise LookupError(f"no stage has the table {section.__name__}")


def checks_of(study: Template) -> Sequence[StageChecks]:
    """The stages of a study as its checks ask them, in order."""
    return [STAGES[section.kind](study, place) for place, section in enumerate(study.stages)]
