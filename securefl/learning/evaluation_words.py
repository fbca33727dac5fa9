"""Figures of hospitals and of subgroups in words: tables for pages, and lines for the model card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.learning.evaluation_lists import HOSPITALS
from securefl.learning.tasks.told import Told

if TYPE_CHECKING:
    from securefl.learning.evaluation_split import GroupFigures, PartFigures, Spread
    from securefl.learning.tasks.task import Task
    from securefl.study.counts import EvaluateSection

#: Names that are listed in a sentence.
_MOST_NAMES = 5


def leaving_words(
    counted: str,
    section: EvaluateSection,
) -> str:
    """Numbers of an evaluation in words, for the owner.

    Args:
        counted: what one list counts, in the task's words.
        section: the evaluation.
    """
    words = counted
    if section.by:
        columns = ", ".join(subgroups.column for subgroups in section.by)
        words = f"{words}; of all of them and again by {columns}"
    if section.each_participant:
        words = f"{words}; in a list of this hospital's own, which can be read by itself"
    return words


def split_table(
    part: PartFigures,
    task: Task,
) -> Told:
    """The table of a part's figures, the lowest and the gap above it."""
    heads = ("hospital" if part.name == HOSPITALS else part.name, "95 %", "around", "checked on")
    notes = (
        "Each line has a 95 % interval over noise and sampling of its own. Lowest figure and gap"
        " rest on wider ones, which hold for all lines together."
    )
    return Told(
        metric=_title(part, task),
        sentences=tuple(_sentences(part, task)),
        header=heads,
        cells=tuple(_cells(group, task) for group in part.groups),
        right=frozenset({1, 2}),
        note=notes,
    )


def split_rows(
    part: PartFigures,
    task: Task,
) -> dict[str, str]:
    """Label and text of the lowest figure and the gap; a line where nothing can be compared."""
    title = _title(part, task)
    wrong_way = {}
    if part.below_chance:
        wrong_way = {f"{title}, the wrong way round": _names(part.below_chance)}
    if part.spread is None:
        return {title: "nothing can be compared: too few patients for the noise"} | wrong_way
    spread = part.spread
    return {
        f"{title}, lowest": f"{spread.lowest}: {spread.low:.3f} to {spread.high:.3f}",
        f"{title}, gap": f"{spread.gap_low:.3f} to {spread.gap_high:.3f}",
    } | wrong_way


def lowest_sentence(
    lowest: str,
    as_low: str,
    metric: str,
    low: float,
    high: float,
) -> str:
    """The lowest figure.

    >>> lowest_sentence("Ost", "", "AUC", 0.61, 0.74)
    'Lowest is Ost: the lowest AUC lies between 0.610 and 0.740.'
    """
    also = f", or {as_low}, which may be as low" if as_low else ""
    return f"Lowest is {lowest}{also}: the lowest {metric} lies between {low:.3f} and {high:.3f}."


def gap_sentence(
    low: float,
    high: float,
) -> str:
    """The distance of the highest from the lowest.

    >>> gap_sentence(0.0, 0.2)
    'From the lowest to the highest it is at most 0.200; that there is a gap cannot be told.'
    """
    if low == 0:
        return (
            f"From the lowest to the highest it is at most {high:.3f}; that there is a gap cannot"
            " be told."
        )
    return f"From the lowest to the highest it is {low:.3f} to {high:.3f}."


def unknown_sentence(names: str) -> str:
    """Lists of which nothing can be said."""
    return f"Of {names} the noise leaves nothing to say: the figure may be lower there."


def wrong_way_sentence(
    names: str,
    metric: str,
    at: str = "At",
) -> str:
    """Lists in which the model orders patients the wrong way round.

    >>> wrong_way_sentence("Ost", "AUC")
    'At Ost the model orders patients the wrong way round: the AUC is surely below that of a guess.'
    """
    return (
        f"{at} {names} the model orders patients the wrong way round: the {metric} is surely below"
        " that of a guess."
    )


#: What follows from it at a hospital.
INVERTED = (
    "The outcome may be recorded the other way round there, or at the others. Before anybody uses the"
    " model, let both sides compare a few patients' outcomes with their records. A study that"
    " continues this one may leave a hospital out."
)


def apart_sentence(
    name: str,
    metric: str,
) -> str:
    """The hospital whose figure is below all others'.

    >>> apart_sentence("Ost", "AUC")
    'Ost stands apart: its AUC is surely below that of every hospital that can be compared.'
    """
    return (
        f"{name} stands apart: its {metric} is surely below that of every hospital that can be"
        " compared."
    )


#: What follows from it.
DIFFERENT = (
    "Its patients, its measurements or its recorded outcomes may differ from the others'. Ask there"
    " before the model is used there."
)


def _title(
    part: PartFigures,
    task: Task,
) -> str:
    if part.name == HOSPITALS:
        return f"{task.metric} at each hospital"
    return f"{task.metric} by {part.name}"


def _sentences(
    part: PartFigures,
    task: Task,
) -> list[str]:
    spread = part.spread
    if spread is None:
        return ["Nothing can be compared: too few patients for the noise.", *_odd(part, task)]
    found = [_lowest(spread, task), gap_sentence(spread.gap_low, spread.gap_high)]
    if spread.unknown:
        found.append(unknown_sentence(_names(spread.unknown)))
    return [*found, *_odd(part, task)]


def _odd(
    part: PartFigures,
    task: Task,
) -> list[str]:
    """Sentences on lists that are worse than a guess, or than all others."""
    hospitals = part.name == HOSPITALS
    if part.below_chance:
        names = _names(part.below_chance)
        if not hospitals:
            return [wrong_way_sentence(names, task.metric, "For")]
        return [wrong_way_sentence(names, task.metric), INVERTED]
    if hospitals and part.apart:
        return [apart_sentence(part.apart, task.metric), DIFFERENT]
    return []


def _lowest(
    spread: Spread,
    task: Task,
) -> str:
    as_low = _names(spread.as_low)
    return lowest_sentence(spread.lowest, as_low, task.metric, spread.low, spread.high)


def _names(
    names: tuple[str, ...],
) -> str:
    if len(names) <= _MOST_NAMES:
        return ", ".join(names)
    return f"{', '.join(names[:_MOST_NAMES])} and {len(names) - _MOST_NAMES} more"


def _cells(
    group: GroupFigures,
    task: Task,
) -> tuple[str | None, ...]:
    if group.lost:
        return (group.group, "–", "–", "lost before the check")
    checked = dict(task.told(group.figures).rows).get("checked on")
    if not group.known:
        return (group.group, None, None, checked)
    value = "no single figure" if group.value is None else f"{group.value:.3f}"
    return (group.group, f"{group.low:.3f} to {group.high:.3f}", value, checked)
