"""Leaving: patients who are taken out, and data sets that are taken away.

Identifiers come in a form and go on in one. They stand in no address, and nothing keeps them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from securefl.console.view import Act, Draft, Planned, View, check_typed
from securefl.node.owner import data_removal, patients
from securefl.node.owner.data import registered_tables
from securefl.node.owner.pages import data_removal_page, removal_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.console.view import Asked
    from securefl.node.owner.folder import Site
    from securefl.node.owner.patients import PatientRemoval

_PLACE: Final = "data/leaving"


def _read(site: Site, asked: Asked) -> Mapping[str, Any]:
    known = site.ledger.state.datasets.values()
    return {
        "populations": sorted({entry.population for entry in known}),
        "names": [table.name for table in registered_tables(site)],
        "done": "done" in asked.query,
    }


def _patients(site: Site, asked: Asked) -> PatientRemoval:
    lines = asked.form.get("identifiers", "").splitlines()
    named = [line.strip() for line in lines if line.strip()]
    return patients.plan_patient_removal(site, asked.form.get("population", ""), named)


def _plan_patients(site: Site, asked: Asked) -> Planned:
    plan = _patients(site, asked)
    return Planned(
        removal_page(plan),
        act=f"{_PLACE}/patients",
        button="Take them out",
        busy="Taking out",
        fields={
            "population": plan.population,
            "identifiers": asked.form.get("identifiers", ""),
        },
        typed=plan.population,
        nothing=not plan.hashes,
    )


def _take_out(site: Site, asked: Asked) -> str:
    check_typed(asked, asked.form.get("population", ""))
    plan = _patients(site, asked)
    if plan.hashes:
        patients.remove_patients(site, plan)
    return f"{_PLACE}?done"


def _plan_table(site: Site, asked: Asked) -> Planned:
    plan = data_removal.plan_data_removal(site, asked.form.get("name", ""))
    return Planned(
        data_removal_page(plan),
        act=f"{_PLACE}/table",
        button="Take this data set away",
        busy="Removing",
        fields={"name": plan.name},
        typed=plan.name,
    )


def _take_away(site: Site, asked: Asked) -> str:
    plan = data_removal.plan_data_removal(site, asked.form.get("name", ""))
    check_typed(asked, plan.name)
    data_removal.remove_data(site, plan)
    return "data"


VIEWS = (View("/data/leaving", "leaving.html", _read),)
ACTS = (
    Draft("/data/leaving/plan-patients", _plan_patients, _PLACE),
    Act("/data/leaving/patients", _take_out, _PLACE, counts=True),
    Draft("/data/leaving/plan-table", _plan_table, _PLACE),
    Act("/data/leaving/table", _take_away, _PLACE),
)
