"""Partners: whose cards are trusted here, and how one is added or taken off.

A card is pasted as text, with the groups that its owner read out by telephone. The page shows these
groups only once they were typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from securefl.console.view import Act, Draft, Planned, View, check_typed
from securefl.node.owner import checkpoints, partners
from securefl.node.owner.pages import partners_page, trust_page
from securefl.report.partners import distrust_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.console.view import Asked
    from securefl.node.owner.folder import Site
    from securefl.party.trust import TrustPlan

_PLACE: Final = "partners"


def _read(site: Site, _: Asked) -> Mapping[str, Any]:
    listed = partners.partners(site)
    return {
        "page": partners_page(partners.own_card(site), listed),
        "names": [partner.card.name for partner in listed],
        "doubted": checkpoints.doubted_hospitals(site),
        "hospitals": checkpoints.other_hospitals(site),
    }


def _planned(site: Site, asked: Asked) -> TrustPlan:
    form = asked.form
    return partners.plan_partner(site, form.get("card", "").strip(), form.get("heard", ""))


def _plan(site: Site, asked: Asked) -> Planned:
    return Planned(
        trust_page(_planned(site, asked)),
        act="partners/add",
        button="Trust this card",
        busy="Signing",
        fields={"card": asked.form["card"].strip(), "heard": asked.form["heard"]},
    )


def _add(site: Site, asked: Asked) -> str:
    partners.trust_partner(site, _planned(site, asked))
    return _PLACE


def _plan_removal(site: Site, asked: Asked) -> Planned:
    card = partners.plan_distrust(site, asked.form.get("partner", ""))
    return Planned(
        distrust_page(card),
        act="partners/remove",
        button="Take off the list",
        busy="Removing",
        fields={"partner": card.name},
        typed=card.name,
    )


def _remove(site: Site, asked: Asked) -> str:
    card = partners.plan_distrust(site, asked.form.get("partner", ""))
    check_typed(asked, card.name)
    partners.distrust_partner(site, card)
    return _PLACE


VIEWS = (View("/partners", "partners.html", _read, words="Partners"),)
ACTS = (
    Draft("/partners/plan", _plan, _PLACE),
    Act("/partners/add", _add, _PLACE),
    Draft("/partners/plan-remove", _plan_removal, _PLACE),
    Act("/partners/remove", _remove, _PLACE),
)
