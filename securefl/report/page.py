"""A page for people as data. It knows neither terminal nor browser: :mod:`securefl.report.terminal`,
:mod:`securefl.report.html` and :mod:`securefl.report.markdown` draw it.

Every string is taken literally, wherever it came from: no renderer reads markup in it, and each
spells out characters that a screen obeys or counts otherwise (:mod:`securefl.report.characters`).
Texts of another party are :class:`Quoted`, or :class:`Outside` where they stand beside other words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable


class Tone(StrEnum):
    """Meaning of words that a renderer may colour; the words themselves say it too."""

    PLAIN = ""
    STRONG = "strong"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    QUIET = "quiet"


# Words: spans of text that stand beside each other.


@dataclass(frozen=True)
class Span:
    """Some words in one tone."""

    text: str
    tone: Tone = Tone.PLAIN

    @property
    def spoken(self) -> str:
        """The words as they are read."""
        return self.text


@dataclass(frozen=True)
class Outside(Span):
    """Words of another party beside ours; their script may run from right to left."""


@dataclass(frozen=True)
class Code(Span):
    """Something to compare or to type: a digest, a key, a command."""


@dataclass(frozen=True)
class State(Span):
    """The state of something in a table, with a mark of its own."""


@dataclass(frozen=True)
class Moment(Span):
    """A time (UTC, ISO 8601), shown to the minute."""

    @property
    def day(self) -> str:
        """Year, month and day."""
        return self.text[:10]

    @property
    def minute(self) -> str:
        """Hours and minutes."""
        return self.text[11:16]

    @property
    def spoken(self) -> str:
        """Day and minute."""
        return f"{self.day} {self.minute}"


@dataclass(frozen=True)
class Link(Span):
    """Words that lead to the section with this anchor, on the same page."""

    anchor: str = ""


Words: TypeAlias = "str | Span | tuple[str | Span, ...]"


def spans(words: Words) -> tuple[Span, ...]:
    """Words as spans.

    >>> spans(("is ", Span("verified", Tone.GOOD)))[0]
    Span(text='is ', tone=<Tone.PLAIN: ''>)
    """
    if isinstance(words, str):
        return (Span(words),)
    if isinstance(words, Span):
        return (words,)
    return tuple(span for part in words for span in spans(part))


# Blocks: what stands below each other.


class Block:
    """One part of a page; each renderer knows how to draw each kind."""


@dataclass(frozen=True)
class Paragraph(Block):
    """Words on lines of their own.

    ``lead`` sets them larger where a renderer can; ``paper`` is for a printed page alone, where a
    renderer tells it from a screen.
    """

    words: Words
    tone: Tone = Tone.PLAIN
    lead: bool = False
    paper: bool = False


@dataclass(frozen=True)
class Gap(Block):
    """Room between two blocks of one section."""


@dataclass(frozen=True)
class Lines(Block):
    """Words, each on a line of its own."""

    items: tuple[Words, ...]


@dataclass(frozen=True)
class Bullets(Block):
    """A list."""

    items: tuple[Words, ...]


@dataclass(frozen=True)
class Quoted(Block):
    """Another party's words, marked on every line, so that they cannot pass for the page's own.

    With ``fill`` lines are filled anew, and an empty line begins a paragraph; without it they break
    where they did. In a row of a table it stands last.
    """

    text: str
    fill: bool = True
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class Bar(Block):
    """A budget as a bar: used, asked for, left. Shares of 0 to 1; the words beside it say the same."""

    used: Decimal
    asked: Decimal = Decimal(0)


Value: TypeAlias = "Words | Block"


@dataclass(frozen=True)
class Facts(Block):
    """Labels and values."""

    rows: tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class Group(Block):
    """Blocks that belong together, as the value of a fact or the body of a section."""

    blocks: tuple[Block, ...]


Row: TypeAlias = "tuple[Value, ...]"


@dataclass(frozen=True)
class RowGroup:
    """Rows of a table below a title of their own."""

    title: Words
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table(Block):
    """A table.

    Args:
        heads: one a column; empty for a table without a line of heads.
        rows: cells as words, lines or, last in the row, another party's words.
        right: columns of figures, set flush right.
        caption: says what the table is, where its section does not.
        groups: further rows, below titles of their own.
        least: width of the first column, in letters.
    """

    heads: tuple[str, ...]
    rows: tuple[Row, ...] = ()
    right: frozenset[int] = frozenset()
    caption: str = ""
    groups: tuple[RowGroup, ...] = ()
    least: int = 0


@dataclass(frozen=True)
class Records(Block):
    """Rows whose first cell is a name that must stay whole, so that it can be copied.

    On a narrow screen each name has a line of its own, and its row follows below it, each cell
    after its head.
    """

    heads: tuple[str, ...]
    rows: tuple[tuple[Words, ...], ...]
    right: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Spoken:
    """One line of a picture in words, with what a terminal draws before it.

    Args:
        words: for those who do not see the picture.
        bar: pieces of a bar, each a share of the whole with a letter of ``█▒░``.
        curve: levels of 0 to 1, from left to right.
    """

    words: str
    bar: tuple[tuple[float, str], ...] = ()
    curve: tuple[float, ...] = ()


@dataclass(frozen=True)
class Key:
    """One entry of a picture's legend.

    Args:
        fill: a class of ``static/picture.css``.
        words: its meaning.
        curve: what a terminal draws for it, levels of 0 to 1 from left to right.
    """

    fill: str
    words: str
    curve: tuple[float, ...] = ()


@dataclass(frozen=True)
class Picture(Block):
    """A picture with the same in words.

    Args:
        svg: inline SVG (:mod:`securefl.report.svg`); only markup stands as it is.
        spoken: the picture line by line.
        caption: below it.
        legend: what its fills mean.
    """

    svg: str
    spoken: tuple[Spoken, ...]
    caption: str = ""
    legend: tuple[Key, ...] = ()


@dataclass(frozen=True)
class Command(Block):
    """A command to type, and what it does."""

    command: str
    does: str


@dataclass(frozen=True)
class Notice(Block):
    """Blocks in a frame: what a reader must not overlook. ``fault`` is the fault itself."""

    heading: str
    blocks: tuple[Block, ...]
    tone: Tone
    fault: str = ""


@dataclass(frozen=True)
class Details(Block):
    """Blocks that a browser shows on demand, or at once where ``open``."""

    summary: str
    blocks: tuple[Block, ...]
    open: bool = False


@dataclass(frozen=True)
class Glossary(Block):
    """Terms, each with its meaning."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Section(Block):
    """A heading and what belongs to it.

    Args:
        heading: its first line; empty for sections that only a sheet of paper keeps together.
        blocks: below it; sections in it are one level lower.
        anchor: by which a :class:`Link` finds it.
        role: its class in the stylesheet, which says where sheets of paper begin.
    """

    heading: Words
    blocks: tuple[Block, ...]
    anchor: str = ""
    role: str = ""


