"""Metrics of any role: as text, in a file, or on a port of this machine alone."""

from __future__ import annotations

from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from securefl.cli.screen import json_option, say, write_json
from securefl.errors import UsageError
from securefl.utc_times import time_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_LOOPBACK: Final = "127.0.0.1"


def metrics_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--file``, ``--serve`` and ``--json``, the same for every role."""
    options = (
        click.option(
            "--file",
            "target",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Write them to this file, whole or not at all: for the node exporter's textfile"
            " collector.",
        ),
        click.option(
            "--serve",
            "port",
            type=click.IntRange(1, 65_535),
            help="Answer on this port of 127.0.0.1 until Ctrl-C; every user of this machine can"
            " read it.",
        ),
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def hand_out_metrics(
    text: Callable[[], str],
    facts: Callable[[], dict[str, Any]],
    *,
    target: Path | None,
    port: int | None,
    json_file: str | None,
) -> None:
    """Do as the options say.

    Args:
        text: makes the OpenMetrics text as it is now.
        facts: makes the same for programs that do not read OpenMetrics.
        target: file for the text.
        port: to answer on, until Ctrl-C.
        json_file: file for the facts; ``-`` prints them instead of the text.

    Raises:
        UsageError: the file cannot be written, or the port is taken.
    """
    from securefl.files import replace_file

    if port is not None:
        _serve(text, port)
        return
    if json_file is not None:
        write_json(facts(), json_file)
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


def moment(at: datetime | None) -> str | None:
    """A time as the JSON of metrics writes it; None where there is none."""
    return None if at is None else time_text(at)


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
