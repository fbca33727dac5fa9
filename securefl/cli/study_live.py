"""``securefl study status --live`` and ``study curves``: a run for whoever looks on, and its curves."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from securefl.cli.screen import json_option, say, screen, write_json
from securefl.cli.study_folder import folder_hint, open_study, researcher_option
from securefl.errors import UsageError
from securefl.utc_times import time_text

if TYPE_CHECKING:
    from securefl.api import Study
    from securefl.report.live import LiveFacts

#: Seconds between two looks at the event stream.
_OFTEN: Final = 0.5


def live_facts(found: Study, now: datetime) -> LiveFacts:
    """State of the study's run now, as its event stream says."""
    from securefl.party.events import EVENTS, read_events
    from securefl.report.live import LiveFacts
    from securefl.researcher.run_events import run_now
    from securefl.researcher.run_series import run_looks, run_settling

    run = run_now(read_events(found.folder / EVENTS))
    plan = found.plan
    following = ""
    if run.done < plan.last_round:
        following = plan.step(run.done + 1).words
    return LiveFacts(
        title=found.file.study.title,
        state=run.state,
        code=run.code,
        done=run.done,
        rounds=plan.last_round,
        next_round=following,
        waits_for=run.waits_for,
        since=run.since,
        until=run.until,
        now=now,
        last=run.last,
        over_at=run.over_at,
        lost=run.lost,
        settling=run_settling(found.folder, plan),
        looks=run_looks(found.folder, plan),
    )


def look_on(found: Study) -> None:
    """Show the run until it is over, or until Ctrl-C, which ends the look and not the run.

    Where nobody sees it being drawn anew, it is shown once.
    """
    from rich.live import Live

    from securefl.report.live import live_page
    from securefl.report.terminal import drawn

    facts = live_facts(found, datetime.now(UTC))
    if not screen().is_terminal:
        screen().print(drawn(live_page(facts)))
        return
    with Live(drawn(live_page(facts)), console=screen(), auto_refresh=False) as view:
        try:
            while facts.state != "ended":
                time.sleep(_OFTEN)
                facts = live_facts(found, datetime.now(UTC))
                view.update(drawn(live_page(facts)), refresh=True)
        except KeyboardInterrupt:
            return


def live_json(facts: LiveFacts) -> dict[str, Any]:
    """The same for programs."""
    made = asdict(facts)
    for name in ("since", "until", "now", "last", "over_at"):
        moment = made[name]
        made[name] = None if moment is None else time_text(moment)
    return made


@click.command()
@click.argument("name")
@click.option(
    "--tensorboard",
    "folder_for_curves",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write TensorBoard's event files into this folder.",
)
@click.option(
    "--mlflow",
    metavar="ADDRESS",
    help="Log them as a run of MLflow: a tracking server, or sqlite:///FILE.",
)
@json_option
@researcher_option
def curves(
    *,
    name: str,
    folder_for_curves: Path | None,
    mlflow: str | None,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Hand the curves of a run to TensorBoard, MLflow or a program.

    A point for each opened round: hospitals, bytes, seconds, and how long the model's update was
    beside what noise alone would be; for a look, its figure with the interval. MLflow also gets the
    study file's own figures, the released ones once it is completed, and digests. Nothing is in it
    but public facts and what follows from sums that were charged. Logged again, MLflow gets what is
    new.
    """
    from securefl.researcher.curves import write_tensorboard
    from securefl.researcher.mlflow_run import study_record, write_mlflow
    from securefl.researcher.run_series import run_series

    found = open_study(folder, name)
    points = run_series(found.folder, found.plan)
    if not points:
        raise UsageError(
            f"No round of {found.name} was opened yet, so there is no curve.",
            whose="the researcher",
            next_step=f"`securefl study run {found.name}{folder_hint(folder)}`",
        )
    if folder_for_curves is None and mlflow is None and json_file is None:
        raise UsageError(
            "Nowhere to write the curves was named.",
            next_step="Add --tensorboard DIR, --mlflow ADDRESS or --json FILE.",
        )
    if folder_for_curves is not None:
        write_tensorboard(points, folder_for_curves)
        say(f"The curves are in {folder_for_curves}: tensorboard --logdir {folder_for_curves}")
    if mlflow is not None:
        record = study_record(found.name, found.folder, found.plan, points)
        write_mlflow(record, mlflow)
        say(f"MLflow has them: experiment {record.experiment}, run {record.name}.")
    if json_file is not None:
        told = [
            {"series": p.series, "round": p.round, "value": p.value, "at": p.at.isoformat()}
            for p in points
        ]
        write_json({"study": found.name, "digest": found.digest, "points": told}, json_file)
