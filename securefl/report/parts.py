"""What every page is made of. Text that came from elsewhere is shown literally: it can neither style nor forge a page.

A study's title is written by somebody who wants a yes. So nothing from outside is ever read as rich markup, characters
that a screen obeys instead of showing are spelled out, and longer texts stand behind a bar on every line.
"""

from __future__ import annotations

import io
import re
import unicodedata
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.constrain import Constrain
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import ConsoleOptions, RenderableType, RenderResult

#: No page is wider, whatever the terminal.
WIDTH = 100
GOOD, BAD, WARN, DIM = "green", "bold red", "yellow", "dim"
#: Controls, format marks (among them those that turn the direction of writing), line separators, unassigned.
_OBEYED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

_BLANKS = re.compile(r"\s{2,}")


def shown(text: str, *, keep_lines: bool = False) -> str:
    r"""``text`` with every character that a screen would obey spelled out.

    Args:
        text: from anywhere.
        keep_lines: keep line ends and tabs (as four blanks), for texts of several lines.

    >>> print(shown("Study\x1b[2J\u202e[bold]"))
    Study\u001b[2J\u202e[bold]
    """
    kept = text.replace("\r\n", "\n").replace("\t", "    ") if keep_lines else text
    return "".join(
        c if (c == "\n" and keep_lines) or unicodedata.category(c) not in _OBEYED else f"\\u{ord(c):04x}" for c in kept
    )


def literal(text: str, style: str = "") -> Text:
    """One line of text that came from elsewhere, in one style, never read as markup.

    Runs of blanks become one: with enough of them a text could reach into the next line and look like a part of the page.
    """
    return Text(_BLANKS.sub(" ", shown(text)), style=style, overflow="fold")


def joined(*parts: Text | str) -> Text:
    """Texts one after the other; strings are taken literally."""
    return Text.assemble(*(p if isinstance(p, Text) else literal(p) for p in parts))


class Quoted:
    """Somebody else's words: a bar before every line, however they break, so that they cannot pass for the page's own.

    With ``fill`` lines are filled anew, and an empty line begins a paragraph; without it they break where they did.
    """

    def __init__(self, text: str, *, fill: bool = True) -> None:
        lines = shown(text.strip("\n"), keep_lines=True)
        if fill:
            lines = "\n\n".join(" ".join(p.split()) for p in lines.split("\n\n"))
        self._text = Text(lines, overflow="fold")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        inner = options.update(width=max(10, options.max_width - 2))
        for line in console.render_lines(self._text, inner, pad=False):
            yield Segment("│ ", console.get_style(DIM))
            yield from line
            yield Segment.line()


def page(*parts: RenderableType) -> RenderableType:
    """A whole page, at most :data:`WIDTH` columns wide."""
    return Constrain(Group(*parts), WIDTH)


def title(text: str) -> RenderableType:
    """The page's first line."""
    return Group(literal(text, "bold"), Text("═" * min(len(shown(text)), WIDTH), style=DIM, overflow="crop", no_wrap=True))


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
    """An empty table with a rule under its heads; columns in ``right`` are set flush right, the first is ``least`` wide or more."""
    from rich import box

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for i, head in enumerate(heads):
        made.add_column(literal(head), justify="right" if i in right else "left", overflow="fold", min_width=None if i else least)
    return made


def bar(used: Decimal, asked: Decimal = Decimal(0), *, width: int = 40) -> Text:
    """A budget as a bar: used full, asked for hatched, left pale. Shares of 0 to 1; anything used shows at least one cell."""
    full = min(width, _cells(used, width))
    more = min(width - full, _cells(asked, width))
    return Text.assemble(("█" * full, "blue"), ("▒" * more, WARN), ("░" * (width - full - more), DIM))


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


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "hospital"), counted(5, "hospital"), counted(0, "study", "studies")
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
    """The page without colours, for files, mails and screens that cannot show them. Trailing blanks are removed."""
    file = io.StringIO()
    console = Console(file=file, width=min(width, WIDTH), force_terminal=False, color_system=None, legacy_windows=False, emoji=False, highlight=False)
    console.print(renderable)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"
