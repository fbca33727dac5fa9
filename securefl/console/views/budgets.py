"""Budgets: granting one to a population, and taking back what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from securefl.console.view import Act, Draft, Planned, View, check_typed
from securefl.errors import UsageError
from securefl.node.owner import budgets, requests
from securefl.node.owner.pages import budgets_page, grant_page, revocation_page
from securefl.node.owner.status import budget_statuses
from securefl.privacy.mechanisms import decimal_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

    from securefl.console.view import Asked
    from securefl.node.owner.budgets import GrantPlan
    from securefl.node.owner.folder import Site

_PLACE: Final = "data/budgets"
#: Newest requests that may be named as the typical study.
_NEWEST: Final = 50
#: What a browser sends of a grant besides the session's secret.
_FIELDS: Final = ("population", "epsilon", "delta", "request", "typical")


def _read(site: Site, _: Asked) -> Mapping[str, Any]:
    found = budget_statuses(site)
    populations = {entry.population for entry in site.settings.datasets}
    return {
        "page": budgets_page(found),
        "populations": sorted(populations | {budget.population for budget in found}),
        "open": [budget.population for budget in found if not budget.revoked],
        "newest": requests.newest_requests(site, _NEWEST),
    }


def _grant_plan(site: Site, asked: Asked) -> GrantPlan:
    form = asked.form
    return budgets.plan_grant(
        site,
        form.get("population", "").strip(),
        _figure(budgets.read_epsilon, form.get("epsilon", ""), "epsilon"),
        _figure(budgets.read_delta, form.get("delta", ""), "delta"),
        _typical(site, asked),
    )


def _figure(read: Callable[[str], Decimal], text: str, name: str) -> Decimal:
    """A figure of the form. Raises :class:`UsageError` with what it may be."""
    try:
        return read(text.strip())
    except ValueError as error:
        raise UsageError(
            f"That is no {name} of a budget: {error}. Nothing was done.",
            next_step="Go back, and write it in plain digits, with a point before decimals.",
        ) from None


def _typical(site: Site, asked: Asked) -> bytes:
    """Text of the study that the budget is chosen for: pasted, or of a request that came in."""
    pasted = asked.form.get("typical", "").strip()
    if pasted:
        return pasted.encode("utf-8", "replace")
    name = asked.form.get("request", "")
    if not name:
        raise UsageError(
            "No typical study was named. Nothing was done.",
            next_step="Choose a request, or paste the text of a protocol or study file.",
        )
    return requests.request_text(site, name)


def _plan(site: Site, asked: Asked) -> Planned:
    plan = _grant_plan(site, asked)
    fields = {name: asked.form.get(name, "").strip() for name in _FIELDS}
    return Planned(
        grant_page(plan),
        act=f"{_PLACE}/grant",
        button="Grant this budget",
        busy="Granting",
        fields={**fields, "after": decimal_text(plan.after)},
        typed=plan.population,
    )


def _grant(site: Site, asked: Asked) -> str:
    plan = _grant_plan(site, asked)
    check_typed(asked, plan.population)
    if asked.form.get("after", "") != decimal_text(plan.after):
        raise UsageError(
            f"The budget of '{plan.population}' changed since this grant was planned.",
            next_step="Look at the budget again, then grant what is still wanted.",
        )
    budgets.grant(site, plan)
    return _PLACE


def _plan_revocation(site: Site, asked: Asked) -> Planned:
    plan = budgets.plan_revocation(site, asked.form.get("population", ""))
    note = asked.form.get("note", "").strip()
    return Planned(
        revocation_page(plan),
        act=f"{_PLACE}/revoke",
        button="Take back the rest",
        busy="Taking back",
        fields={"population": plan.population, "note": note},
        typed=plan.population,
    )


def _revoke(site: Site, asked: Asked) -> str:
    plan = budgets.plan_revocation(site, asked.form.get("population", ""))
    check_typed(asked, plan.population)
    budgets.revoke(site, plan, asked.form.get("note", ""))
    return _PLACE


VIEWS = (View("/data/budgets", "budgets.html", _read),)
ACTS = (
    Draft("/data/budgets/plan", _plan, _PLACE),
    Act("/data/budgets/grant", _grant, _PLACE),
    Draft("/data/budgets/plan-revoke", _plan_revocation, _PLACE),
    Act("/data/budgets/revoke", _revoke, _PLACE),
)
