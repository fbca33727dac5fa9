"""Display of a session's objects: a short line in a terminal, a small table in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: A longer text is cut: an object's line is for recognising it, not for reading it.
_LONGEST = 60

#: Colours of a table in a notebook, on a light and on a dark screen; nothing else of it is styled.
_STYLE = (
    ".securefl-shown{color:#1b2733;background:#fff;text-align:left}"
    "@media(prefers-color-scheme:dark){.securefl-shown{color:#e3e9ef;background:#141c24}}"
)


class Shown:
    """Base of classes that show themselves by a few facts; each says which in ``_shown``.

    Texts of others stay on their line.

    >>> class Room(Shown):
    ...     def _shown(self):
    ...         return [("name", "attic"), ("chairs", "4")]
    >>> Room()
    <Room: attic, chairs 4>
    """

    def _shown(self) -> Sequence[tuple[str, str]]:
        """Name and value of each fact; the first is what the object is called."""
        raise NotImplementedError

    def __repr__(self) -> str:
        (_, first), *rest = self._shown()
        parts = [f"{type(self).__name__}: {_line(first)}"]
        parts += [f"{name} {_line(value)}" for name, value in rest]
        return f"<{', '.join(parts)}>"

    def _repr_html_(self) -> str:
        """Table for a notebook, in the colours of a light or a dark screen."""
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
