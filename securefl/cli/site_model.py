"""``securefl site model``: the models of completed studies that came home to a hospital."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from securefl.cli.predict import print_scores
from securefl.cli.screen import (
    confirm,
    html_option,
    json_option,
    say,
    say_quoted,
    show_page,
    write_json,
    write_page,
)
from securefl.cli.site_folder import open_site, site_option

if TYPE_CHECKING:
    from typing import Any

    from securefl.learning.model_notices import ModelStanding
    from securefl.node.owner.drift import RowsDrift
    from securefl.node.owner.models import OwnModel, RecallPlan, SentRecall


@click.group()
def model() -> None:
    """Models of completed studies that were sent to this hospital: list, show, predict, drift, recall;
    and, round by round, the common model of a study that runs.

    The agent fetches a model after its study's end, and keeps it only if it is what the last
    round's sum makes of the model before, and its figures follow from the released histogram.
    """


@model.command(name="list")
@json_option
@site_option
def list_(json_file: str | None, folder: str | None) -> None:
    """List the models that are here, with their recalls and expiry, and those that are looked for,
    were refused or never came.
    """
    from securefl.node.owner.models import models

    rows = models(open_site(folder))
    if json_file:
        listed = [
            {
                "model": r.name,
                "study": r.digest,
                "state": r.state,
                "folder": str(r.folder or ""),
                "said": r.said,
                **_standing_json(r.standing),
            }
            for r in rows
        ]
        write_json({"models": listed}, json_file)
        if json_file == "-":
            return
    for row in rows:
        say(f"{row.name}  {row.state:<10}  {row.folder or row.said}".rstrip())
        if row.standing is not None:
            _say_standing(row.standing)
    if not rows:
        say(
            "No model has come home: the studies of this hospital are not over, or name it as no"
            " recipient."
        )


def _standing_json(found: ModelStanding | None) -> dict[str, Any]:
    """Tell programs if a model that is here may be used."""
    if found is None:
        return {"usable": None, "standing": None, "notices": []}
    notices = list(found.sentences)
    return {"usable": not found.refused, "standing": found.state, "notices": notices}


def _say_standing(found: ModelStanding) -> None:
    """Lines below a model of the list, where there is something to say."""
    for sentence in found.sentences:
        say_quoted(sentence)
    if found.refused:
        say("  It is not to be used any more.")


@model.command()
@click.argument("name")
@html_option
@json_option
@site_option
def show(
    name: str,
    html_file: str | None,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Show a model: what was released, and its exact figures on your own held-out patients.

    The exact figures are worked out here and now, stand on this screen, and never leave. They have
    no noise: do not pass them on.
    """
    from securefl.node.owner.models import own_model
    from securefl.report.own_model import own_model_page

    found = own_model(open_site(folder), name)
    why_not = ""
    if found.fault:
        why_not = f"They cannot be worked out: {found.fault}"
    page = own_model_page(
        found.model,
        str(found.folder),
        found.told,
        why_not=why_not,
        wrong_way=found.wrong_way,
    )
    if json_file:
        write_json(_json(found, why_not), json_file)
    if json_file == "-":
        if html_file:
            write_page(page, html_file)
        return
    show_page(page, html_file)
    say(f"Next: securefl site model predict {found.name} TABLE.csv")
    say(f"A model of your own, made of it at home: securefl site personalize {found.name}")


