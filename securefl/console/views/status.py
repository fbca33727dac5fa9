"""Running: the agent, the studies under way, what is waited for; pause and resume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from securefl.console.view import Act, View
from securefl.node.owner import agent
from securefl.node.owner.pages import status_page
from securefl.node.owner.status import read_status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.console.view import Asked
    from securefl.node.owner.folder import Site

#: Studies that are over and still listed.
OVER: Final = 20


def _read(site: Site, _: Asked) -> Mapping[str, Any]:
    found = read_status(site, over=OVER)
    return {"page": status_page(found), "found": found}


def _pause(site: Site, asked: Asked) -> str:
    agent.pause(site, asked.form.get("note", "").strip())
    return "running"


def _resume(site: Site, _: Asked) -> str:
    agent.resume(site)
    return "running"


VIEWS = (View("/running", "running.html", _read, words="Running", live=True),)
ACTS = (Act("/pause", _pause, "running"), Act("/resume", _resume, "running"))
