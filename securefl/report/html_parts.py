"""HTML in which outside text can only ever be text: strings are escaped where they enter, markup is
a type of its own.

A page is one file: no script, no network, no picture from elsewhere. Its content policy (a meta
element) forbids all of them and allows exactly one stylesheet, by hash, so that even markup that
slipped through could load or style nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from typing import TypeAlias

from securefl.report.characters import shown

_BLANKS = re.compile(r"\s{2,}")
#: A table of so few rows is kept on one sheet of paper.
_SHORT = 8
_VOID = frozenset({"meta", "br", "hr"})
#: Elements after which the source takes a new line, for those who read or compare it.
_LINES = frozenset(
    {
        "meta",
        "title",
        "style",
        "head",
        "section",
        "header",
        "footer",
        "nav",
        "h1",
        "h2",
        "h3",
        "p",
        "tr",
        "tbody",
        "thead",
        "table",
        "div",
        "figure",
        "svg",
        "dl",
        "ul",
        "details",
    }
)


class Html(str):
    """Markup that stands as it is."""

    __slots__ = ()


Child: TypeAlias = "Html | str | int | None"


def escaped(text: str) -> Html:
    r"""Text as markup: what HTML obeys is escaped, what a screen obeys is spelled out, runs of
    blanks are one.

    >>> print(escaped('<b onclick="x">\u202e&'))
    &lt;b onclick=&quot;x&quot;&gt;&lt;U+202E&gt;&amp;
    """
    if not (
        text.isascii() and text.isprintable()
    ):  # the common case needs no look at each character
        text = shown(text, own_lines=True)
    # A number and its per cent stay on one line.
    return Html(html.escape(_BLANKS.sub(" ", text)).replace(" %", "\u00a0%"))


def tag(element: str, /, *children: Child, **attributes: str | float | bool | None) -> Html:
    """An element. Strings among the children and all attribute values are escaped; None is left
    out.

    ``class_`` stands for ``class``, an underscore inside a name for a hyphen; True is an attribute
    without value.

    >>> print(tag("b", "a < b", tag("br"), class_="note", aria_label='"', hidden=True, id=None))
    <b class="note" aria-label="&quot;" hidden>a &lt; b<br></b>
    """
    opened = element
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        opened += f" {key.rstrip('_').replace('_', '-')}"
        if value is not True:
            opened += f'="{escaped(str(value))}"'
    end = "\n" if element in _LINES else ""
    return (
        Html(f"<{opened}>{end}")
        if element in _VOID
        else Html(f"<{opened}>{joined(*children)}</{element}>{end}")
    )


def joined(*children: Child) -> Html:
    """Children one after the other."""
    return Html(
        "".join(c if isinstance(c, Html) else escaped(str(c)) for c in children if c is not None)
    )


def said(text: str) -> Html:
    """Text from outside, kept from turning the direction of what stands around it."""
    return tag("bdi", text)


def document(title: str, body: Html, *, style: str, language: str = "en") -> str:
    """A whole page that stands alone.

    Args:
        title: for the window and the printed page.
        body: what stands in ``<body>``.
        style: the stylesheet; a constant of ours, never made from outside text.
        language: of the page's words (BCP 47).
    """
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        Html(
            '<meta http-equiv="Content-Security-Policy"'
            f' content="{html.escape(policy, quote=True)}">'
        ),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        Html(f"<style>{style}</style>"),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', body), lang=language)}\n"


def table(
    caption: str,
    heads: list[Html | str],
    groups: list[list[list[Html | str]]],
    *,
    right: frozenset[int] = frozenset(),
    titles: list[Html | None] | None = None,
) -> Html:
    """A table with a caption and column headings; a narrow screen scrolls it alone.

    Args:
        caption: says what the table is.
        heads: one heading a column.
        groups: rows in groups, a ``tbody`` each; the first cell of a row is its heading.
        right: columns of figures.
        titles: a line over each group, as long as the table is wide; None for none.
    """

    def kind(column: int) -> str | None:
        return "figure" if column in right else None

    bodies = []
    for number, rows in enumerate(groups):
        over = titles[number] if titles else None
        lines = (
            []
            if over is None
            else [tag("tr", tag("th", over, scope="rowgroup", colspan=len(heads)), class_="over")]
        )
        for row in rows:
            first, *rest = row
            cells = [
                tag("th", first, scope="row", class_=kind(0)),
                *(tag("td", c, class_=kind(i)) for i, c in enumerate(rest, 1)),
            ]
            lines.append(tag("tr", *cells))
        bodies.append(tag("tbody", *lines))
    made = tag(
        "table",
        tag("caption", caption),
        tag(
            "thead",
            tag("tr", *(tag("th", h, scope="col", class_=kind(i)) for i, h in enumerate(heads))),
        ),
        *bodies,
    )
    short = sum(map(len, groups)) <= _SHORT
    return tag(
        "div",
        made,
        class_="scroll short" if short else "scroll",
        role="region",
        aria_label=caption,
        tabindex=0,
    )
