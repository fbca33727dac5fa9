"""``securefl study metrics``: numbers for the researcher's own monitoring."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from securefl.cli.metrics_output import hand_out_metrics, metrics_options, moment
from securefl.cli.study_folder import open_lab, researcher_option

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from securefl.report.openmetrics import Gauge
    from securefl.researcher.run_metrics import RunMetrics

_MOMENTS = ("since", "deadline", "until", "over_at", "last")


def run_metrics_text(researcher: str, runs: Sequence[RunMetrics]) -> str:
    """A researcher's metrics as OpenMetrics text: public facts of the rounds alone."""
    from securefl.report.openmetrics import openmetrics

    studies = [({"researcher": researcher, "study": run.study}, run) for run in runs]
    return openmetrics((*_progress(studies), *_waits(studies), *_times(studies)))


def run_metrics_json(researcher: str, runs: Sequence[RunMetrics]) -> dict[str, Any]:
    """The same for programs that do not read OpenMetrics."""
    told = []
    for run in runs:
        made = asdict(run)
        for name in _MOMENTS:
            made[name] = moment(made[name])
        told.append(made)
    return {"researcher": researcher, "studies": told}


def _gauge(
    name: str,
    said: str,
    studies: Sequence[tuple[dict[str, str], RunMetrics]],
    number: Callable[[RunMetrics], int],
    unit: str = "",
) -> Gauge:
    from securefl.report.openmetrics import Gauge, Sample

    samples = tuple(Sample(number(run), labels) for labels, run in studies)
    return Gauge(name, unit, said, samples)


def _progress(studies: Sequence[tuple[dict[str, str], RunMetrics]]) -> list[Gauge]:
    from securefl.report.openmetrics import Gauge, Sample

    states = tuple(
        Sample(1, {**labels, "state": run.state, "code": run.code}) for labels, run in studies
    )
    return [
        _gauge(
            "securefl_run_running",
            "Whether a process runs the study now.",
            studies,
            lambda run: int(run.running),
        ),
        _gauge("securefl_study_rounds", "Rounds of the study.", studies, lambda run: run.rounds),
        _gauge(
            "securefl_study_opened",
            "The last round whose sum was opened; 0 before the first.",
            studies,
            lambda run: run.done,
        ),
        _gauge(
            "securefl_study_received_bytes",
            "Bytes of all contributions in the opened sums.",
            studies,
            lambda run: run.received,
            "bytes",
        ),
        Gauge(
            "securefl_study_state",
            "",
            "State of the study's run, and the code that it ended with.",
            states,
        ),
    ]


def _waits(studies: Sequence[tuple[dict[str, str], RunMetrics]]) -> list[Gauge]:
    """Whom a round waits for and since when, and when it fails without them."""
    from securefl.report.openmetrics import Gauge, Sample

    waits = tuple(
        Sample(int(run.since.timestamp()), {**labels, "hospital": hospital})
        for labels, run in studies
        for hospital in run.waits_for
        if run.since is not None
    )
    deadlines = tuple(
        Sample(int(run.deadline.timestamp()), labels)
        for labels, run in studies
        if run.deadline is not None
    )
    return [
        Gauge(
            "securefl_waiting_since_timestamp_seconds",
            "seconds",
            "Since when a round waits for a hospital, in seconds since 1970.",
            waits,
        ),
        Gauge(
            "securefl_round_deadline_timestamp_seconds",
            "seconds",
            "When the round that waits fails without them, in seconds since 1970.",
            deadlines,
        ),
    ]


def _times(studies: Sequence[tuple[dict[str, str], RunMetrics]]) -> list[Gauge]:
    from securefl.report.openmetrics import Gauge, Sample

    last = tuple(
        Sample(int(run.last.timestamp()), labels) for labels, run in studies if run.last is not None
    )
    over = tuple(
        Sample(int(run.over_at.timestamp()), labels)
        for labels, run in studies
        if run.over_at is not None
    )
    return [
        Gauge(
            "securefl_last_event_timestamp_seconds",
            "seconds",
            "When the last event of the study was, in seconds since 1970.",
            last,
        ),
        Gauge(
            "securefl_run_over_timestamp_seconds",
            "seconds",
            "When the last round is opened at this pace, in seconds since 1970.",
            over,
        ),
    ]


@click.command()
@metrics_options
@researcher_option
def metrics(
    *,
    target: Path | None,
    port: int | None,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Print numbers for your own monitoring, in the OpenMetrics format.

    For each study that was run here: whether a process runs it, its round, bytes, whom the round
    waits for since when and until when, and how it ended. Public facts alone. Nothing is sent
    anywhere.
    """
    from securefl.party.events import EVENTS
    from securefl.researcher.run_metrics import read_run_metrics

    def found() -> tuple[str, list[RunMetrics]]:
        lab = open_lab(folder)
        begun = [study for study in lab.studies() if (study.folder / EVENTS).exists()]
        runs = [read_run_metrics(study.name, study.folder, study.plan) for study in begun]
        return lab.folder.name, runs

    hand_out_metrics(
        lambda: run_metrics_text(*found()),
        lambda: run_metrics_json(*found()),
        target=target,
        port=port,
        json_file=json_file,
    )
