"""Nouns in which a command speaks: those of the study that it is about, or of all studies of its
folder where they agree.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.study.words import Words

_SPOKEN: ContextVar[Words | None] = ContextVar("nouns of this command", default=None)


def spoken() -> Words:
    """Nouns of this command; hospitals and patients until a study says otherwise."""
    from securefl.study.words import USUAL

    return _SPOKEN.get() or USUAL


def speak(words: Words | None) -> None:
    """Speak in these nouns from now on; in the usual ones for None."""
    _SPOKEN.set(words)


def speak_as_file(text: bytes) -> None:
    """Speak as this study file does, where it says how; it need not be valid otherwise."""
    from securefl.study.parse import words_in

    found = words_in(text)
    if not found.usual:
        speak(found)


def speak_as_folder(folder: Path) -> None:
    """Speak as the studies in this party's folder do."""
    from securefl.party.nouns import nouns_of

    speak(nouns_of(folder))