@dataclass(frozen=True, repr=False)
class Page:
    """A whole page.

    Args:
        title: its first line; empty where a notice is all there is.
        blocks: below it.
        under: a line below the title.
        footer: the last line.
        window: the title of a browser's window, where it is not the page's.
        role: its class in the stylesheet, which says what stands at the foot of its sheets.
    """

    title: Words
    blocks: tuple[Block, ...]
    under: Words = ""
    footer: str = ""
    window: str = ""
    role: str = ""

    def __repr__(self) -> str:
        """The page as text, as a Python session and ``print`` show it."""
        from securefl.report.terminal import plain_text

        return plain_text(self)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """HTML in a frame for a notebook, with the same page as text beside it."""
        from securefl.report.notebook import notebook_forms

        return notebook_forms(self)


# Builders that take what a page happens to have: strings are paragraphs, and parts without words are
# left out.

T = TypeVar("T")


def when(condition: object, part: T) -> T | None:
    """The part where the condition holds, else nothing."""
    return part if condition else None


def blocks(*parts: Value | None) -> tuple[Block, ...]:
    """Parts as blocks."""
    return tuple(
        p if isinstance(p, Block) else Paragraph(p)
        for p in parts
        if p is not None and not _is_empty(p)
    )


def _is_empty(part: Value) -> bool:
    """Test for a part that holds nothing; a gap holds nothing and is a part all the same."""
    match part:
        case str():
            return not part
        case Bullets(items) | Lines(items):
            return not items
        case Facts(rows) | Glossary(rows):
            return not rows
        case Section(_, body) | Group(body):
            return not body
        case Table(_, rows, groups=groups):
            return not rows and not groups
        case _:
            return False


def page(title: Words, *parts: Value | None) -> Page:
    """A page of these parts."""
    return Page(title, blocks(*parts))


def joined(first: Page, *more: Page) -> Page:
    """The first page with what stands on the others below it; their titles are left out."""
    return replace(first, blocks=(*first.blocks, *(b for other in more for b in other.blocks)))


def section(heading: Words, *parts: Value | None) -> Section:
    """A section of these parts; without any a page leaves it out, heading and all."""
    return Section(heading, blocks(*parts))


def group(*parts: Value | None) -> Group:
    """Parts that belong together."""
    return Group(blocks(*parts))


def facts(rows: Iterable[tuple[str, Value | None] | None]) -> Facts:
    """Labels and values; a row of None, of a label with None, or with a list of nothing, is left
    out.
    """
    kept: list[tuple[str, Value]] = []
    for row in rows:
        if row is None:
            continue
        label, value = row
        if isinstance(value, str) or (value is not None and not _is_empty(value)):
            kept.append((label, value))
    return Facts(tuple(kept))


def bullets(items: Iterable[Words]) -> Bullets:
    """A list of these items."""
    return Bullets(tuple(items))
