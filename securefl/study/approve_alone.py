"""Rules by which a hospital approves a study without asking its owner: ``[[approve_alone]]`` in the
owner's signed policy.

A rule names everything that it covers. What it leaves out it does not allow, unlike the rest of a
policy: there a rule that is left out allows everything.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from securefl.study.fields import DecimalText, Name, Section

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from securefl.study.schema import Study

Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
#: Kind and family of a model that the researcher wrote: a person reads it.
OWN_GRAPH: Final = "graph"


def _day(text: str) -> str:
    date.fromisoformat(text)  # its ValueError is the reader's message
    return text


def _no_own_graph(families: tuple[str, ...]) -> tuple[str, ...]:
    if OWN_GRAPH in families:
        raise ValueError("a model that the researcher wrote (graph) is approved by people alone")
    return families


Day = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


class AloneRule(Section):
    """One rule. A study that keeps all of it, and has no fault, is approved by the agent.

    Attributes:
        name: under which audit and ledger tell of it.
        researchers: names, as on their cards, who may ask.
        stages: kinds of stages that the study may have.
        tasks: what may be predicted.
        families: kinds of models; none where it is left out. Never a model of one's own.
        largest_epsilon: of one study, for one patient.
        until: the last day (UTC) on which the rule approves, ISO 8601.
        studies: approved by a rule of this name at most, ever: signing it again gives no more.
    """

    name: Word
    researchers: Annotated[tuple[Name, ...], Field(min_length=1)]
    stages: Annotated[tuple[Word, ...], Field(min_length=1)]
    tasks: Annotated[tuple[Word, ...], Field(min_length=1)]
    families: Annotated[tuple[Word, ...], AfterValidator(_no_own_graph)] = ()
    largest_epsilon: Annotated[DecimalText, Field(gt=0, le=1000)]
    until: Annotated[Day, AfterValidator(_day)]
    studies: Annotated[int, Field(ge=1, le=1000)]

    def rows(self) -> list[tuple[str, str]]:
        """The rule as labels and values."""
        return [
            ("rule that approves without you", self.name),
            ("asked by", ", ".join(self.researchers)),
            ("with these stages", ", ".join(self.stages)),
            ("predicting", ", ".join(self.tasks)),
            ("by these models", ", ".join(self.families) or "-"),
            ("epsilon of a study up to", f"{self.largest_epsilon:f}"),
            ("last day", self.until),
            ("studies in all", f"{self.studies}"),
        ]


def beyond_rule(
    rule: AloneRule,
    study: Study,
    *,
    epsilon: Callable[[], Decimal],
    before: int,
    today: date,
) -> list[str]:
    """Reasons why a rule does not approve a study, a sentence each; none where it does.

    Args:
        rule: of the owner's policy.
        study: that is asked for.
        epsilon: works out that of the whole study, for one patient. It can take seconds, and is
            asked only where nothing else stands against the study.
        before: studies that a rule of this name approved already.
        today: UTC.
    """
    found = []
    if today > date.fromisoformat(rule.until):
        found.append(f"It ended on {rule.until}.")
    if before >= rule.studies:
        found.append(f"It approved {before} studies already, which is its most.")
    if study.coordinator.name not in rule.researchers:
        found.append(f"{study.coordinator.name} is not among those it names.")
    if study.data.label.task not in rule.tasks:
        found.append(f"To predict {study.data.label.task} is not among its tasks.")
    found += _stages_beyond(rule, study)
    if found:
        return found
    cost = epsilon()
    if cost > rule.largest_epsilon:
        found.append(f"The epsilon is {cost:f}; it approves up to {rule.largest_epsilon:f}.")
    return found


def _stages_beyond(rule: AloneRule, study: Study) -> list[str]:
    """Reasons in what the study does, stage by stage."""
    found = []
    if study.code.entrypoint != "declarative":
        found.append("The study brings code of its own.")
    for stage in study.stages:
        if stage.kind not in rule.stages:
            found.append(f"A stage {stage.kind} is not among its stages.")
        model = getattr(stage, "model", None)
        if model is None:
            continue
        if model.family == OWN_GRAPH:
            found.append("The researcher wrote the model: people read it.")
        if model.kind not in rule.families:
            found.append(f"Models of the kind {model.kind} are not among its models.")
    return found
