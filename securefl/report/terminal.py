"""A page in a terminal; the one module here that knows rich.

A study's title is written by somebody who wants a yes. So nothing is ever read as rich markup,
characters that a screen obeys or counts otherwise are spelled out
(:mod:`securefl.report.characters`), and texts of other parties stand behind a bar on every line.
"""

from __future__ import annotations

import io
from decimal import ROUND_FLOOR, Decimal
from functools import singledispatch
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.panel import Panel
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from securefl.report import page as pages
from securefl.report.characters import one_line, quoted_lines
from securefl.report.page import Block, Page, Span, Tone, Value, Words, spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import ConsoleOptions, RenderResult

#: No page is wider, whatever the terminal.
WIDTH = 100
#: Before every line of another party. A bar and a blank, and one column more where a terminal draws
#: the bar wide.
BAR = "│ "
BAR_COLUMNS = 3

_STYLES = {
    Tone.PLAIN: "",
    Tone.STRONG: "bold",
    Tone.GOOD: "green",
    Tone.WARN: "yellow",
    Tone.BAD: "bold red",
    Tone.QUIET: "dim",
}
_HEADING = "bold cyan"
_SUBHEADING = "bold"
_BAR_CELLS = 40
#: A table of more columns is not squeezed into a narrow screen.
_MANY = 4
_CURVE = "▁▂▃▄▅▆▇█"
_FILLS = {"tone0": "█ ", "left frame": "░ "}
#: A frame that is open to the right: a border there would have to know how wide the screen draws
#: every character before it.
_FRAME = box.Box("╭──╮\n│   \n├── \n│   \n├── \n├── \n│   \n╰──╯\n")


def drawn(page: Page | Block, *, most: int = WIDTH) -> RenderableType:
    """The page for a rich console, at most ``most`` columns wide."""
    if isinstance(page, Block):
        return _Narrow([_draw(page)], most)
    head: list[RenderableType] = []
    if page.title:
        title = _text(page.title, "bold")
        rule = Text(
            "═" * min(title.cell_len, most),
            style="dim",
            overflow="crop",
            no_wrap=True,
        )
        head = [title, rule]
    if page.under:
        head.append(_text(page.under, "dim"))
    body = [_draw(block) for block in page.blocks]
    if page.footer:
        body += [Text(""), _literal(page.footer, "dim")]
    return _Narrow([*head, *body], most)


def plain_text(page: Page | Block, width: int = 80, *, most: int = WIDTH) -> str:
    """The page without colours, for files, mails and screens that cannot show them.

    Trailing blanks are removed.
    """
    file = io.StringIO()
    console = Console(
        file=file,
        width=min(width, most),
        force_terminal=False,
        color_system=None,
        legacy_windows=False,
        emoji=False,
        highlight=False,
    )
    console.print(drawn(page, most=most))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


class _Narrow:
    """A page's parts, without the blanks at the ends of lines that only fill a screen."""

    def __init__(self, parts: Sequence[RenderableType], most: int) -> None:
        self._parts = parts
        self._most = most

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        narrow = options.update(width=min(self._most, options.max_width))
        for line in console.render_lines(Group(*self._parts), narrow, pad=False):
            yield from _without_blanks(line)
            yield Segment.line()


def _without_blanks(line: list[Segment]) -> list[Segment]:
    kept = list(line)
    while kept and not kept[-1].text.strip():
        kept.pop()
    if kept:
        kept[-1] = Segment(kept[-1].text.rstrip(), kept[-1].style, kept[-1].control)
    return kept


# Words


def _literal(text: str, style: str = "") -> Text:
    """Words beside others, in one style, never read as markup.

    Runs of blanks become one: with enough of them a text could reach into the next line and look
    like a part of the page.
    """
    return Text(one_line(text), style=style, overflow="fold")


def _text(words: Words, style: str = "") -> Text:
    """Words in their tones; those without one have ``style``."""
    parts = spans(words)
    if len(parts) == 1:
        return _literal(parts[0].spoken, _STYLES[parts[0].tone] or style)
    made = Text(style=style, overflow="fold")
    for part in parts:
        made.append_text(_literal(part.spoken, _STYLES[part.tone]))
    return made


def _if_any(text: str, style: str = "dim") -> list[Text]:
    """A line that a block may lack."""
    if not text:
        return []
    return [_literal(text, style)]


