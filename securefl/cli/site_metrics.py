"""``securefl site metrics``: numbers for the hospital's own monitoring."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from securefl.cli.screen import json_option, say, write_json
from securefl.cli.site_folder import open_site, site_option
from securefl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.node.owner.metrics import SiteMetrics
    from securefl.report.openmetrics import Gauge

_LOOPBACK: Final = "127.0.0.1"


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
    families += _budgets(found, site)
    families += _studies(found, site)
    families += _looks(found, site)
    return openmetrics(families)


def metrics_json(found: SiteMetrics) -> dict[str, Any]:
    """The same for programs that do not read OpenMetrics."""
    made = asdict(found)
    made["budgets"] = {population: str(used) for population, used in found.budgets.items()}
    made["events"] = {kind: at.strftime("%Y-%m-%dT%H:%M:%SZ") for kind, at in found.events.items()}
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
@click.option(
    "--file",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write them to this file, whole or not at all: for the node exporter's textfile collector.",
)
@click.option(
    "--serve",
    "port",
    type=click.IntRange(1, 65_535),
    help="Answer on this port of 127.0.0.1 until Ctrl-C; every user of this machine can read it.",
)
@json_option
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
    from securefl.files import replace_file
    from securefl.node.owner.metrics import read_metrics

    def text() -> str:
        return metrics_text(read_metrics(open_site(folder)))

    if port is not None:
        _serve(text, port)
        return
    if json_file is not None:
        write_json(metrics_json(read_metrics(open_site(folder))), json_file)
    if target is None and json_file == "-":
        return
    if target is None:
        click.echo(text(), nl=False)
        return
    try:
        # the collector runs as another user
        replace_file(target, text().encode(), mode=0o644)
    except OSError as error:
        raise UsageError(
            f"{target} cannot be written: {error.strerror}.", next_step="Name another file."
        ) from None


class _Metrics(BaseHTTPRequestHandler):
    """Answers ``GET /metrics`` and nothing else."""

    server_version = "securefl"
    sys_version = ""
    timeout = 5.0

    def __init__(self, text: Callable[[], str], *rest: Any) -> None:  # noqa: ANN401 - the server's own
        self._text = text
        super().__init__(*rest)

    def do_GET(self) -> None:
        """Answer a reader on this machine."""
        from securefl.report.openmetrics import CONTENT_TYPE

        host = (self.headers.get("Host") or "").rpartition(":")[0]
        if self.path != "/metrics" or host not in {_LOOPBACK, "localhost"}:
            self.send_error(404)
            return
        body = self._text().encode()
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - the server's own
        """Say nothing: a reader comes every few seconds."""


def make_server(text: Callable[[], str], port: int) -> HTTPServer:
    """A server on this machine's own address alone.

    Raises:
        UsageError: the port is taken.
    """
    try:
        return HTTPServer((_LOOPBACK, port), partial(_Metrics, text))
    except OSError as error:
        raise UsageError(
            f"Port {port} of {_LOOPBACK} cannot be used: {error.strerror}.",
            next_step="Name another one.",
        ) from None


def _serve(text: Callable[[], str], port: int) -> None:
    server = make_server(text, port)
    say(f"http://{_LOOPBACK}:{port}/metrics; Ctrl-C ends it.")
    with server:
        server.serve_forever()
