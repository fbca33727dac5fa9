"""Nouns of a party's folder: what all of its studies call parties and subjects."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from securefl.files import names_in, read_file
from securefl.study.parse import MAX_BYTES, words_in
from securefl.study.words import USUAL
from securefl.unchanged_file import UnchangedFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from securefl.study.words import Words


def nouns_of(folder: Path) -> Words:
    """Nouns on which all studies kept in this folder agree; else hospitals and patients.

    A file that cannot be read is passed over: whoever needs it will say so.
    """
    studies = folder / "studies"
    with suppress(OSError):
        return _agreed_once(studies)
    return _agreed(_readable(studies, names_in(studies)))


def _agreed(found: Iterable[Words]) -> Words:
    different = set(found)
    if len(different) == 1:
        return different.pop()
    return USUAL


def _readable(studies: Path, names: Iterable[str]) -> Iterator[Words]:
    for name in names:
        with suppress(OSError):
            yield _words_once(studies, name, "study.toml")


def _read(file: Path) -> Words:
    return words_in(read_file(file, MAX_BYTES))


def _read_all(studies: Path) -> Words:
    """As :func:`nouns_of`; a file that cannot be read is an error, which nobody remembers."""
    return _agreed(_words_once(studies, name, "study.toml") for name in names_in(studies))


#: A console asks for those of all studies at every page. A kept study is not written again, so all
#: are looked at only where one came or went: of thousands, the looks alone would be felt.
_words_once = UnchangedFiles(_read)
_agreed_once = UnchangedFiles(_read_all)
