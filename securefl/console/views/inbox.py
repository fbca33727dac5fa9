"""Inbox: the requests that came in, a screenful at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from securefl.console.view import Act, View, sheet_number
from securefl.node.owner import requests
from securefl.node.owner.status import agent_runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.console.view import Asked
    from securefl.node.owner.folder import Site

#: Requests on one page.
ROWS: Final = 25


def _read(site: Site, asked: Asked) -> Mapping[str, Any]:
    number = sheet_number(asked)
    part = requests.inbox_part(site, (number - 1) * ROWS, ROWS)
    return {
        "part": part,
        "number": number,
        "last": max(1, -(-part.total // ROWS)),
        "agent_runs": agent_runs(site),
        "fetched": "fetched" in asked.query,
    }


def _fetch(site: Site, _: Asked) -> str:
    requests.take_in_requests(site, _nobody)
    return "inbox?fetched"


def _nobody(_: str) -> None:
    """Take what an exchange says of messages that were put aside: the status page counts them."""


VIEWS = (View("/inbox", "inbox.html", _read, words="Requests", live=True),)
ACTS = (Act("/inbox/fetch", _fetch, "inbox"),)
