"""A study as one run of MLflow: its public figures, its rounds, what was released, and digests.

Everything in it is public to the study's parties: the study file's own settings, the event stream,
and what follows from sums that were charged. Logged again, a run takes what is new.

MLflow reports its own use to its makers unless it is told not to; here it is.
"""

from __future__ import annotations

import json
import logging
import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from securefl.errors import StoreError, UsageError
from securefl.files import read_file
from securefl.party.events import EVENTS, read_events
from securefl.researcher.optional_package import optional_package
from securefl.researcher.run_events import run_now
from securefl.researcher.run_study import RESULT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from securefl.federation.round_plan import RoundPlan
    from securefl.researcher.run_series import Point

#: Characters of a parameter: a longer one is a list that nobody compares (initial weights).
_LONGEST: Final = 250
#: Figures of one request, MLflow's own bound.
_BATCH: Final = 1000
#: Settings of MLflow: no report of its use; a server that is away is not asked for minutes.
_ENVIRONMENT: Final = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
_DIGEST_TAG: Final = "securefl.digest"


@dataclass(frozen=True)
class StudyRecord:
    """A study's part of a tracking server.

    Attributes:
        experiment: under which studies of one id stand side by side.
        name: of the run.
        parameters: the study file's own figures and words.
        tags: digests, and how it stands.
        points: by round.
        released: figures that the stages released, at the last round.
        status: ``RUNNING``, ``FINISHED`` or ``FAILED``.
    """

    experiment: str
    name: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    points: Sequence[Point]
    released: Mapping[str, float]
    status: str


def study_record(
    name: str,
    folder: Path,
    plan: RoundPlan,
    points: Sequence[Point],
) -> StudyRecord:
    """Put together what a tracking server is told of a study.

    Args:
        name: of the study.
        folder: of the study at its researcher.
        plan: the study.
        points: of its run.
    """
    study = plan.study
    now = run_now(read_events(folder / EVENTS))
    tags = {
        _DIGEST_TAG: plan.digest,
        "securefl.lock": study.software.lock_sha256,
        "securefl.agreement": study.agreement or "",
        "securefl.continues": study.continues or "",
        "securefl.state": now.state,
        "securefl.code": now.code,
    }
    status = "RUNNING"
    if now.state == "ended":
        status = "FINISHED" if now.code == "completed" else "FAILED"
    return StudyRecord(
        experiment=study.study.id,
        name=name,
        parameters=study_parameters(plan),
        tags={tag: text for tag, text in tags.items() if text},
        points=points,
        released=_released(folder),
        status=status,
    )


def study_parameters(plan: RoundPlan) -> dict[str, str]:
    """Figures and words of the study file that say how it learns and what it costs."""
    study = plan.study
    sections = {
        "privacy": study.privacy,
        "secagg": study.secagg,
        "schedule": study.schedule,
        **{f"stage{number}": stage for number, stage in enumerate(study.stages, 1)},
    }
    found = {
        "securefl": study.software.securefl,
        "hospitals": str(len(study.cohort)),
        "rounds": str(plan.last_round),
        "parameters": str(plan.parameters),
    }
    for name, section in sections.items():
        said = section.model_dump(mode="json", exclude_none=True)
        found |= {key: text for key, text in _flat(name, said) if len(text) <= _LONGEST}
    return found


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - what JSON holds
    """Each value below ``value`` with its path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
        return
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    yield name, text


def _released(folder: Path) -> dict[str, float]:
    """Numbers of the completed study's stages; none before it is completed."""
    try:
        result = json.loads(read_file(folder / RESULT))
    except FileNotFoundError:
        return {}
    found = {}
    for number, stage in enumerate(result["stages"], 1):
        for key, text in _flat(f"stage{number}", stage):
            figure = _figure(text)
            if figure is not None:
                found[f"released/{key}"] = figure
    return found


def _figure(text: str) -> float | None:
    """A finite number out of a result; None where it is something else."""
    try:
        figure = float(text)
    except ValueError:
        return None
    return figure if math.isfinite(figure) else None


def write_mlflow(record: StudyRecord, address: str) -> None:
    """Log a study as one run; what the run holds already is left as it is.

    Args:
        record: of the study.
        address: tracking server or ``sqlite:///FILE``, as MLflow writes it.

    Raises:
        UsageError: the extra is not installed, or MLflow does not take the address.
        StoreError: the tracking server does not answer.
    """
    os.environ.update(_ENVIRONMENT)
    mlflow = optional_package("mlflow", "mlflow")
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        _log(mlflow, record, address)
    except mlflow.exceptions.MlflowException as error:
        first = str(error).splitlines()[0]
        if "API request" in first:
            raise StoreError(
                f"The tracking server does not answer: {first}",
                whose="the tracking server's operator",
                next_step="Try again; what it holds already is not logged twice.",
            ) from None
        raise UsageError(
            f"MLflow does not take these figures: {first}",
            whose="the researcher",
            next_step="Name a tracking server, or a file like sqlite:///runs.db.",
        ) from None


def _log(
    mlflow: Any,  # noqa: ANN401 - a package that may be absent
    record: StudyRecord,
    address: str,
) -> None:
    client = mlflow.MlflowClient(tracking_uri=address)
    run = _run_of(client, record)
    client.log_batch(
        run,
        params=[mlflow.entities.Param(key, text) for key, text in record.parameters.items()],
        tags=[mlflow.entities.RunTag(key, text) for key, text in record.tags.items()],
    )
    metrics = [
        mlflow.entities.Metric(series, value, _milliseconds(at), number)
        for series, value, at, number in _figures(record)
    ]
    known = {
        (key, said.step)
        for key in {metric.key for metric in metrics}
        for said in client.get_metric_history(run, key)
    }
    new = [metric for metric in metrics if (metric.key, metric.step) not in known]
    for start in range(0, len(new), _BATCH):
        client.log_batch(run, metrics=new[start : start + _BATCH])
    if record.status == "RUNNING":
        client.update_run(run, status="RUNNING")
    else:
        ended = record.points[-1].at if record.points else None
        client.set_terminated(run, record.status, ended and _milliseconds(ended))


def _run_of(client: Any, record: StudyRecord) -> str:  # noqa: ANN401 - as above
    """Id of the study's run, which is made where there is none."""
    known = client.get_experiment_by_name(record.experiment)
    if known is None:
        experiment = client.create_experiment(record.experiment)
    else:
        experiment = known.experiment_id
    wanted = f"tags.`{_DIGEST_TAG}` = '{record.tags[_DIGEST_TAG]}'"
    there = client.search_runs([experiment], wanted, max_results=1)
    if there:
        return str(there[0].info.run_id)
    began = record.points[0].at if record.points else None
    made = client.create_run(
        experiment,
        start_time=began and _milliseconds(began),
        tags={_DIGEST_TAG: record.tags[_DIGEST_TAG]},
        run_name=record.name,
    )
    return str(made.info.run_id)


def _figures(record: StudyRecord) -> Iterator[tuple[str, float, datetime, int]]:
    """Series, value, time and round of each figure."""
    for point in record.points:
        yield point.series, point.value, point.at, point.round
    if record.points:
        last = record.points[-1]
        for name, value in record.released.items():
            yield name, value, last.at, last.round


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
