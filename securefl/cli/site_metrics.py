"""``securefl site metrics``: numbers for the hospital's own monitoring."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from securefl.cli.metrics_output import hand_out_metrics, metrics_options, moment
from securefl.cli.site_folder import open_site, site_option

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.node.owner.metrics import SiteMetrics
    from securefl.report.openmetrics import Gauge


def metrics_text(found: SiteMetrics) -> str:
    """A hospital's metrics as OpenMetrics text. No row count and no figure of a table is in it."""
    from securefl.report.openmetrics import Gauge, Sample, openmetrics

    site = {"site": found.site}
    states = {"running": found.running, "paused": found.paused, "store": found.store_reached}
    words = {
        "running": ("securefl_agent_running", "Whether the agent runs."),
        "paused": ("securefl_agent_paused", "Whether its owner has paused it."),
        "store": ("securefl_store_reached", "Whether the running agent can use its store."),
    }
    families = [
        Gauge(words[name][0], "", words[name][1], (Sample(int(on), site),))
        for name, on in states.items()
    ]
    if found.turned is not None:
        families.append(
            Gauge(
                "securefl_last_turn_timestamp_seconds",
                "seconds",
                "When the agent last went through its work, in seconds since 1970.",
                (Sample(int(found.turned.timestamp()), site),),
            )
        )
    families += _budgets(found, site)
    families += _studies(found, site)
    families += _looks(found, site)
    return openmetrics(families)


def metrics_json(found: SiteMetrics) -> dict[str, Any]:
    """The same for programs that do not read OpenMetrics."""
    made = asdict(found)
    made["budgets"] = {population: str(used) for population, used in found.budgets.items()}
    made["events"] = {kind: moment(at) for kind, at in found.events.items()}
    made["turned"] = moment(found.turned)
    return made


def _budgets(found: SiteMetrics, site: dict[str, str]) -> list[Gauge]:
    from securefl.report.openmetrics import Gauge, Sample

    used = tuple(
        Sample(share, {**site, "population": population})
        for population, share in found.budgets.items()
    )
    waiting = (Sample(found.waiting, site),)
    return [
        Gauge(
            "securefl_requests_waiting",
            "",
            "Requests that wait for the owner's decision.",
            waiting,
        ),
        Gauge(
            "securefl_budget_used_ratio",
            "ratio",
            "Share of the privacy budget that is used.",
            used,
        ),
    ]


def _studies(found: SiteMetrics, site: dict[str, str]) -> list[Gauge]:
    from securefl.report.openmetrics import Gauge, Sample

    studies = [({**site, "study": study.study}, study) for study in found.studies]
    return [
        Gauge(
            "securefl_study_rounds",
            "",
            "Rounds of an approved study.",
            tuple(Sample(study.rounds, labels) for labels, study in studies),
        ),
        Gauge(
            "securefl_study_answered",
            "",
            "The last round that was answered; 0 before the first.",
            tuple(Sample(study.answered, labels) for labels, study in studies),
        ),
        Gauge(
            "securefl_study_state",
            "",
            "State of an approved study in the ledger.",
            tuple(Sample(1, {**labels, "state": study.state}) for labels, study in studies),
        ),
        Gauge(
            "securefl_last_event_timestamp_seconds",
            "seconds",
            "When the last event of a kind was, in seconds since 1970.",
            tuple(
                Sample(int(at.timestamp()), {**site, "event": kind})
                for kind, at in sorted(found.events.items())
            ),
        ),
    ]


def _rounded(value: float) -> Decimal | int:
    """A figure as people read it: more digits would be noise."""
    if isinstance(value, int):
        return value
    return round(Decimal(value), 4)


def _looks(found: SiteMetrics, site: dict[str, str]) -> list[Gauge]:
    """Charged figures on the way, of all hospitals together; none where no study looks."""
    from securefl.report.openmetrics import Gauge, Sample

    seen = [({**site, "study": study.study}, study.look) for study in found.studies if study.look]
    if not seen:
        return []
    words = {
        "low": "Lower end of the 95 % interval of the newest look at a training, of all hospitals.",
        "high": "Upper end of that interval.",
        "after": "Training rounds before that look.",
    }
    return [
        Gauge(
            f"securefl_look_{end}",
            "",
            said,
            tuple(Sample(_rounded(getattr(look, end)), labels) for labels, look in seen),
        )
        for end, said in words.items()
    ]


@click.command()
@metrics_options
@site_option
def metrics(
    *,
    target: Path | None,
    port: int | None,
    json_file: str | None,
    folder: str | None,
) -> None:
    """Print numbers for your own monitoring, in the OpenMetrics format.

    Whether the agent runs and reaches its store, how far each study is, how much budget is used,
    how many requests wait, and the newest charged figure on the way. No row count and no figure of
    a table. Nothing is sent anywhere.
    """
    from securefl.node.owner.metrics import read_metrics

    def found() -> SiteMetrics:
        return read_metrics(open_site(folder))

    hand_out_metrics(
        lambda: metrics_text(found()),
        lambda: metrics_json(found()),
        target=target,
        port=port,
        json_file=json_file,
    )
