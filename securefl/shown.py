"""Display of a session's objects: a short line in a terminal, a page or a small table in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, ClassVar, Protocol

from securefl.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

#: A longer text is cut: an object's line is for recognising it, not for reading it.
_LONGEST = 60

#: A table takes the notebook's own colours, so it is light where that is light, and dark where dark.
_STYLE = ".securefl-shown{color:inherit;background:transparent;text-align:left}"


class Drawn(Protocol):
    """A page, as far as an object knows that hands it to a notebook."""

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """Its forms by media type."""


#: Pages of objects whose rooms lie below those that make pages.
OBJECT_PAGES: Registry[Callable[[Any], Drawn]] = Registry(
    "page",
    {
        "model": "securefl.report.shown_model:shown_model_page",
        "round": "securefl.report.round_record:round_record_page",
    },
)


class Shown:
    """Base of classes that show themselves by a few facts; each says which in ``_shown``.

    A notebook shows the object's page where it has one. Texts of others stay on their line.

    >>> class Room(Shown):
    ...     def _shown(self):
    ...         return [("name", "attic"), ("chairs", "4")]
    >>> Room()
    <Room: attic, chairs 4>
    """

    #: Name of its page in :data:`OBJECT_PAGES`, of a class that cannot make it itself.
    _page_name: ClassVar[str] = ""

    def page(self) -> Drawn | None:
        """Its page; None where it has none, and a small table is all that a notebook shows."""
        if not self._page_name:
            return None
        return OBJECT_PAGES[self._page_name](self)

    def _shown(self) -> Sequence[tuple[str, str]]:
        """Name and value of each fact; the first is what the object is called."""
        raise NotImplementedError

    def __repr__(self) -> str:
        (_, first), *rest = self._shown()
        parts = [f"{type(self).__name__}: {_line(first)}"]
        parts += [f"{name} {_line(value)}" for name, value in rest]
        return f"<{', '.join(parts)}>"

    def _repr_html_(self) -> str:
        """Its page for a notebook, or a small table; the line of ``repr`` is the text beside it."""
        page = self.page()
        if page is not None:
            return page._repr_mimebundle_()["text/html"]
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th><td"
            f" style='text-align:left'>{escape(_line(value))}</td></tr>"
            for name, value in self._shown()
        )
        return (
            f"<style>{_STYLE}</style><table class='securefl-shown'><caption"
            f" style='text-align:left'>{escape(type(self).__name__)}</caption>{rows}</table>"
        )


def _line(value: str) -> str:
    """Put a text on one short line; what a screen would obey becomes a blank."""
    one = "".join(sign if sign.isprintable() else " " for sign in value)
    if len(one) <= _LONGEST:
        return one
    return f"{one[: _LONGEST - 1]}…"
