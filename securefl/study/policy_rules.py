"""Rules of an owner's policy, held against a study that is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.study.owner_policy import OwnerPolicy
    from securefl.study.schema import Study

#: The longest quarter of a year, as a window that moves.
QUARTER: Final = timedelta(days=92)
_DAY: Final = 24 * 60


@dataclass(frozen=True)
class Surroundings:
    """Facts of this hospital beside which a study is held to the rules.

    Attributes:
        share: of the budget that the study asks for; None where it cannot be priced.
        quarter: epsilon of the other studies on its population in the last 92 days.
        countries: of its parties by their names, as an agreement that binds it says.
        store: country of the store; None where nothing says it.
    """

    share: Decimal | None = None
    quarter: Decimal = Decimal(0)
    countries: Mapping[str, str] = field(default_factory=dict)
    store: str | None = None


def broken_rules(
    policy: OwnerPolicy,
    study: Study,
    here: Surroundings,
    *,
    epsilon: Decimal,
) -> list[str]:
    """Rules that a study does not keep, a sentence each; words of the study are names and figures.

    Args:
        policy: of the owner.
        study: that is asked for.
        here: what the hospital knows beside it.
        epsilon: for one patient.
    """
    found = []
    who = study.coordinator.name
    if policy.researchers is not None and who not in policy.researchers:
        found.append(f"{who} is not among those who may ask.")
    found += _purposes(policy, study)
    if policy.largest_epsilon is not None and epsilon > policy.largest_epsilon:
        found.append(f"Its epsilon is {epsilon:f}; at most {policy.largest_epsilon:f} is allowed.")
    found += beyond_quarter(policy, here.quarter, epsilon)
    share = here.share
    if policy.largest_share is not None and share is not None and share > policy.largest_share:
        found.append(f"It takes {share:f} of the budget; at most {policy.largest_share:f} may be.")
    count = len(study.participants)
    if policy.least_hospitals is not None and count < policy.least_hospitals:
        found.append(f"{count} hospitals take part; {policy.least_hospitals} are the fewest.")
    found += _models(policy, study)
    found += _hours(policy, study)
    return [*found, *_places(policy, study, here)]


def beyond_quarter(policy: OwnerPolicy, before: Decimal, epsilon: Decimal) -> list[str]:
    """Rule on all studies of a quarter: epsilons are added, as in an agreement's article 3."""
    most = policy.largest_epsilon_quarter
    if most is None or before + epsilon <= most:
        return []
    earlier = f"The other studies of the last {QUARTER.days} days cost epsilon {before:f}"
    return [
        f"{earlier} on these patients, and it costs {epsilon:f} more; at most {most:f} is allowed."
    ]


def _hours(policy: OwnerPolicy, study: Study) -> list[str]:
    """Rule on the hours in which rounds begin."""
    if policy.hours is None:
        return []
    begin, end = policy.hours.split("-")
    allowed = _length(begin, end)
    if allowed == _DAY:
        return []
    cadence = study.schedule.cadence
    if cadence is None:
        return [f"Its rounds may begin at any hour; here they may at {policy.hours} UTC."]
    after = _length(begin, cadence.begin) % _DAY
    if after + _length(cadence.begin, cadence.end) <= allowed:
        return []
    asked = f"{cadence.begin}-{cadence.end}"
    return [f"Its rounds may begin at {asked} UTC; here they may at {policy.hours} UTC."]


def _length(begin: str, end: str) -> int:
    """Minutes from one time of day to the next ``end``: a whole day where they are the same."""
    return (_minute(end) - _minute(begin)) % _DAY or _DAY


def _minute(clock: str) -> int:
    hours, minutes = clock.split(":")
    return 60 * int(hours) + int(minutes)


def _places(policy: OwnerPolicy, study: Study, here: Surroundings) -> list[str]:
    """Rule on countries: what nobody signed for counts as elsewhere."""
    if policy.jurisdictions is None:
        return []
    found = []
    named = (*study.participants, study.coordinator, study.aggregator)
    for name in dict.fromkeys(party.name for party in named):
        country = here.countries.get(name)
        if country is None:
            found.append(f"No agreement in force here says in which country {name} is.")
        elif country not in policy.jurisdictions:
            found.append(f"{name} is in {country}, which is not among the allowed countries.")
    if here.store is None:
        found.append("Nothing says in which country the store is.")
    elif here.store not in policy.jurisdictions:
        found.append(f"The store is in {here.store}, which is not among the allowed countries.")
    return found


def _purposes(policy: OwnerPolicy, study: Study) -> list[str]:
    """Rule on the purposes: a study that names none says nothing of what it is for."""
    if policy.purposes is None:
        return []
    if not study.study.duo:
        return ["It names no purpose of the Data Use Ontology."]
    odd = [code for code in study.study.duo if code not in policy.purposes]
    return [f"The purpose {code} is not allowed." for code in odd]


def _models(policy: OwnerPolicy, study: Study) -> list[str]:
    """Rules on what is predicted, and by what."""
    from securefl.study.training import training_if_any

    found = []
    task = study.data.label.task
    if policy.tasks is not None and task not in policy.tasks:
        found.append(f"To predict {task} is not allowed.")
    train = training_if_any(study)
    family = None if train is None else train.model.kind
    if policy.families is not None and family is not None and family not in policy.families:
        found.append(f"Models of the kind {family} are not allowed.")
    return found
