"""Nouns of a party's folder: what all of its studies call parties and subjects."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

from securefl.files import names_in, read_file
from securefl.study.parse import MAX_BYTES, words_in
from securefl.study.words import USUAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from securefl.study.words import Words


def nouns_of(folder: Path) -> Words:
    """Nouns on which all studies kept in this folder agree; else hospitals and patients.

    A file that cannot be read is passed over: whoever needs it will say so.
    """
    studies = folder / "studies"
    names = tuple(names_in(studies))
    with suppress(OSError):
        return _agreed(_words_once(studies, name) for name in names)
    return _agreed(_readable(studies, names))


def _agreed(found: Iterable[Words]) -> Words:
    different = set(found)
    if len(different) == 1:
        return different.pop()
    return USUAL


def _readable(studies: Path, names: Iterable[str]) -> Iterator[Words]:
    for name in names:
        with suppress(OSError):
            yield _words_once(studies, name)


@lru_cache(maxsize=32_768)
def _words_once(studies: Path, name: str) -> Words:
    """Nouns of one study, read once: a console asks at every page, and a study never changes."""
    return words_in(read_file(studies / name / "study.toml", MAX_BYTES))