# Blocks


@singledispatch
def _draw(value: Value) -> RenderableType:
    """Words or a block for a rich console; a function below for each kind."""
    raise TypeError(f"{type(value).__name__} has no shape in a terminal.")


@_draw.register(str)
@_draw.register(tuple)
@_draw.register(Span)
def _(words: Words) -> RenderableType:
    return _text(words)


@_draw.register
def _(block: pages.Paragraph) -> RenderableType:
    style = _STYLES[block.tone]
    if block.lead:
        style = style or "bold"
    return _text(block.words, style)


@_draw.register
def _(_block: pages.Gap) -> RenderableType:
    return Text("")


@_draw.register
def _(block: pages.Lines) -> RenderableType:
    return Group(*map(_text, block.items))


@_draw.register
def _(block: pages.Group) -> RenderableType:
    return Group(*map(_draw, block.blocks))


@_draw.register
def _(block: pages.Bullets) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column(ratio=1, overflow="fold")
    for item in block.items:
        grid.add_row(Text("–", style="dim"), _text(item))
    return grid


@_draw.register
def _(block: pages.Quoted) -> RenderableType:
    return _Quotation(block)


class _Quotation:
    """Another party's lines, broken before rich sees them (:func:`quoted_lines`), each behind a
    bar.
    """

    def __init__(self, block: pages.Quoted) -> None:
        self._block = block

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        style = console.get_style(_STYLES[self._block.tone])
        quiet = console.get_style("dim")
        width = options.max_width - BAR_COLUMNS
        for line in quoted_lines(self._block.text, width, fill=self._block.fill):
            yield Segment(BAR, quiet)
            yield Segment(line, style)
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(12, options.max_width), options.max_width)


@_draw.register
def _(block: pages.Bar) -> RenderableType:
    return budget_bar(block)


def budget_bar(block: pages.Bar, width: int = _BAR_CELLS) -> Text:
    """A budget as a bar: used full, asked for hatched, left pale; anything used shows at least one
    cell.
    """
    full = min(width, _cells(block.used, width))
    more = min(width - full, _cells(block.asked, width))
    return Text.assemble(
        ("█" * full, "blue"), ("▒" * more, "yellow"), ("░" * (width - full - more), "dim")
    )


def _cells(share: Decimal, width: int) -> int:
    if share <= 0:
        return 0
    return max(1, int((share * width).to_integral_value(rounding=ROUND_FLOOR)))


@_draw.register
def _(block: pages.Facts) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    for label, value in block.rows:
        grid.add_row(_literal(label, "dim"), _draw(value))
    return grid


@_draw.register
def _(block: pages.Glossary) -> RenderableType:
    parts = ((_literal(term, "bold"), Padding(_literal(m), (0, 0, 0, 2))) for term, m in block.rows)
    return Group(*(part for pair in parts for part in pair))


@_draw.register
def _(block: pages.Table) -> RenderableType:
    caption = _if_any(block.caption)
    if not block.heads:
        return Group(*caption, _grid(block.rows))
    return Group(*caption, _Rows(block, block.groups))


@_draw.register
def _(block: pages.Records) -> RenderableType:
    return _Rows(block)


