"""Places of each table and key of a study file, so that an error names its line.

tomllib gives values without places. This scanner walks text that tomllib has accepted: it knows
strings (a text that looks like a table header is none), comments, arrays, inline tables and arrays
of tables, and judges nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY_PART = re.compile(r"\"((?:[^\"\\\n]|\\.)*)\"|'([^'\n]*)'|([A-Za-z0-9_-]+)")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]}#\n]*")


def line_index(text: str) -> dict[Path, int]:
    """Path → line number (from 1) of every table, key and array item; array items count from 0.

    Args:
        text: valid TOML, also behind a byte-order mark. Of anything else the result is a guess,
            never an endless loop.
    """
    return _Scanner(text.removeprefix("\ufeff")).run()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._newlines = [m.start() for m in re.finditer("\n", text)]
        self._counts: dict[Path, int] = {}
        self._index: dict[Path, int] = {}

    def run(self) -> dict[Path, int]:
        base: Path = ()
        while self._skip_blank():
            start = self._at
            if self._text[start] == "[":
                base = self._header()
            else:
                self._pair(base)
            if self._at == start:  # not TOML: give up rather than turn in circles
                break
        return self._index

    def _skip_blank(self) -> bool:
        self._at = _BLANK.match(self._text, self._at).end()  # type: ignore[union-attr]
        return self._at < len(self._text)

    def _note(self, path: Path) -> None:
        self._index.setdefault(path, bisect_right(self._newlines, self._at - 1) + 1)

    def _key(self) -> Path:
        parts: list[str] = []
        while match := _KEY_PART.match(self._text, self._at):
            parts.append(next(g for g in match.groups() if g is not None))
            self._at = match.end()
            dot = _DOT.match(self._text, self._at)
            if dot is None:
                break
            self._at = dot.end()
        return tuple(parts)

    def _header(self) -> Path:
        array = self._text.startswith("[[", self._at)
        place = self._at
        self._at += 2 if array else 1
        self._skip_blank()
        *outer, last = self._key() or ("",)
        path: Path = ()
        for part in outer:  # a sub-table of an array belongs to its newest item
            path = (*path, part)
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        path = (*path, last)
        end = self._text.find("\n", self._at)
        self._at, after = place, len(self._text) if end < 0 else end
        if array:
            self._note(path)  # the list begins where its first item does
            self._counts[path] = self._counts.get(path, 0) + 1
            path = (*path, self._counts[path] - 1)
        self._note(path)
        self._at = after
        return path

    def _pair(self, base: Path) -> None:
        place = self._at
        key = self._key()
        for n in range(1, len(key) + 1):
            after = self._at
            self._at = place
            self._note((*base, *key[:n]))
            self._at = after
        self._skip_blank()
        if key and self._text.startswith("=", self._at):
            self._at += 1
            self._skip_blank()
            self._value((*base, *key))

    def _value(self, path: Path) -> None:
        if string := _STRING.match(self._text, self._at):
            self._at = string.end()
        elif self._text.startswith("[", self._at):
            self._inside(path, "]")
        elif self._text.startswith("{", self._at):
            self._inside(path, "}")
        else:
            self._at = _PLAIN.match(self._text, self._at).end()  # type: ignore[union-attr]

    def _inside(self, path: Path, close: str) -> None:
        """An array or inline table from its opening bracket to behind its closing one."""
        self._at += 1
        number = 0
        while self._skip_blank():
            start = self._at
            if self._text.startswith(close, start):
                self._at += 1
                return
            if self._text.startswith(",", start):
                self._at += 1
                number += 1
            elif close == "]":
                self._note((*path, number))
                self._value((*path, number))
            else:
                self._pair(path)
            if self._at == start:
                return
