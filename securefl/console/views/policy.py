"""Policy: the owner's own rules, a field each, read and signed.

In a list names stand between commas. An empty field is no rule. A lone ``-`` is a rule that allows
nobody and nothing: else a list of nobody would come back from the form as everybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from securefl.console.view import (
    Act,
    Draft,
    Planned,
    View,
    check_typed,
    two_passphrases,
    whole_number,
)
from securefl.console.views.people import asked_two
from securefl.errors import UnreadableError
from securefl.node.owner import policy
from securefl.node.owner.pages import no_rules_page, rules_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.console.view import Asked
    from securefl.node.owner.folder import Site
    from securefl.study.owner_policy import OwnerPolicy

_PLACE: Final = "settings/policy"
_NOBODY: Final = "-"


class _Rule(NamedTuple):
    """A rule's name in the policy's file, its label, and a hint of its form."""

    name: str
    label: str
    hint: str = ""


_LISTS: Final = (
    _Rule("researchers", "who may ask", "names on their cards, between commas"),
    _Rule("purposes", "purposes", "codes of the Data Use Ontology, between commas: DUO:0000042"),
    _Rule("tasks", "what may be predicted", "names of tasks, between commas: binary, count"),
    _Rule("families", "models", "names of models, between commas: linear, additive"),
    _Rule("jurisdictions", "countries of parties and store", "between commas: DE, AT"),
    _Rule("walls", "walls that must hold", "names of walls, between commas: files, keys"),
)
_FIGURES: Final = (
    _Rule("largest_epsilon", "largest epsilon of a study", "a number above 0"),
    _Rule("largest_epsilon_quarter", "largest epsilon a quarter", "a number above 0"),
    _Rule("largest_share", "largest share of the budget", "above 0, at most 1"),
)
_COUNTS: Final = (
    _Rule("least_hospitals", "fewest hospitals", "2 or more"),
    _Rule("studies_at_once", "studies that run at once", "1 or more"),
    _Rule("approvers", "people who must agree", "1 or 2"),
)
_LIMITS: Final = (
    _Rule("memory_gb", "memory of a worker in GB", "1 or more"),
    _Rule("cores", "cores of a worker", "1 or more"),
    _Rule("processor_hours", "processor hours of a worker", "1 or more"),
)
_TEXTS: Final = (
    _Rule("hours", "hours in which rounds may begin", "from when until when, UTC: 20:00-06:00"),
    _Rule("store_jurisdiction", "country of the store", "where no agreement says it: DE"),
)
#: It lowers what protects: written in words, and never ticked by accident.
_CHOICES: Final = (
    _Rule(
        "worker_may_have_network",
        "the worker may have a network",
        "yes, or no; an empty field is a no",
    ),
)
_WHOLE: Final = (*_COUNTS, *_LIMITS)
RULES: Final = (*_LISTS, *_FIGURES, *_WHOLE, *_TEXTS, *_CHOICES)
_ANSWERS: Final = {"yes": True, "no": False}


def _read(site: Site, _: Asked) -> Mapping[str, Any]:
    fault = ""
    values: Mapping[str, str] = {}
    try:
        values = _values(policy.kept_policy(site))
    except UnreadableError as error:
        fault = error.what
    return {
        "fault": fault,
        "kept": bool(values),
        "rules": [(rule, values.get(rule.name, "")) for rule in RULES],
    }


def _values(kept: OwnerPolicy | None) -> dict[str, str]:
    """What stands in the fields for the rules that hold."""
    if kept is None:
        return {}
    values = {}
    for rule in RULES:
        value = getattr(kept, rule.name)
        if rule in _LISTS and value is not None:
            value = ", ".join(value) or _NOBODY
        if rule in _CHOICES and value is not None:
            value = "yes" if value else "no"
        values[rule.name] = "" if value is None else f"{value}"
    return values


def _rules(asked: Asked) -> dict[str, Any]:
    """Rules of a form, as their file would have them."""
    rules: dict[str, Any] = {}
    for rule in RULES:
        text = asked.form.get(rule.name, "").strip()
        if text:
            rules[rule.name] = _value(rule, text)
    return rules


def _value(rule: _Rule, text: str) -> Any:  # noqa: ANN401 - whatever the rule takes
    if rule in _WHOLE:
        return whole_number(text)
    if rule in _FIGURES or rule in _TEXTS:
        return text
    if rule in _CHOICES:
        return _ANSWERS.get(text, text)
    if text == _NOBODY:
        return []
    return [name.strip() for name in text.split(",") if name.strip()]


def _plan(site: Site, asked: Asked) -> Planned:
    plan = policy.plan_rules(site, _rules(asked))
    return Planned(
        rules_page(plan),
        act=f"{_PLACE}/sign",
        button="Sign these rules",
        busy="Signing",
        fields={rule.name: asked.form.get(rule.name, "") for rule in RULES},
        two=asked_two(site) if plan.before is not None else (),
    )


def _sign(site: Site, asked: Asked) -> str:
    policy.set_policy(site, policy.plan_rules(site, _rules(asked)), two_passphrases(asked))
    return "settings"


def _plan_drop(site: Site, _: Asked) -> Planned:
    kept = policy.kept_policy(site)
    return Planned(
        no_rules_page(kept),
        act=f"{_PLACE}/drop",
        button="Take the rules away",
        busy="Removing",
        typed=site.name,
        two=asked_two(site),
        nothing=kept is None,
    )


def _drop(site: Site, asked: Asked) -> str:
    check_typed(asked, site.name)
    policy.drop_policy(site, two_passphrases(asked))
    return "settings"


VIEWS = (View("/settings/policy", "policy.html", _read),)
ACTS = (
    Draft("/settings/policy/plan", _plan, _PLACE),
    Act("/settings/policy/sign", _sign, _PLACE),
    Draft("/settings/policy/plan-drop", _plan_drop, _PLACE),
    Act("/settings/policy/drop", _drop, _PLACE),
)
