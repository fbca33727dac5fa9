"""Views, drafts and acts: one of each for whatever an owner sees or does in the browser.

A view reads facts in the reading desk's thread. An act calls one use case in the deciding desk's
thread and names the page that shows what came of it. A draft stands between a form and an act that
cannot be undone: it takes the form, says what would happen, and has the form of the act below it.
A new page is a file in ``views/`` and its line in :data:`securefl.console.views.VIEWS`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from securefl.errors import UsageError
from securefl.utc_times import time_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from securefl.node.owner.folder import Site
    from securefl.report.page import Page


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

    @property
    def at(self) -> str:
        """The time in ISO 8601, as ledgers and signed words have it."""
        return time_text(self.now)


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
        counts: true where it reads the owner's rows: it is then done at the desk that reads, so
            that no decision waits for a count.
    """

    path: str
    act: Callable[[Site, Asked], str]
    back: str
    counts: bool = False


@dataclass(frozen=True)
class Planned:
    """What would happen, and the form that is the owner's yes.

    Attributes:
        page: says it.
        act: address in the room of the act; empty for a page that only tells what was found.
        button: its words.
        busy: the button's words while it works.
        fields: that the form carries on unseen.
        typed: what has to be typed; empty where a press of the button is enough.
        two: names of the people of whom two have to type their passphrases; empty for none.
        nothing: true where there is nothing to do: the page has no form.
    """

    page: Page
    act: str = ""
    button: str = ""
    busy: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    typed: str = ""
    two: tuple[str, ...] = ()
    nothing: bool = False


@dataclass(frozen=True)
class Draft:
    """A page that a form leads to, before the owner's yes. It writes nothing.

    A form and not an address: what stands in it, such as a patient's identifier, stays out of the
    browser's history.

    Attributes:
        path: where its form is sent.
        plan: at the reading desk, as a view's facts are.
        back: as an act's.
    """

    path: str
    plan: Callable[[Site, Asked], Planned]
    back: str


def check_typed(asked: Asked, expected: str) -> None:
    """Refuse an act whose subject was not named: nobody signs by a slip of the hand.

    Raises:
        UsageError: another name was typed.
    """
    typed = asked.form.get("typed", "").strip()
    if typed != expected:
        raise UsageError(
            f"What you typed is not {expected}. Nothing was done.",
            next_step="Go back, and type the name as it stands above the field.",
        )


def two_passphrases(asked: Asked) -> dict[str, str]:
    """Passphrases of two people by name, as :class:`Planned` asks for them; none where none came."""
    given = {}
    for number in ("1", "2"):
        name = asked.form.get(f"person-{number}", "")
        if name:
            given[name] = asked.form.get(f"passphrase-{number}", "")
    return given


def whole_number(text: str) -> int | str:
    """A number of a form, of at most five digits; what is none is left to the rule that it is for."""
    short = text.isascii() and text.isdigit() and len(text) < 6
    return int(text) if short else text


def sheet_number(asked: Asked) -> int:
    """Number of a sheet as somebody may have typed it into the address; 1 where it is none."""
    text = asked.query.get("page", "")
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        return 1
    return max(1, int(text))
