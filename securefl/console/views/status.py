"""Running: the agent, the studies under way, what is waited for; pause and resume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from securefl.console.view import Act, View
from securefl.node.owner import agent
from securefl.node.owner.pages import pausing_words, status_page
from securefl.node.owner.requests import RequestState
from securefl.node.owner.status import read_status
from securefl.node.owner.stopping import stop_costs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.console.view import Asked
    from securefl.node.owner.folder import Site

#: Studies that are over and still listed.
OVER: Final = 20
_UNDER_WAY: Final = frozenset({RequestState.APPROVED, RequestState.RUNNING})


def _read(site: Site, _: Asked) -> Mapping[str, Any]:
    found = read_status(site, over=OVER)
    costs = stop_costs(site)
    return {
        "page": status_page(found),
        "found": found,
        "under_way": [study for study in found.studies if study.state in _UNDER_WAY],
        "costs": pausing_words(costs),
    }


def _pause(site: Site, asked: Asked) -> str:
    agent.pause(site, asked.form.get("note", "").strip())
    return "running"


def _resume(site: Site, _: Asked) -> str:
    agent.resume(site)
    return "running"


VIEWS = (View("/running", "running.html", _read, words="Running", live=True),)
ACTS = (Act("/pause", _pause, "running"), Act("/resume", _resume, "running"))
