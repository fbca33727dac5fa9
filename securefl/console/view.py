"""Views and acts: one of each for whatever an owner sees or does in the browser.

A view reads facts in the reading desk's thread; an act calls one use case in the deciding desk's
thread and names the page that shows what came of it. A new page is a file in ``views/`` and its
line in :data:`securefl.console.views.VIEWS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from securefl.node.owner.folder import Site


@dataclass(frozen=True)
class Asked:
    """A request of a browser, as far as a view or an act may know it.

    Attributes:
        parts: what stands in the address, by the names of its places.
        query: what follows the question mark.
        form: fields of a form; empty for a page.
        now: UTC.
    """

    parts: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    now: datetime


@dataclass(frozen=True)
class View:
    """A page of the console.

    Attributes:
        path: its address in the session's room.
        template: draws it; gets what ``read`` returns.
        read: facts of the page, by the names that the template knows. Writes nothing.
        words: its link in the navigation; empty for a page that other pages lead to.
        live: drawn again by itself when something changed.
        alone: a whole document of its own, to print or hand on.
    """

    path: str
    template: str
    read: Callable[[Site, Asked], Mapping[str, Any]]
    words: str = ""
    live: bool = False
    alone: bool = False


@dataclass(frozen=True)
class Act:
    """Something that an owner does.

    Attributes:
        path: where its form is sent.
        act: does it; returns the address in the room that shows what came of it.
        back: address in the room of the page with the form, with the same places as ``path``.
    """

    path: str
    act: Callable[[Site, Asked], str]
    back: str


def sheet_number(asked: Asked) -> int:
    """Number of a sheet as somebody may have typed it into the address; 1 where it is none."""
    text = asked.query.get("page", "")
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        return 1
    return max(1, int(text))
