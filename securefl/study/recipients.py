"""Recipients of a study's model: parties of the study, by name or by the word for their role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from securefl.study.schema import Study

#: Words for roles. A template knows no names yet, so it uses these.
PARTICIPANTS: Final = "participants"
COORDINATOR: Final = "coordinator"
AGGREGATOR: Final = "aggregator"
ROLES: Final = (PARTICIPANTS, COORDINATOR, AGGREGATOR)


def strangers(study: Study) -> tuple[str, ...]:
    """Recipients of a sealed study that are neither a role nor a party of it."""
    known = {*ROLES, *study.cohort, study.coordinator.name, study.aggregator.name}
    return tuple(name for name in study.outputs.recipients if name not in known)


def recipients(study: Study) -> tuple[str, ...]:
    """Names of the parties to whom the model is sent at the end, sorted.

    The coordinator is not among them: it makes the model, and has it whatever the study says.
    """
    named = set(study.outputs.recipients)
    found = {site for site in study.cohort if PARTICIPANTS in named or site in named}
    if AGGREGATOR in named or study.aggregator.name in named:
        found.add(study.aggregator.name)
    return tuple(sorted(found))
