"""Page in the nouns of its study (:mod:`securefl.study.words`).

Words of another party, names, commands and times stay as they are; everything else is a sentence of
ours, also inside pictures.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from functools import singledispatch
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from markupsafe import Markup

from securefl.report import page as pages

if TYPE_CHECKING:
    from securefl.study.words import Words

T = TypeVar("T")


class Speaker(Protocol):
    """Whoever says a sentence of ours another way."""

    def say(self, text: str) -> str:
        """The sentence as this one says it."""


#: Fields of parts that programs read: anchors and classes.
_NAMES = frozenset({"anchor", "role", "fill", "command"})


def in_words(
    part: T,
    words: Words,
) -> T:
    """A page, or a part of one, in these nouns."""
    if words.usual:
        return part
    return said_by(part, words)


def said_by(part: T, speaker: Speaker) -> T:
    """A page, or a part of one, as somebody says it."""
    said: T = _said(part, speaker)
    return said


def words_rows(words: Words) -> list[tuple[str, pages.Value]]:
    """Facts on what a study calls its parties and subjects; none where it says nothing of it.

    They stand as the researcher's words: whoever reads the page must see whose nouns it speaks in.
    """
    if words.usual:
        return []
    return [
        ("calls who takes part", pages.Quoted(words.participant)),
        ("calls whom it is about", pages.Quoted(words.subject)),
    ]


@singledispatch
def _said(
    part: Any,  # noqa: ANN401 - parts of every kind
    speaker: Speaker,
) -> Any:  # noqa: ANN401 - as above
    """A part that is made of others; numbers and the like are as they were."""
    if not is_dataclass(part) or isinstance(part, type):
        return part
    changed = {
        field.name: _said(getattr(part, field.name), speaker)
        for field in fields(part)
        if field.name not in _NAMES
    }
    return replace(part, **changed)


@_said.register
def _(
    part: str,
    speaker: Speaker,
) -> str:
    return speaker.say(part)


@_said.register
def _(
    part: Markup,
    speaker: Speaker,
) -> Markup:
    # nouns are plain letters, so markup stays what it was
    return Markup(speaker.say(str(part)))  # noqa: S704 - it was markup before


@_said.register(pages.Outside)
@_said.register(pages.Quoted)
@_said.register(pages.Code)
@_said.register(pages.Moment)
@_said.register(pages.Tone)
def _(
    part: T,
    _speaker: Speaker,
) -> T:
    return part


@_said.register
def _(part: tuple, speaker: Speaker) -> tuple[Any, ...]:  # type: ignore[type-arg]
    return tuple(_said(item, speaker) for item in part)
