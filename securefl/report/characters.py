"""Characters of other parties on a page: which are shown, how wide they are, where lines break.

A screen, rich and the C library count the width of thousands of characters differently: fillers,
emoji and their sequences, variation selectors, marks, characters of tomorrow's Unicode. Whoever
writes enough of them pushes words past the bar that marks them, into the first column of the page.
So only letters, digits and punctuation of assigned characters that every ruler counts alike are
shown as they are, and everything else is spelled ``<U+XXXX>``. Lines are broken here, by the widest
width that a terminal may give them (Unicode Standard Annex 11: ambiguous counts as wide), so that
the terminal never breaks one.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Blocks from which characters are shown, by their first and last code point; of these only those
#: of `_CATEGORIES`.
_BLOCKS = (
    (0x0020, 0x007E),  # Basic Latin
    (0x00A1, 0x02AF),  # Latin-1, Latin Extended A and B, phonetic letters
    (0x02BB, 0x02BC),  # apostrophes of names
    (0x0300, 0x034E),  # marks over Latin, Greek and Cyrillic letters
    (0x0370, 0x03FF),  # Greek
    (0x0400, 0x0487),  # Cyrillic
    (0x048A, 0x052F),
    (0x0531, 0x058F),  # Armenian
    (0x0591, 0x05F4),  # Hebrew
    (0x0600, 0x06FF),  # Arabic
    (0x0750, 0x077F),
    (
        0x0900,
        0x0DFF,
    ),  # Devanagari, Bengali, Gurmukhi, Gujarati, Oriya, Tamil, Telugu, Kannada, Malayalam, Sinhala
    (0x0E01, 0x0E5B),  # Thai
    (0x0E81, 0x0EDF),  # Lao
    (0x10A0, 0x10FF),  # Georgian
    (0x1C90, 0x1CBF),
    (0x1E00, 0x1FFF),  # Latin Extended Additional, Greek Extended
    (0x2010, 0x2027),  # dashes, quotation marks, dots
    (0x2030, 0x203A),  # per mille, primes, guillemets
    (0x2070, 0x209C),  # superscripts and subscripts
    (0x20A0, 0x20BF),  # currency signs
    (0x2200, 0x22FF),  # mathematical operators
    (0x3001, 0x3011),  # CJK punctuation
    (0x3014, 0x301B),
    (0x3041, 0x3096),  # Hiragana
    (0x3099, 0x309A),  # sound marks, which normalisation joins with their letter
    (0x309D, 0x30FF),  # Katakana
    (0x3400, 0x4DBF),  # CJK ideographs
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3),  # Hangul syllables
    (0xF900, 0xFAD9),  # CJK compatibility ideographs
    (0xFF01, 0xFF5E),  # fullwidth punctuation
    (0x20000, 0x323AF),  # CJK ideographs of rare names
)
_FIRSTS = [first for first, _ in _BLOCKS]
_CATEGORIES = frozenset(
    {
        "Lu",
        "Ll",
        "Lt",
        "Lm",
        "Lo",
        "Nd",
        "Nl",
        "No",
        "Pc",
        "Pd",
        "Ps",
        "Pe",
        "Pi",
        "Pf",
        "Po",
        "Sm",
        "Sc",
        "Sk",
        "Mn",
        "Mc",
    }
)
#: Symbols of no other kind: those of Latin-1 and of `_BLOCKS`, and those that the audit's page
#: marks states with.
_SIGNS = frozenset("¦©®°№™←↑→↓✓✕▸○")
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
#: Scripts stack no more marks on one letter; texts that cover their neighbours do.
_MOST_MARKS = 3
_BLANKS = re.compile(r" {2,}")


@cache
def _is_known(char: str) -> bool:
    if char in _SIGNS:
        return True
    _, last = _BLOCKS[max(0, bisect_right(_FIRSTS, ord(char)) - 1)]
    return ord(char) <= last and unicodedata.category(char) in _CATEGORIES


def is_mark(char: str) -> bool:
    """Test for a mark, which is drawn on the letter before it."""
    return unicodedata.category(char) in {"Mn", "Mc", "Me"}


def is_right_to_left(char: str) -> bool:
    """Test for a letter or digit of a script that is written from right to left."""
    return unicodedata.bidirectional(char) in _RIGHT_TO_LEFT


def spelled(char: str) -> str:
    """The character's number, in ASCII.

    >>> spelled(chr(0x3164))
    '<U+3164>'
    """
    return f"<U+{ord(char):04X}>"


def shown(text: str, *, keep_lines: bool = False, own_lines: bool = False) -> str:
    r"""``text`` with every character spelled out that is not known to be drawn, and to be as wide
    as it is counted.

    Args:
        text: from anywhere.
        keep_lines: keep line ends and tabs (as four blanks), for texts of several lines.
        own_lines: the text stands on lines that hold nothing after it. Only there are marks and
            scripts written from right to left shown as they are: beside other words, marks may be
            counted as nothing though they take a column, and such scripts may turn round what
            follows them.

    >>> print(shown("Study\x1b[2J\u202e[bold]"))
    Study<U+001B>[2J<U+202E>[bold]
    """
    if text.isascii() and text.isprintable():
        return text
    kept = text
    if keep_lines:
        kept = text.replace("\r\n", "\n").replace("\t", "    ")
    made: list[str] = []
    marks = _MOST_MARKS  # a mark with no letter before it has nothing to stand on
    for char in unicodedata.normalize("NFC", kept):
        if char == "\n" and keep_lines:
            made.append(char)
            marks = _MOST_MARKS
        elif unicodedata.category(char) == "Zs":
            made.append(" ")
            marks = _MOST_MARKS
        elif not _is_known(char):
            made.append(spelled(char))
            marks = _MOST_MARKS
        elif is_mark(char):
            made.append(char if own_lines and marks < _MOST_MARKS else spelled(char))
            marks += 1
        else:
            made.append(char if own_lines or not is_right_to_left(char) else spelled(char))
            marks = 0
    return "".join(made)


def needs_own_lines(text: str) -> bool:
    """Test for a text that is shown whole only on lines that hold nothing after it."""
    return not text.isascii() and any(
        is_mark(c) or is_right_to_left(c) for c in unicodedata.normalize("NFC", text)
    )


def columns(text: str) -> int:
    """The most columns that a terminal may draw of a text that :func:`shown` returned.

    Wide, fullwidth and ambiguous characters count two (Unicode Standard Annex 11), all others one,
    marks too.
    """
    if text.isascii():
        return len(text)
    return sum(
        2 if unicodedata.east_asian_width(c) in {"W", "F", "A"} and not is_mark(c) else 1
        for c in text
    )


def broken(line: str, width: int) -> list[str]:
    """Break one line of :func:`shown` text into lines of at most ``width`` columns.

    At blanks where there are any. A letter stays with its marks; a word longer than a line is cut.
    At least one line comes back.

    >>> broken("alpha beta gammagamma", 6)
    ['alpha', 'beta', 'gammag', 'amma']
    """
    lines: list[str] = []
    first, *words = line.split(" ")
    *whole, now = _cut(first, width)
    lines += whole
    for word in words:
        longer = f"{now} {word}"
        if columns(longer) <= width:
            now = longer
            continue
        lines.append(now.rstrip(" "))
        *whole, now = _cut(word, width)
        lines += whole
    return [*lines, now]


def _cut(word: str, width: int) -> list[str]:
    pieces = [""]
    for cluster in _clusters(word):
        if pieces[-1] and columns(pieces[-1] + cluster) > width:
            pieces.append("")
        pieces[-1] += cluster
    return pieces


def _clusters(word: str) -> Iterable[str]:
    """Letters, each with the marks on it."""
    made = ""
    for char in word:
        if made and not is_mark(char):
            yield made
            made = ""
        made += char
    yield made


def one_line(text: str) -> str:
    """``text`` as :func:`shown` beside other words, runs of blanks as one.

    No text reaches into the next line with them.
    """
    return _BLANKS.sub(" ", shown(text))


def quoted_lines(text: str, width: int, *, fill: bool = True) -> list[str]:
    """Break another party's text into lines of at most ``width`` columns.

    For a place that marks each of them as quoted.

    Args:
        text: as it came.
        width: columns; fewer than ten are taken as ten.
        fill: fill lines anew, an empty line begins a paragraph; without it lines break where they
            did.
    """
    kept = shown(text.strip("\n"), keep_lines=True, own_lines=True)
    if fill:
        kept = "\n\n".join(" ".join(part.split()) for part in re.split(r"\n[ ]*\n", kept))
    return [part for line in kept.split("\n") for part in broken(line, max(10, width))]