def _grid(rows: Sequence[pages.Row]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for row in rows:
        grid.add_row(*map(_draw, row))
    return grid


class _Rows:
    """A table; where names must stay whole or columns are many, and the screen is not wide enough
    for it, the first cell a line with its row below.
    """

    def __init__(
        self, block: pages.Table | pages.Records, groups: Sequence[pages.RowGroup] = ()
    ) -> None:
        self._block = block
        self._groups = groups
        self._every = (*block.rows, *(row for group in groups for row in group.rows))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        block = self._block
        widths = []
        for place, head in enumerate(block.heads):
            cells = (_cell(row[place]).cell_len for row in self._every)
            widths.append(max(_literal(head).cell_len, *cells, 0))
        fits = sum(widths) + 3 * len(widths) <= options.max_width
        if not fits and (isinstance(block, pages.Records) or len(block.heads) > _MANY):
            yield from self._below()
        elif self._groups:
            # titles run over all columns, which rich knows nothing of: a table a group
            yield self._ruled(block.rows, widths)
            for group in self._groups:
                yield _text(group.title, "bold")
                yield self._ruled(group.rows, widths, heads=False)
        else:
            yield self._ruled(block.rows)

    def _least(self) -> list[int]:
        widths = [0] * len(self._block.heads)
        if isinstance(self._block, pages.Table):
            widths[0] = self._block.least
        return widths

    def _below(self) -> RenderResult:
        for row in self._block.rows:
            yield from self._record(row)
        for group in self._groups:
            yield _text(group.title, "bold")
            for row in group.rows:
                yield from self._record(row)

    def _record(self, row: Sequence[Value]) -> RenderResult:
        yield _cell(row[0])
        rest = Text("; ").join(
            Text.assemble(_literal(f"{head} "), _cell(cell))
            for head, cell in zip(self._block.heads[1:], row[1:], strict=True)
            if cell
        )
        yield Padding(rest, (0, 0, 0, 4))

    def _ruled(
        self,
        rows: Sequence[Sequence[Value]],
        widths: Sequence[int] = (),
        *,
        heads: bool = True,
    ) -> Table:
        block = self._block
        made = Table(
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            header_style="bold",
            show_header=heads,
        )
        for i, (head, width) in enumerate(zip(block.heads, widths or self._least(), strict=True)):
            made.add_column(_literal(head), overflow="fold", min_width=width)
            if i in block.right:
                made.columns[i].justify = "right"
        for row in rows:
            made.add_row(*map(_cell, row))
        return made


def _cell(value: Value) -> Text:
    """The lines of a cell on one: rich would set lines of neighbouring cells beside each other."""
    if isinstance(value, pages.Lines):
        return Text(" · ").join(map(_text, value.items))
    if isinstance(value, Block):
        raise TypeError(f"{type(value).__name__} has no shape in a table with heads.")
    return _text(value)


@_draw.register
def _(block: pages.Picture) -> RenderableType:
    lines = [part for line in block.spoken for part in _spoken(line)]
    legend = [part for key in block.legend for part in _key(key)]
    return Group(*lines, *legend, *_if_any(block.caption))


def _spoken(line: pages.Spoken) -> list[Text]:
    """Draw a line of a picture: a bar or a curve, and its words below."""
    return [*_pieces(line.bar), *_curve(line.curve), _literal(line.words)]


def _pieces(bar: Sequence[tuple[float, str]]) -> list[Text]:
    """Pieces of a bar, each at least a cell where there is any of it."""
    letters = (letter * _cells(Decimal(repr(share)), _BAR_CELLS) for share, letter in bar)
    return _glyphs("".join(letters))


def _curve(levels: Sequence[float]) -> list[Text]:
    last = len(_CURVE) - 1
    return _glyphs("".join(_CURVE[round(v * last)] for v in levels))


def _glyphs(drawn: str) -> list[Text]:
    if not drawn:
        return []
    return [Text(drawn, style="blue")]


def _key(key: pages.Key) -> list[Text]:
    words = Text.assemble((_FILLS.get(key.fill, ""), "blue"), _literal(key.words, "dim"))
    return [*_curve(key.curve), words]


@_draw.register
def _(block: pages.Command) -> RenderableType:
    return Group(
        _literal(block.command, "bold"), Padding(_literal(block.does, "dim"), (0, 0, 0, 4))
    )


@_draw.register
def _(block: pages.Notice) -> RenderableType:
    style = _STYLES[block.tone]
    return Panel(
        Group(*_if_any(block.fault, style), *map(_draw, block.blocks)),
        title=_literal(block.heading, style),
        title_align="left",
        border_style=style.removeprefix("bold "),
        padding=(0, 1),
        box=_FRAME,
    )


@_draw.register
def _(block: pages.Details) -> RenderableType:
    summary = _literal(block.summary, "bold")
    if not block.open:
        return summary
    return Group(summary, *map(_draw, block.blocks))


@_draw.register
def _(block: pages.Section) -> RenderableType:
    return _section(block, _HEADING)


def _section(block: pages.Section, style: str) -> RenderableType:
    if not block.heading:
        return Group(*map(_draw, block.blocks))
    body: list[RenderableType] = []
    for part in block.blocks:
        if isinstance(part, pages.Section):
            body.append(_section(part, _SUBHEADING))
        else:
            body.append(_draw(part))
    return Group(Text(""), _text(block.heading, style), Padding(Group(*body), (0, 0, 0, 2)))
