"""Records of a delimited text: RFC 4180, with line numbers and a bounded reach for what is broken.

A quoted field may hold separators, doubled quotation marks and line breaks; a record is then
several lines. What RFC 4180 allows is read exactly so: no record is ever made out of the inside of
a quote.

Of what it does not allow, one broken record must not decide how its neighbours are read (rule 10):

- a quotation mark inside a quoted field that is neither doubled nor at its end spoils that record.
  It goes on to its true end;
- a quote that a later line opens anew, or that is not closed within :data:`MOST_LINES`, was no
  quote that runs over lines: the line where it began is one broken record, and the next line begins
  a record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Lines and characters that one record may take.
MOST_LINES: Final = 1000
MOST_CHARACTERS: Final = 1 << 20
_QUOTE: Final = '"'
NOT_CLOSED = "a quotation mark is not closed"
NOT_DOUBLED = "a quotation mark inside a quoted text is not doubled"
TOO_LONG = f"it is longer than {MOST_CHARACTERS:,} characters"


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        line: where it begins, counted from 1.
        last: where it ends.
        fields: its values, as written; empty where it is broken.
        wrong: what is broken; ``None`` for a record as RFC 4180 has it.
    """

    line: int
    last: int
    fields: Sequence[str]
    wrong: str | None = None


def records(lines: Sequence[str], separator: str, first: int = 1) -> Iterator[Record]:
    """Split ``lines`` (without their line ends) into records.

    The first is line ``first`` of its file. Lines with nothing but blank space between records are
    passed over.
    """
    at = 0
    while at < len(lines):
        line = lines[at]
        if _QUOTE not in line:
            if line.strip():
                yield _checked(first + at, line.split(separator), len(line))
            at += 1
            continue
        record, used = _quoted(lines, at, separator, first + at)
        yield record
        at += used


def _checked(line: int, fields: Sequence[str], characters: int) -> Record:
    if characters > MOST_CHARACTERS:
        return Record(line, line, (), TOO_LONG)
    return Record(line, line, fields)


def _quoted(
    lines: Sequence[str],
    at: int,
    separator: str,
    number: int,
) -> tuple[Record, int]:
    """The record that begins at ``lines[at]``, and how many lines it takes."""
    reader = _Reader(separator)
    characters = 0
    for used, line in enumerate(lines[at : at + MOST_LINES], 1):
        characters += len(line)
        reader.feed(line)
        if reader.opened_anew or characters > MOST_CHARACTERS:
            break
        if not reader.inside:
            last = number + used - 1
            # Of a broken record no field is kept: where each ends is a guess.
            if reader.stray:
                return Record(number, last, (), NOT_DOUBLED), used
            return Record(number, last, reader.fields, None), used
    wrong = NOT_CLOSED
    if len(lines[at]) > MOST_CHARACTERS:
        wrong = TOO_LONG
    return Record(number, number, (), wrong), 1


@dataclass(slots=True)
class _Reader:
    """The fields of one record, fed line by line.

    Attributes:
        fields: those that are complete.
        inside: the last line ended inside a quote.
        stray: a quotation mark stood inside a quote, neither doubled nor at its end.
        opened_anew: such a mark stood where a field begins, right behind a separator or at the
            start of a line.
    """

    separator: str
    fields: list[str] = field(default_factory=list)
    inside: bool = False
    stray: bool = False
    opened_anew: bool = False
    _pieces: list[str] = field(default_factory=list)

    def feed(self, text: str) -> None:
        """Read one line; a line end inside a quote is kept as a line feed."""
        at = 0
        while True:
            if not self.inside:
                if not text.startswith(_QUOTE, at):
                    end = text.find(self.separator, at)
                    if end < 0:
                        self.fields.append(text[at:])
                        return
                    self.fields.append(text[at:end])
                    at = end + 1
                    continue
                self.inside = True
                at += 1
            closed = self._to_the_end_of_the_quote(text, at)
            if closed is None:
                return
            self.inside = False
            self.fields.append("".join(self._pieces))
            self._pieces.clear()
            if closed == len(text):
                return
            at = closed + 1  # behind the separator

    def _to_the_end_of_the_quote(self, text: str, at: int) -> int | None:
        """Return the place behind the closing mark; ``None`` where the quote runs on."""
        begin = at
        while True:
            end = text.find(_QUOTE, at)
            if end < 0:
                self._pieces += (text[at:], "\n")
                return None
            self._pieces.append(text[at:end])
            after = text[end + 1 : end + 2]
            if after in ("", self.separator):
                return end + 1
            self._pieces.append(_QUOTE)
            at = end + 1
            if after == _QUOTE:
                at += 1
                continue
            self.stray = True
            if text[end - 1 : end] == self.separator or (end == 0 and begin == 0):
                self.opened_anew = True
