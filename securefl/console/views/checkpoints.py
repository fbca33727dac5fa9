"""Checkpoints: the owner's word on a partner's ledger in doubt, and on a silent partner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securefl.console.view import Act, Draft, Planned, check_typed
from securefl.node.owner import checkpoints
from securefl.node.owner.pages import excuse_page
from securefl.report.partners import settling_page

if TYPE_CHECKING:
    from securefl.console.view import Asked
    from securefl.node.owner.folder import Site

_PLACE: Final = "partners"


def _plan_settling(site: Site, asked: Asked) -> Planned:
    name = asked.form.get("partner", "")
    checkpoints.check_doubted(site, name)
    return Planned(
        settling_page(name),
        act="partners/settle",
        button="I have telephoned: go on",
        busy="Putting aside",
        fields={"partner": name},
        typed=name,
    )


def _settle(site: Site, asked: Asked) -> str:
    name = asked.form.get("partner", "")
    check_typed(asked, name)
    checkpoints.check_doubted(site, name)
    checkpoints.settle_doubt(site, name)
    return _PLACE


def _plan_excuse(site: Site, asked: Asked) -> Planned:
    plan = checkpoints.plan_excuse(site, asked.form.get("partner", ""))
    return Planned(
        excuse_page(site, plan),
        act="partners/excuse",
        button="Start studies without it",
        busy="Signing",
        fields={"partner": plan.site},
        typed=plan.site,
    )


def _excuse(site: Site, asked: Asked) -> str:
    plan = checkpoints.plan_excuse(site, asked.form.get("partner", ""))
    check_typed(asked, plan.site)
    checkpoints.excuse(site, plan, asked.at)
    return _PLACE


ACTS = (
    Draft("/partners/plan-settle", _plan_settling, _PLACE),
    Act("/partners/settle", _settle, _PLACE),
    Draft("/partners/plan-excuse", _plan_excuse, _PLACE),
    Act("/partners/excuse", _excuse, _PLACE),
)
