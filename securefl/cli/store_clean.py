"""``securefl store clean``: ended studies' long bytes leave the store, each party's own by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from securefl.cli.screen import confirm, json_option, say, show_page, write_json
from securefl.errors import UsageError
from securefl.utc_times import time_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from securefl.federation.study_cleaning import EndedStudy, StudyCleaning
    from securefl.party.folder import PartyFolder

#: Days after a study's end for which its bytes stay, where nothing else is said.
DAYS = 90


def clean_store(
    party: PartyFolder,
    names: Sequence[str],
    days: int,
    *,
    dry_run: bool,
    yes: bool,
    json_file: str | None,
) -> None:
    """Show what goes, ask, and take it away.

    Raises:
        UsageError: no study fits a name, or nobody can be asked.
        StoreError: the store is away; again does the rest.
    """
    from securefl.federation.study_cleaning import clean, plan_cleaning
    from securefl.report.study_cleaning import CleanedLine, cleaning_page

    role = party.settings.role
    now = datetime.now(UTC)
    chosen = _chosen(_studies(party), names)
    age = timedelta(days=days)
    plans = [
        plan_cleaning(party.board, one, role, party.name, older_than=age, now=now) for one in chosen
    ]
    goes = [plan for plan in plans if plan.goes]
    if json_file != "-":
        show_page(
            cleaning_page(
                [
                    CleanedLine(p.study.plan.sealed.name, len(p.rounds), p.model, p.why_not)
                    for p in plans
                ]
            )
        )
    if goes and not dry_run:
        confirm("Take these bytes out of the store?", yes=yes, read="the page above")
        for plan in goes:
            clean(party.board, plan, role, party.name, party.identity.sign)
    if json_file:
        removed = bool(goes) and not dry_run
        write_json({"party": party.name, "removed": removed, "studies": _json(plans)}, json_file)
    if json_file != "-" and goes and not dry_run:
        say("They are out of the store. `securefl audit --verify` holds as before.")


def _studies(party: PartyFolder) -> list[EndedStudy]:
    """All studies of this party."""
    if party.settings.role == "hospital":
        from securefl.node.owner.folder import open_site
        from securefl.node.owner.store_cleaning import approved_studies

        return approved_studies(open_site(party.path))
    if party.settings.role == "researcher":
        return _asked_studies(party)
    from securefl.party.store_cleaning import served_studies

    return served_studies(party)


def _asked_studies(party: PartyFolder) -> list[EndedStudy]:
    from securefl.api import connect
    from securefl.federation.study_cleaning import EndedStudy
    from securefl.party.store_cleaning import ended_by_events

    return [
        EndedStudy(one.plan, ended_by_events(one.folder).get(one.plan.digest))
        for one in connect(party.path).studies()
    ]


def _chosen(studies: list[EndedStudy], names: Sequence[str]) -> list[EndedStudy]:
    """The studies that were named, or all.

    Raises:
        UsageError: none fits a name, or several do.
    """
    from securefl.party.study_names import fit_words, meant

    if not names:
        return studies
    by_id = {one.plan.sealed.id: one for one in studies}
    chosen = {}
    for name in names:
        fits = meant(name, by_id, deciding=True)
        if len(fits) != 1:
            listed = ", ".join(study.name for study in fits or by_id) or "none"
            raise UsageError(
                f"{fit_words(len(fits), 'study', 'studies', name)} Here are: {listed}.",
                next_step="Name one of them.",
            )
        chosen[fits[0]] = by_id[fits[0]]
    return list(chosen.values())


def _json(plans: Iterable[StudyCleaning]) -> list[dict[str, Any]]:
    return [
        {
            "study": plan.study.plan.sealed.name,
            "digest": plan.study.plan.digest,
            "ended": None if plan.study.ended is None else time_text(plan.study.ended),
            "rounds": list(plan.rounds),
            "model": plan.model,
            "goes": plan.goes,
            "why_not": plan.why_not,
        }
        for plan in plans
    ]


@click.command()
@click.argument("studies", nargs=-1, metavar="[STUDY]...")
@click.option(
    "--older-than",
    "days",
    type=click.IntRange(0, 36_500),
    default=DAYS,
    show_default=True,
    metavar="DAYS",
    help="Days since a study's end for which its bytes stay.",
)
@click.option("--folder", metavar="DIR", help="The party's folder; else the current one.")
@click.option("--dry-run", is_flag=True, help="Show what would go, and take nothing away.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def clean(
    studies: tuple[str, ...],
    days: int,
    folder: str | None,
    *,
    dry_run: bool,
    yes: bool,
    json_file: str | None,
) -> None:
    """Take ended studies' long bytes out of the store: this party's own alone.

    Without STUDY it is all of them. Nothing goes that another may still need: a study that runs, one
    whose model a hospital has not fetched. What was signed stays, so that audits hold.
    """
    from securefl.cli.store import party_of

    clean_store(
        party_of(folder),
        studies,
        days,
        dry_run=dry_run,
        yes=yes,
        json_file=json_file,
    )