@model.command()
@click.argument("name", default="")
@html_option
@json_option
@site_option
def rounds(
    name: str,
    html_file: str | None,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Show the common model round by round, with its exact figures on your own held-out patients;
    also while the study runs.

    The figures are worked out here and now, stand on this screen, and never leave. They have no
    noise: do not pass them on. Where the study looks at its training on the way, the charged figures
    of all hospitals stand below them while it runs.
    """
    from securefl.node.owner.round_models import own_rounds
    from securefl.report.own_rounds import own_rounds_page

    found = own_rounds(open_site(folder), name)
    if json_file:
        listed = [{key: _plain(value) for key, value in asdict(r).items()} for r in found.rounds]
        told = {"study": found.name, "metric": found.metric, "rounds": listed}
        if found.looks is not None:
            told |= found.looks.record()
        write_json(told, json_file)
    page = own_rounds_page(found.name, found.metric, found.rounds, found.least, found.looks)
    if json_file == "-":
        if html_file:
            write_page(page, html_file)
        return
    show_page(page, html_file)


@model.command()
@click.argument("name")
@click.argument("rows", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--anyway",
    is_flag=True,
    help="Score with a model that expired or was recalled; the notices are shown.",
)
@json_option
@site_option
def predict(
    *,
    name: str,
    rows: Path,
    anyway: bool,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Score ROWS (a table with the model's columns) with a model that came home; as `securefl
    predict`.
    """
    from securefl.node.owner.models import score_rows
    from securefl.sources.source import GivenReading

    found = score_rows(open_site(folder), name, rows, GivenReading(), anyway=anyway)
    print_scores(found, json_file)


@model.command()
@click.argument("name")
@click.argument("rows", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@html_option
@json_option
@site_option
def drift(
    *,
    name: str,
    rows: Path,
    html_file: str | None,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Compare ROWS, a table to be scored, with your table as it was when you approved the model's
    study: which columns are distributed otherwise.

    Of that table a summary without any of its values stays in your folder. The figures have no
    noise: do not pass them on.
    """
    from securefl.node.owner.drift import rows_drift
    from securefl.report.rows_drift import rows_drift_page
    from securefl.sources.source import GivenReading

    found = rows_drift(open_site(folder), name, rows, GivenReading())
    page = rows_drift_page(found)
    if json_file:
        columns = [
            {**asdict(column), "state": column.state, "moved": column.moved}
            for column in found.columns
        ]
        write_json({**_plain_fields(found), "columns": columns}, json_file)
    if json_file == "-":
        if html_file:
            write_page(page, html_file)
        return
    show_page(page, html_file)


def _plain_fields(found: RowsDrift) -> dict[str, Any]:
    """The comparison as JSON values."""
    return {key: _plain(value) for key, value in asdict(found).items()}


@model.command()
@click.argument("name")
@click.option(
    "--reason",
    required=True,
    help="One line, which all who have the model read: name no patient and no figure of yours.",
)
@click.option("--yes", is_flag=True, help="You know that a recall cannot be taken back.")
@json_option
@site_option
def recall(
    *,
    name: str,
    reason: str,
    yes: bool,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Recall a model, signed with this hospital's key, for good: whoever has it is told at each use.

    Here the model scores no more. The notice goes into the store, where the agents of the other
    hospitals and the researcher's commands find it. They are warned, and refused when more than
    half of the model's hospitals recall it. Whoever shares no store is handed the file: it belongs
    into the folder `notices` beside the model.
    """
    from securefl.node.owner import models
    from securefl.party.clock import utc_now
    from securefl.report.model_recall import recall_page

    here = open_site(folder)
    plan = models.plan_recall(here, name, reason)
    if plan.again is None:
        if json_file != "-":
            show_page(
                recall_page(
                    plan.name,
                    plan.model.digest,
                    plan.reason,
                    plan.before,
                    plan.model.facts.participants,
                )
            )
        confirm(f"Recall the model of {plan.name}?", yes=yes, read="the page above")
    sent = models.recall(here, plan, utc_now())
    if json_file:
        said = {"file": str(sent.file), "posted": sent.posted, "again": plan.again is not None}
        write_json({"model": plan.name, "digest": plan.model.digest, **said}, json_file)
    if json_file != "-":
        _say_sent(plan, sent)


def _say_sent(plan: RecallPlan, sent: SentRecall) -> None:
    if plan.again is None:
        say(f"Recalled, signed: {sent.file}")
    else:
        say(f"Recalled on {plan.again.at[:10]} already; that notice stays: {sent.file}")
    if sent.posted:
        say("It is in the store. The other hospitals' agents and the researcher find it there.")
    else:
        say("The store takes nothing now. Your agent puts it there as soon as it does.")
    say("To whoever shares no store, hand the file: it belongs into `notices` beside the model.")


def _json(found: OwnModel, why_not: str) -> dict[str, Any]:
    own = None
    if found.figures is not None:
        own = {key: _plain(value) for key, value in asdict(found.figures).items()}
    return {
        "model": found.name,
        "digest": found.model.digest,
        "released": found.model.facts.figures,
        "own": own,
        "wrong_way_round": found.wrong_way,
        "why_not": why_not,
    }


def _plain(value: object) -> object:
    """JSON values; a figure that there is not is null."""
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN alone differs from itself
        return None
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value
