"""Nouns of a party's folder: what all of its studies call parties and subjects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.files import entries, read_file
from securefl.study.parse import MAX_BYTES, words_in
from securefl.study.words import USUAL

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.study.words import Words


def nouns_of(folder: Path) -> Words:
    """Nouns on which all studies kept in this folder agree; else hospitals and patients.

    A file that cannot be read is passed over: whoever needs it will say so.
    """
    found = set()
    for study in entries(folder / "studies"):
        try:
            text = read_file(study / "study.toml", MAX_BYTES)
        except OSError:
            continue
        found.add(words_in(text))
    if len(found) == 1:
        return found.pop()
    return USUAL
