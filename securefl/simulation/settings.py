"""Settings of a sweep: fields of the train stage with other values, and what follows from them."""

from __future__ import annotations

import itertools
import re
from copy import deepcopy
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from securefl.errors import StudyError, UsageError
from securefl.study.seal import dump_toml
from securefl.study.sealed import UnsealedStudy
from securefl.study.training import TrainSection, training_if_any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: Settings of one sweep.
MOST_POINTS: Final = 100
#: Words for a field, where the section has none of that name.
_ALIASES: Final = {"learning_rate": "server_learning_rate", "clip": "clip_norm"}
#: Fields that a sweep cannot change by themselves.
_FIXED: Final = (
    "kind",
    "model",
    "steps",
    "epsilon",
    "normaliser_source",
    "fewer_steps",
    "looks",
)


def read_sweep(given: Iterable[str], option: str = "--sweep") -> dict[str, tuple[str, ...]]:
    """Fields and values as typed, ``FIELD=VALUE,VALUE`` each.

    >>> read_sweep(["clip_norm=1,2", "learning_rate=.1"])
    {'clip_norm': ('1', '2'), 'learning_rate': ('.1',)}

    Raises:
        UsageError: one is not of that form, or a field comes twice.
    """
    found: dict[str, tuple[str, ...]] = {}
    for one in given:
        name, equals, values = one.partition("=")
        listed = tuple(value.strip() for value in values.split(","))
        if not (name.strip() and equals) or not all(listed) or name.strip() in found:
            raise UsageError(
                f"{option} {one} is not of the form FIELD=VALUE,VALUE with each field once.",
                next_step=f"For example: {option} clip_norm=0.1,0.3",
            )
        found[name.strip()] = tuple(dict.fromkeys(listed))
    return found


def grid(sweep: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Every combination of the values.

    Raises:
        UsageError: more than :data:`MOST_POINTS`.
    """
    points = [
        dict(zip(sweep, values, strict=True)) for values in itertools.product(*sweep.values())
    ]
    if len(points) > MOST_POINTS:
        raise UsageError(
            f"The sweep has {len(points):,} settings; at most {MOST_POINTS} are run.",
            next_step="Name fewer values.",
        )
    return points


def changed(template: UnsealedStudy, changes: Mapping[str, str]) -> UnsealedStudy:
    """The template with these fields of its train stage, and what follows: steps from rounds, the
    normaliser from the sampling rate.

    Raises:
        UsageError: the stage has no such field, or a value is none of that field's.
    """
    if not changes:
        return template
    section = training_if_any(template.study)
    if section is None:
        raise UsageError(
            "The study trains no model, so nothing can be swept.", next_step="Leave the sweep out."
        )
    raw = deepcopy(template.raw)
    table = raw["stages"][template.study.stages.index(section)]
    for name, value in changes.items():
        field = _field(section, name)
        table[field] = _value(section, field, value)
    table["steps"] = _whole(table["rounds"]) * _whole(table["local_steps"])
    if "sample_rate" in changes:
        table["normaliser"] = _rescaled(section, str(table["sample_rate"]))
    try:
        return UnsealedStudy.read(dump_toml(raw))
    except StudyError as error:
        typed = ", ".join(f"{name}={value}" for name, value in changes.items())
        why = error.what.strip().partition("\n")[2] or error.what
        raise UsageError(
            f"The setting {typed} makes no study: {_without_lines(why)}.",
            next_step="Give other values.",
        ) from None


def _without_lines(faults: str) -> str:
    """Faults without the numbers of lines that no person wrote."""
    plain = re.sub(r"line [0-9]+: stages\.[0-9]+\.", "", faults)
    return "; ".join(line.strip() for line in plain.splitlines() if line.strip())


def _field(section: TrainSection, name: str) -> str:
    fields = type(section).model_fields
    field = name
    if name not in fields:
        field = _ALIASES.get(name, name)
    if field in fields and field not in _FIXED:
        return field
    listed = ", ".join(f for f in fields if f not in _FIXED)
    raise UsageError(
        f"The train stage has no field {name!r} that can be swept.",
        next_step=f"Take one of: {listed}.",
    )


def _value(
    section: TrainSection,
    field: str,
    text: str,
) -> Any:  # noqa: ANN401 - a TOML value
    """A value as the study file writes it: whole numbers bare, other figures as text."""
    kind = str(type(section).model_fields[field].annotation)
    if "int" in kind and re.fullmatch(r"[0-9]{1,9}", text):
        return int(text)
    if re.fullmatch(r"\.[0-9]+", text):
        return f"0{text}"
    return text


def _whole(value: Any) -> int:  # noqa: ANN401 - whatever was typed
    if isinstance(value, int):
        return value
    raise UsageError(f"{value!r} is no whole number.", next_step="Write it like 40.")


def _rescaled(section: TrainSection, rate: str) -> str:
    """The normaliser, which is an expected number of patients a step, for another rate."""
    try:
        patients = Fraction(section.normaliser) / section.sample_rate
        exact = patients * Fraction(rate)
        figure = Decimal(exact.numerator) / Decimal(exact.denominator)
        return f"{round(figure, 6):f}"
    except (ValueError, ZeroDivisionError, InvalidOperation):
        return str(section.normaliser)
