"""What every page is made of. Text that came from elsewhere is shown literally: it can neither
style nor forge a page.

A study's title is written by somebody who wants a yes. So nothing from outside is ever read as rich
markup, characters that a screen obeys or counts otherwise are spelled out
(:mod:`securefl.report.characters`), and texts of other parties stand behind a bar on every line.
"""

from __future__ import annotations

import io
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.measure import Measurement
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from securefl.report.characters import one_line, quoted_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import ConsoleOptions, RenderableType, RenderResult

#: No page is wider, whatever the terminal.
WIDTH = 100
GOOD, BAD, WARN, DIM = "green", "bold red", "yellow", "dim"
#: Before every line of another party. A bar and a blank, and one column more where a terminal draws
#: the bar wide.
BAR = "│ "
BAR_COLUMNS = 3


def literal(text: str, style: str = "") -> Text:
    """Words beside others, in one style, never read as markup.

    Runs of blanks become one: with enough of them a text could reach into the next line and look
    like a part of the page.
    """
    return Text(one_line(text), style=style, overflow="fold")


def joined(*parts: Text | str) -> Text:
    """Texts one after the other; strings are taken literally."""
    return Text.assemble(*(p if isinstance(p, Text) else literal(p) for p in parts))


class Quoted:
    """Another party's words: a bar before every line, so that they cannot pass for the page's own.

    It stands last in its row, and its lines are broken before rich sees them
    (:func:`quoted_lines`). With ``fill`` lines are filled anew, and an empty line begins a
    paragraph; without it they break where they did.
    """

    def __init__(self, text: str, *, fill: bool = True, style: str = "") -> None:
        self._text = text
        self._fill = fill
        self._style = style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        style = console.get_style(self._style)
        for line in quoted_lines(self._text, options.max_width - BAR_COLUMNS, fill=self._fill):
            yield Segment(BAR, console.get_style(DIM))
            yield Segment(line, style)
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(12, options.max_width), options.max_width)


class _Page:
    """A page's parts, without the blanks at the ends of lines that only fill a screen."""

    def __init__(self, parts: Sequence[RenderableType]) -> None:
        self._parts = parts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        narrow = options.update(width=min(WIDTH, options.max_width))
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


def page(*parts: RenderableType) -> RenderableType:
    """A whole page, at most :data:`WIDTH` columns wide."""
    return _Page(parts)


def title(text: str) -> RenderableType:
    """The page's first line."""
    words = literal(text, "bold")
    return Group(
        words, Text("═" * min(words.cell_len, WIDTH), style=DIM, overflow="crop", no_wrap=True)
    )


def section(heading: str, *body: RenderableType | str) -> RenderableType:
    """A heading and what belongs to it, set in by two blanks. Strings are taken literally."""
    parts = [literal(b) if isinstance(b, str) else b for b in body]
    return Group(Text(""), literal(heading, "bold cyan"), Padding(Group(*parts), (0, 0, 0, 2)))


def bullets(lines: Iterable[Text | str]) -> RenderableType:
    """A list, each item with a dash and its further lines set in."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column(ratio=1, overflow="fold")
    for line in lines:
        grid.add_row(Text("–", style=DIM), line if isinstance(line, Text) else literal(line))
    return grid


def facts(rows: Iterable[tuple[str, RenderableType | str]]) -> RenderableType:
    """Labels and values in two columns. Strings are taken literally."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    for label, value in rows:
        grid.add_row(literal(label, DIM), literal(value) if isinstance(value, str) else value)
    return grid


def table(heads: Sequence[str], *, right: Sequence[int] = (), least: int = 0) -> Table:
    """An empty table with a rule under its heads; columns in ``right`` are set flush right, the
    first is ``least`` wide or more.
    """
    from rich import box

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for i, head in enumerate(heads):
        made.add_column(
            literal(head),
            justify="right" if i in right else "left",
            overflow="fold",
            min_width=None if i else least,
        )
    return made


class Records:
    """Rows whose first cell is a name that must stay whole, so that it can be copied: a table where
    the screen is wide enough for it.

    On a narrower screen each name has a line of its own, and its row follows below it, each cell
    after its head.
    """

    def __init__(
        self, heads: Sequence[str], rows: Sequence[Sequence[Text]], *, right: Sequence[int] = ()
    ) -> None:
        self._heads = heads
        self._rows = rows
        self._right = right

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        cells = [
            max(literal(head).cell_len, *(row[i].cell_len for row in self._rows))
            for i, head in enumerate(self._heads)
        ]
        if sum(cells) + 3 * len(cells) <= options.max_width:
            made = table(self._heads, right=self._right)
            for row in self._rows:
                made.add_row(*row)
            yield made
            return
        for row in self._rows:
            yield row[0]
            rest = Text("; ").join(
                joined(f"{head} ", cell)
                for head, cell in zip(self._heads[1:], row[1:], strict=True)
            )
            yield Padding(rest, (0, 0, 0, 4))


def bar(used: Decimal, asked: Decimal = Decimal(0), *, width: int = 40) -> Text:
    """A budget as a bar: used full, asked for hatched, left pale.

    Shares of 0 to 1; anything used shows at least one cell.
    """
    full = min(width, _cells(used, width))
    more = min(width - full, _cells(asked, width))
    return Text.assemble(
        ("█" * full, "blue"), ("▒" * more, WARN), ("░" * (width - full - more), DIM)
    )


def _cells(share: Decimal, width: int) -> int:
    cells = int((share * width).to_integral_value(rounding=ROUND_FLOOR))
    return max(1, cells) if share > 0 else 0


def bytes_words(count: int) -> str:
    """A size as people say it.

    >>> bytes_words(512), bytes_words(59_900), bytes_words(2_400_000)
    ('512 bytes', '59.9 kB', '2.4 MB')
    """
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:.1f} kB" if count < 999_950 else f"{count / 1_000_000:.1f} MB"


def plural(count: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> plural(1, "hospital"), plural(5, "hospital"), plural(0, "study", "studies")
    ('1 hospital', '5 hospitals', '0 studies')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def decimal_words(value: Decimal) -> str:
    """A decimal without exponent or trailing zeros.

    >>> decimal_words(Decimal("1e-5")), decimal_words(Decimal("4.980")), decimal_words(Decimal("40"))
    ('0.00001', '4.98', '40')
    """
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def day(time: str) -> str:
    """A time of the ledger (UTC, ISO 8601) to the minute.

    >>> day("2026-01-31T12:34:56Z")
    '2026-01-31 12:34 UTC'
    """
    return f"{time[:10]} {time[11:16]} UTC"


def plain_text(renderable: RenderableType, width: int = 80) -> str:
    """The page without colours, for files, mails and screens that cannot show them.

    Trailing blanks are removed.
    """
    file = io.StringIO()
    console = Console(
        file=file,
        width=min(width, WIDTH),
        force_terminal=False,
        color_system=None,
        legacy_windows=False,
        emoji=False,
        highlight=False,
    )
    console.print(renderable)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"
