"""Markup in which outside text can only ever be text: strings are escaped where they enter, markup
is a type of its own (:class:`markupsafe.Markup`).
"""

from __future__ import annotations

import html
import re

from markupsafe import Markup

from securefl.report.characters import shown

_BLANKS = re.compile(r"\s{2,}")


def escaped(text: str) -> Markup:
    r"""Text as markup: what HTML obeys is escaped, what a screen obeys is spelled out, runs of
    blanks are one.

    >>> print(escaped('<b onclick="x">\u202e&'))
    &lt;b onclick=&quot;x&quot;&gt;&lt;U+202E&gt;&amp;
    """
    if not (text.isascii() and text.isprintable()):  # most texts need no look at each character
        text = shown(text, own_lines=True)
    # A number and its per cent stay on one line.
    return Markup(html.escape(_BLANKS.sub(" ", text)).replace(" %", "\u00a0%"))  # noqa: S704 - escaped here


def element(name: str, /, *children: str | None, **attributes: str | float | None) -> Markup:
    """An element. Strings among the children and all attribute values are escaped; None is left
    out.

    ``class_`` stands for ``class``, an underscore inside a name for a hyphen.

    >>> print(element("text", "a < b", class_="note", text_anchor='"', id=None))
    <text class="note" text-anchor="&quot;">a &lt; b</text>
    """
    opened = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{opened}>{joined(*children)}</{name}>")  # noqa: S704 - of escaped parts


def joined(*children: str | None) -> Markup:
    """Children one after the other; strings that are not markup are escaped."""
    return Markup().join(
        c if isinstance(c, Markup) else escaped(c) for c in children if c is not None
    )
