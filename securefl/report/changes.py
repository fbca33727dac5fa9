"""Changes of a study since the last one that its owner approved, as a section of the request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from securefl.report.own_graph import GRAPH, SOURCE, text_differences
from securefl.report.page import Paragraph, Quoted, Tone, bullets, section, when
from securefl.report.words import day, plural

if TYPE_CHECKING:
    from securefl.report.page import Section
    from securefl.study.differences import Difference

#: Lines that are listed, and letters of a value in them.
_LINES: Final = 40
_LETTERS: Final = 160
#: Fields that differ between any two studies and say nothing of what is asked.
_ALWAYS: Final = frozenset({"study.id"})


class Earlier(NamedTuple):
    """The study that was approved last, and what differs from it.

    Attributes:
        name: of the earlier study.
        approved: when, UTC in ISO 8601.
        same_id: it has the same id; else it is of the same researcher, on the same data set.
        differences: field by field.
    """

    name: str
    approved: str
    same_id: bool
    differences: tuple[Difference, ...]


def changes_section(earlier: Earlier) -> Section:
    """The section. Values are the researcher's words, so they stand behind a bar."""
    found = [d for d in earlier.differences if d.place not in _ALWAYS]
    left_out = len(found) - _LINES
    return section(
        "What changed since your last approval",
        _compared(earlier),
        when(not found, Paragraph("Nothing differs but its name.", Tone.STRONG)),
        *(block for difference in found[:_LINES] for block in _blocks(difference)),
        when(left_out > 0, bullets([f"and {plural(left_out, 'more field')}"])),
    )


def _compared(earlier: Earlier) -> str:
    whose = "the last study of this researcher on the same data set"
    if earlier.same_id:
        whose = "the last study of the same id"
    return f"Compared with {earlier.name}, {whose}, which you approved on {day(earlier.approved)}."


def _blocks(found: Difference) -> tuple[Quoted, ...]:
    """A field; of a model of the researcher's own, the lines of it that differ."""
    if found.place.endswith((SOURCE, GRAPH)) and found.before and found.after:
        lines = text_differences(found.place, found.before, found.after)
        return Quoted(f"{found.place}:"), Quoted("\n".join(lines), fill=False)
    return (Quoted(_line(found)),)


def _line(found: Difference) -> str:
    if found.before is None:
        return f"{found.place}: new, {short_value(found.after)}"
    if found.after is None:
        return f"{found.place}: gone, was {short_value(found.before)}"
    return f"{found.place}: {short_value(found.before)} → {short_value(found.after)}"


def short_value(value: str | None) -> str:
    """A value on one line, cut where it is long."""
    text = " ".join((value or "nothing").split())
    if len(text) > _LETTERS:
        return f"{text[:_LETTERS]}…"
    return text
