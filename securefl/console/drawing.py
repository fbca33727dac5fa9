"""Pages of the console as HTML: the frame around a :class:`~securefl.report.page.Page`, and forms.

The templates' rules are those of every page of ours (:func:`securefl.report.html.environment`).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from markupsafe import escape

from securefl.report.html import environment, html_blocks, html_words, stylesheet, window_title
from securefl.report.page import Moment

if TYPE_CHECKING:
    from jinja2 import Environment

#: Name of an asset → its kind.
ASSETS: Final = {
    "page.css": "text/css",
    "console.css": "text/css",
    "console.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


def draw(template: str, **facts: object) -> str:
    """Draw a template of the console with these facts."""
    return _templates().get_template(template).render(**facts)


@cache
def asset(name: str) -> str:
    """Text of an asset. Raises :class:`KeyError` for a name that is none."""
    if name not in ASSETS:
        raise KeyError(name)
    if name == "page.css":
        return stylesheet()
    return (files("securefl.console") / "static" / name).read_text("utf-8")


@cache
def _templates() -> Environment:
    made = environment("securefl.console")
    made.globals.update(
        blocks=html_blocks,
        words=html_words,
        moment=Moment,
        # what a form carries on unseen is sent back as it came: no character is spelled out
        exactly=escape,
        window_title=window_title,
    )
    return made
