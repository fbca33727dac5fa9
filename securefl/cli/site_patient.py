"""``securefl site patient``: patients who leave."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.screen import confirm, json_option, say, show_page, write_json
from securefl.cli.site_folder import open_site, site_option

if TYPE_CHECKING:
    from typing import Any

    from securefl.node.owner.patients import PatientRemoval


@click.group()
def patient() -> None:
    """Patients who do not want their records to be used any more."""


@patient.command("remove")
@click.argument("population")
@click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A text with one identifier a line, as they stand in the table. Else you type one.",
)
@click.option("--yes", is_flag=True, help="You have read what it means.")
@json_option
@site_option
def patient_remove(
    *,
    population: str,
    file: Path | None,
    yes: bool,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Take patients out of POPULATION: from the next round on no study reads their rows.

    The page says which studies released something before, and what that can tell of each patient at
    most. An identifier is typed or read from a file, never given on the command line, which others
    on this machine could see. It is hashed at once; your folder keeps the keyed hash alone. It
    cannot be undone.
    """
    from securefl.node.owner.pages import removal_page
    from securefl.node.owner.patients import (
        plan_patient_removal,
        read_identifiers,
        remove_patients,
    )

    here = open_site(folder)
    plan = plan_patient_removal(
        here, population, read_identifiers(file) if file else _typed(population)
    )
    if json_file:
        write_json(_json(plan), json_file)
    if json_file != "-":
        show_page(removal_page(plan))
    if not plan.hashes:
        say("Nobody is to be taken out: all of them are out already.")
        return
    confirm(f"Take them out of {population}?", yes=yes, read="the page above")
    remove_patients(here, plan)
    say("They are out. A study under way goes on without them from its next round on.")


def _typed(population: str) -> tuple[str, ...]:
    """Ask for one identifier."""
    from securefl.errors import UsageError

    if not sys.stdin.isatty():
        raise UsageError(
            "There is no terminal to type an identifier at.",
            next_step="Give --file FILE, a text with one identifier a line.",
        )
    return (click.prompt(f"Identifier of a patient of {population}", err=True),)


def _json(plan: PatientRemoval) -> dict[str, Any]:
    """The page for programs: no identifier, and no hash of one."""
    bound = None
    if plan.bound is not None:
        bound = {"epsilon": f"{plan.bound.epsilon:f}", "delta": f"{plan.bound.delta:f}"}
    return {
        "population": plan.population,
        "named": plan.named,
        "already": plan.already,
        "found": plan.found,
        "unread": list(plan.unread),
        "touched": [vars(study) for study in plan.touched],
        "bound": bound,
        "going_on": list(plan.going_on),
    }
