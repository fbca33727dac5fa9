"""Two studies beside each other: in words what differs, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securefl.report.changes import short_value
from securefl.report.explain_study import hospitals, worst_epsilon
from securefl.report.words import plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from securefl.study.differences import Difference
    from securefl.study.schema import Template

#: Last part of a field's name → what the field says.
_WORDS: Final = {
    "epsilon": "what it costs one patient",
    "delta": "chance that the promise does not hold",
    "noise_multiplier": "noise, in units of the largest pull of one patient",
    "clip_norm": "largest pull of one patient",
    "sample_rate": "share of patients drawn for a step",
    "steps": "noised steps",
    "rounds": "rounds",
    "bits": "width of a number on the wire",
    "normaliser": "patients whom a step is expected to draw",
    "opens": "first moment of the study",
    "closes": "last moment of the study",
    "min_contributors": "hospitals that a sum needs",
    "colluders": "dishonest hospitals that it withstands",
    "holdout": "share of patients kept aside for the check",
    "recipients": "who is sent the model",
    "minimum": "lowest acceptable figure",
    "weight": "a hospital's share",
    "dataset": "the table",
    "purpose": "what it is for",
    "title": "title",
    "id": "its id",
    "low": "lower end of a column's range",
    "high": "upper end of a column's range",
    "levels": "texts of a column",
}


def headline(first: Template, second: Template, count: int) -> str:
    """One sentence on what the second study asks for beside the first."""
    if count == 0:
        return "The two are the same."
    parts = [
        f"{plural(count, 'field')} {'differs' if count == 1 else 'differ'}",
        _moved("one patient's epsilon", worst_epsilon(first), worst_epsilon(second)),
        _moved("hospitals", hospitals(first), hospitals(second)),
    ]
    return f"{'; '.join(part for part in parts if part)}."


def _moved(what: str, before: Decimal | int, after: Decimal | int) -> str:
    if before == after:
        return f"{what} stays {before}" if "epsilon" in what else ""
    way = "rises" if after > before else "falls"
    if what == "hospitals":
        return f"{before} hospitals become {after}"
    return f"{what} {way} from {before} to {after}"


def meaning(place: str) -> str:
    """What a field says, in words; empty where its name says it."""
    return _WORDS.get(place.rpartition(".")[2], "")


def compared_lines(found: Sequence[Difference]) -> list[str]:
    """A line for each field that differs: its place, what it says, both values."""
    return [_line(one) for one in found]


def _line(one: Difference) -> str:
    said = meaning(one.place)
    name = f"{one.place} ({said})" if said else one.place
    if one.before is None:
        return f"{name}: only in the second, {short_value(one.after)}"
    if one.after is None:
        return f"{name}: only in the first, {short_value(one.before)}"
    return f"{name}: {short_value(one.before)} → {short_value(one.after)}"
