"""``securefl aggregator metrics``: numbers for the aggregator's own monitoring."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from securefl.cli.metrics_output import moment
from securefl.study.study_id import short_digest

if TYPE_CHECKING:
    from securefl.party.aggregator_events import ServedStudy
    from securefl.party.aggregator_metrics import AggregatorMetrics
    from securefl.report.openmetrics import Gauge


def aggregator_metrics_text(found: AggregatorMetrics) -> str:
    """An aggregator's metrics as OpenMetrics text: names, numbers of rounds, sizes, times."""
    from securefl.report.openmetrics import openmetrics

    return openmetrics((*_process(found), *_studies(found), *_times(found)))


def aggregator_metrics_json(found: AggregatorMetrics) -> dict[str, Any]:
    """The same for programs that do not read OpenMetrics."""
    made = asdict(found)
    made["turned"] = moment(found.turned)
    for study in made["studies"]:
        study["since"] = moment(study["since"])
        study["last"] = moment(study["last"])
    return made


def _process(found: AggregatorMetrics) -> list[Gauge]:
    from securefl.report.openmetrics import Gauge, Sample

    me = {"aggregator": found.aggregator}
    turned: tuple[Sample, ...] = ()
    if found.turned is not None:
        turned = (Sample(int(found.turned.timestamp()), me),)
    failed = sum(study.failed for study in found.studies)
    numbers = {
        "securefl_aggregator_running": ("Whether the aggregator runs.", int(found.running)),
        "securefl_store_reached": (
            "Whether the running aggregator can use its store.",
            int(found.store_reached),
        ),
        "securefl_studies_served": ("Studies that it serves now.", len(found.served)),
        "securefl_studies_failed": (
            "Studies in its event stream that ended with the code of a failure.",
            failed,
        ),
    }
    return [
        *(Gauge(name, "", said, (Sample(value, me),)) for name, (said, value) in numbers.items()),
        Gauge(
            "securefl_last_turn_timestamp_seconds",
            "seconds",
            "When the aggregator last went through its work, in seconds since 1970.",
            turned,
        ),
    ]


def _labels(found: AggregatorMetrics, study: ServedStudy) -> dict[str, str]:
    name = study.name or short_digest(study.digest)
    return {"aggregator": found.aggregator, "study": name}


def _studies(found: AggregatorMetrics) -> list[Gauge]:
    from securefl.report.openmetrics import Gauge, Sample

    studies = [(_labels(found, study), study) for study in found.studies]
    return [
        Gauge(
            "securefl_study_rounds",
            "",
            "Rounds of the study.",
            tuple(Sample(study.rounds, labels) for labels, study in studies),
        ),
        Gauge(
            "securefl_study_summed",
            "",
            "The last round whose sum was posted; 0 before the first.",
            tuple(Sample(study.done, labels) for labels, study in studies),
        ),
        Gauge(
            "securefl_study_received_bytes",
            "bytes",
            "Bytes of all contributions that were added.",
            tuple(Sample(study.received, labels) for labels, study in studies),
        ),
        Gauge(
            "securefl_study_state",
            "",
            "Whether the study is served, or the code that it ended with.",
            tuple(Sample(1, {**labels, "state": s.code or "serving"}) for labels, s in studies),
        ),
    ]


def _times(found: AggregatorMetrics) -> list[Gauge]:
    """Whom a round waits for and since when, and when something happened last."""
    from securefl.report.openmetrics import Gauge, Sample

    waits = tuple(
        Sample(int(study.since.timestamp()), {**_labels(found, study), "hospital": hospital})
        for study in found.served
        for hospital in study.waits_for
        if study.since is not None
    )
    last = tuple(
        Sample(int(study.last.timestamp()), _labels(found, study))
        for study in found.studies
        if study.last is not None
    )
    return [
        Gauge(
            "securefl_waiting_since_timestamp_seconds",
            "seconds",
            "Since when a round waits for a hospital, in seconds since 1970.",
            waits,
        ),
        Gauge(
            "securefl_last_event_timestamp_seconds",
            "seconds",
            "When the last event of the study was, in seconds since 1970.",
            last,
        ),
    ]
