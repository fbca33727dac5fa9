"""Sentences of pages in another language: a catalogue beside the English that the program writes.

A catalogue is a TOML file of pairs. What varies in a sentence has a name in braces, so the sentence
is found by its fixed words and said again around the same parts. A sentence that no pair fits stays
as it is: better another language than another meaning.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, NamedTuple

from securefl.report.wording import said_by

if TYPE_CHECKING:
    from securefl.report.page import Page

#: Languages beside English, each with its file in ``catalogues/``.
LANGUAGES: Final = ("de",)
#: A place in a sentence: its name, and how what stands there is said.
_PLACE: Final = re.compile(r"\{([a-z]+)(?::(number|say))?\}")
#: A figure that stands alone, also a share.
_FIGURE: Final = re.compile(r"[-+]?\d{1,3}(?:,?\d{3})*(?:\.\d+)?(?: %)?")
_SWAPPED: Final = str.maketrans(",.", ".,")
#: Texts that are remembered; a page has a few hundred.
_REMEMBERED: Final = 20_000
#: Letters of a text that is looked up: our sentences are shorter, and a pattern's time grows with it.
_LONGEST: Final = 1000


class _Pair(NamedTuple):
    """A sentence with places, and the same in the other language."""

    found: re.Pattern[str]
    said: str


class Catalogue:
    """Pairs of one language.

    Args:
        language: its code, as HTML names it.
        decimal: sign in decimal numbers.
        pairs: English to the other language.
    """

    def __init__(self, language: str, decimal: str, pairs: dict[str, str]) -> None:
        self.language = language
        self._swaps = decimal == ","
        self._whole = {left: right for left, right in pairs.items() if not _PLACE.search(left)}
        self._pairs = [
            _Pair(_pattern(left), right)
            for left, right in sorted(pairs.items(), key=_fixed, reverse=True)
            if _PLACE.search(left)
        ]
        self._known: dict[str, str] = {}

    def say(self, text: str) -> str:
        """A sentence in this language; as it is where no pair fits."""
        if len(text) > _LONGEST:
            return text
        if text not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[text] = self._said(text)
        return self._known[text]

    def knows(self, text: str) -> bool:
        """True where a pair fits, or the text is a figure."""
        if text in self._whole or _FIGURE.fullmatch(text):
            return True
        return any(pair.found.fullmatch(text) for pair in self._pairs)

    def page(self, page: Page) -> Page:
        """A page in this language; words of others, names and commands stay as they are."""
        return said_by(page, self)

    def _said(self, text: str) -> str:
        if text in self._whole:
            return self._whole[text]
        if _FIGURE.fullmatch(text):
            return self._number(text)
        for pair in self._pairs:
            match = pair.found.fullmatch(text)
            if match is not None:
                return _PLACE.sub(lambda place: self._part(match, place), pair.said)  # noqa: B023 - used at once
        return text

    def _part(self, match: re.Match[str], place: re.Match[str]) -> str:
        """What stood in a place, said as the place asks for."""
        part = match[place[1]]
        if place[2] == "number":
            return self._number(part)
        if place[2] == "say":
            return self.say(part)
        return part

    def _number(self, text: str) -> str:
        if self._swaps:
            return text.translate(_SWAPPED)
        return text


@cache
def catalogue(language: str) -> Catalogue:
    """The catalogue of a language; English where there is none."""
    if language not in LANGUAGES:
        return Catalogue("en", ".", {})
    file = files("securefl.report") / "catalogues" / f"{language}.toml"
    table = tomllib.loads(file.read_text("utf-8"))
    pairs: dict[str, str] = {}
    for part in table.values():
        if isinstance(part, dict):
            pairs |= part
    return Catalogue(table["language"], table["decimal"], pairs)


def preferred(header: str) -> str:
    """The language that a browser's ``Accept-Language`` likes best of those there are.

    >>> preferred("fr, de-AT;q=0.9, en;q=0.8"), preferred("en-GB,en;q=0.9,de;q=0.1"), preferred("")
    ('de', 'en', 'en')
    """
    best = 0.0
    chosen = "en"
    for item in header.split(",")[:20]:
        name, _, weight = item.partition(";q=")
        code = name.strip().lower().partition("-")[0]
        if code == "en" or code in LANGUAGES:
            value = _weight(weight)
            if value > best:
                best = value
                chosen = code
    return chosen


def _weight(text: str) -> float:
    """Weight of a language (RFC 9110, section 12.4.2); 1 where none is given, 0 for none at all."""
    if not text:
        return 1.0
    if not re.fullmatch(r"[01](\.\d{0,3})?", text.strip()):
        return 0.0
    return float(text)


def _fixed(pair: tuple[str, str]) -> int:
    """Count the letters of a sentence that do not vary: the one that says most is tried first."""
    return len(_PLACE.sub("", pair[0]))


def _pattern(sentence: str) -> re.Pattern[str]:
    """A sentence with places as a pattern of the whole text."""
    parts = []
    last = 0
    for place in _PLACE.finditer(sentence):
        parts.append(re.escape(sentence[last : place.start()]))
        shape = ".+?"
        if place[2] == "number":
            shape = r"[\d,.]+(?: [^\W\d_]+| %)?"
        parts.append(f"(?P<{place[1]}>{shape})")
        last = place.end()
    parts.append(re.escape(sentence[last:]))
    return re.compile("".join(parts), re.DOTALL)
