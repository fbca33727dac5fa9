"""A page as Markdown: for the study's README beside a PySyft request, and for whoever reads it there.

Words of every origin are escaped, so that Markdown shows them literally.
"""

from __future__ import annotations

import re
from functools import singledispatch
from typing import TYPE_CHECKING

from securefl.report import page as pages
from securefl.report.characters import shown
from securefl.report.page import Block, Code, Page, Span, Value, Words, spans

if TYPE_CHECKING:
    from collections.abc import Iterable

_MARKUP = re.compile(
    r"([\\`*\[\]<>|~#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|&(?=[#A-Za-z])|(?<=\w)://|^\s*(?:[-+=]|\d+[.)])(?=\s|$|[-+=]))",
    re.MULTILINE,
)


def escaped(text: str) -> str:
    r"""Escape text from elsewhere so that Markdown shows it literally.

    No heading, link, picture or HTML comes out of it.

    >>> print(escaped("# A [link](x) <b>"))
    \# A \[link\](x) \<b\>
    """
    return _MARKUP.sub(_escape, shown(text, keep_lines=True, own_lines=True))


def _escape(match: re.Match[str]) -> str:
    found = match[0]
    if found == "://":
        return ":\\/\\/"  # no address becomes a link that could be clicked
    return found[:-1] + "\\" + found[-1]


def markdown(page: Page) -> str:
    """The page as Markdown, with a line at its end."""
    title = f"# {_line(page.title)}"
    parts = [_drawn(block, 2) for block in page.blocks]
    shown_parts = [part for part in (title, *parts) if part]
    return "\n\n".join(shown_parts) + "\n"


def _line(words: Words) -> str:
    return "".join(map(_span, spans(words)))


def _span(span: Span) -> str:
    # a backtick would end the code, and nothing in code can be escaped
    if isinstance(span, Code) and span.text.isprintable() and "`" not in span.text:
        return f"`{span.text}`"
    return _said(span.spoken)


def _said(text: str) -> str:
    # one paragraph: a line break could begin a block of its own
    joined = " ".join(text.split())
    before = ""
    if text[:1] == " ":
        before = " "
    after = ""
    if text[-1:] == " " and joined:
        after = " "
    return f"{before}{escaped(joined)}{after}"


@singledispatch
def _drawn(block: Block, _level: int) -> str:
    """The block as Markdown; kinds that no Markdown page has are not drawn."""
    raise TypeError(f"{type(block).__name__} has no shape in Markdown.")


@_drawn.register
def _(block: pages.Paragraph, _level: int) -> str:
    return _line(block.words)


@_drawn.register
def _(_block: pages.Gap, _level: int) -> str:
    return ""


@_drawn.register
def _(block: pages.Bullets, _level: int) -> str:
    return "\n".join(f"- {_line(item)}" for item in block.items)


@_drawn.register
def _(block: pages.Quoted, _level: int) -> str:
    lines = block.text.strip("\n").splitlines()
    return "\n".join(f"> {escaped(line.strip())}".rstrip() for line in lines) or ">"


@_drawn.register
def _(block: pages.Facts, _level: int) -> str:
    return "\n".join(f"- {_said(label)}: {_value(value)}" for label, value in block.rows)


def _value(value: Value) -> str:
    if isinstance(value, pages.Quoted):
        return _said(value.text)
    if isinstance(value, Block):
        raise TypeError(f"{type(value).__name__} has no shape in a line of Markdown.")
    return _line(value)


def _below(heading: str, blocks: Iterable[Block], level: int) -> str:
    parts = [_drawn(block, level) for block in blocks]
    return "\n\n".join([heading, *parts])


@_drawn.register
def _(block: pages.Notice, level: int) -> str:
    return _below(f"**{_said(block.heading)}**", block.blocks, level)


@_drawn.register
def _(block: pages.Details, level: int) -> str:
    return _below(f"**{_said(block.summary)}**", block.blocks, level)


@_drawn.register
def _(block: pages.Table, _level: int) -> str:
    """A line for each row, as "head: cell": a table's own signs would need other escapes."""
    rows = list(block.rows)
    for part in block.groups:
        rows += part.rows
    return "\n".join(f"- {_row(block.heads, row)}" for row in rows)


def _row(heads: tuple[str, ...], row: pages.Row) -> str:
    cells = [_value(cell) for cell in row]
    if not heads:
        return "; ".join(cells)
    pairs = zip(heads, cells, strict=True)
    return "; ".join(f"{_said(head)}: {cell}" for head, cell in pairs if cell)


@_drawn.register
def _(block: pages.Section, level: int) -> str:
    heading = f"{'#' * level} {_line(block.heading)}"
    return _below(heading, block.blocks, level + 1)
