"""Label and figures of a time to an event in words, the interval first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from securefl.learning.tasks.told import Told
from securefl.study.meanings import codes_words

if TYPE_CHECKING:
    from securefl.learning.tasks.survival.evaluation import BrierRow, SurvivalEvaluation
    from securefl.learning.tasks.survival.own_figures import OwnSurvival
    from securefl.study.survival_label import TimeToEventLabel

METRIC = "C-index"
_NOTHING = "nothing can be said: too few events for the noise"
_HEADING = "What do these figures say?"
_NOTE = "Brier scores as 95 % intervals that count the noise; lower is better."


def label_words(label: TimeToEventLabel) -> str:
    """Say which time and event, the intervals, and what sets a row aside."""
    edges = ", ".join(f"{edge:f}" for edge in label.edges)
    codes = [
        f"in {column} {codes_words(texts)}"
        for column, texts in (
            (label.time, label.missing_codes),
            (label.event, label.event_missing_codes),
        )
        if texts
    ]
    fit = f"a row with a time below 0 or above {label.longest:f}, or any other text, is set aside"
    said = (
        f"the time to {label.event_name}, {label.time} in {label.unit}, with {label.event} as"
        f" {', '.join(label.happened)} for {label.event_name} and {', '.join(label.censored)} for"
        f" observed so long without it; by the ends of intervals {edges}; {fit}"
    )
    return "; ".join([said, *codes])


def edge_words(
    label: TimeToEventLabel,
    edge: int,
) -> str:
    """One end of an interval with the unit."""
    return f"{label.edges[edge]:f} {label.unit}"


def told(
    e: SurvivalEvaluation,
    label: TimeToEventLabel,
) -> Told:
    """An evaluation: order of risks, and Brier scores by time."""
    counted = (
        f"about {e.patients:,.0f} patients kept aside, {label.event_name} seen in about"
        f" {e.events:,.0f} of them"
    )
    return Told(
        metric=METRIC,
        headline=index_words(e.low, e.high, e.c_index),
        short=f"{e.low:.3f} to {e.high:.3f}",
        rows=(("checked on", counted),),
        heading=_HEADING,
        sentences=_sentences(label.event_name),
        header=("by", "Brier score", "of the published curve"),
        cells=tuple(_cells(row, label) for row in e.brier),
        right=frozenset({1, 2}),
        note=_NOTE,
        lines=tuple(_line(row, label) for row in e.brier),
    )


def _sentences(event: str) -> tuple[str, ...]:
    index = (
        f"Of two patients of whom it is known for whom {event} came earlier, the C-index is the"
        " share in which the model gives that one the higher risk: .5 is a guess. Risks were counted"
        " in bands, and two of one band count half."
    )
    brier = (
        f"The Brier score is the mean squared distance of the predicted chance of no {event} from"
        " what came; the published curve's is that of a prediction that is the same for everybody."
    )
    return index, brier


def told_own(
    figures: OwnSurvival,
    label: TimeToEventLabel,
    units: str,
) -> Told:
    """Exact figures of one hospital's own held-out patients.

    Args:
        figures: without noise.
        label: of the study.
        units: what is counted, "patients" or "rows".
    """
    index = "cannot be worked out: no two of them can be compared"
    if not math.isnan(figures.c_index):
        index = f"{figures.c_index:.3f}"
    cells = [
        (edge_words(label, edge), "cannot be worked out" if math.isnan(score) else f"{score:.3f}")
        for edge, score in enumerate(figures.brier)
    ]
    return Told(
        metric=METRIC,
        headline=index,
        rows=(
            (f"{units} held out", f"{figures.patients:,}"),
            (f"with {label.event_name}", f"{figures.events:,}"),
            (METRIC, index),
        ),
        header=("by", "Brier score"),
        cells=tuple(cells),
        right=frozenset({1}),
    )


def index_words(
    low: float,
    high: float,
    index: float | None,
) -> str:
    """The C-index with its interval first; no single figure where it holds .5.

    >>> index_words(0.71, 0.79, 0.75)
    '95 % interval 0.710 to 0.790, around 0.750'
    """
    if (low, high) == (0.0, 1.0):
        return _NOTHING
    interval = f"95 % interval {low:.3f} to {high:.3f}"
    if index is None:
        return f"cannot be told from a guess: {interval}"
    return f"{interval}, around {index:.3f}"


def _cells(
    row: BrierRow,
    label: TimeToEventLabel,
) -> tuple[str | None, ...]:
    score = None
    published = None
    if row.published is not None:
        score = f"{row.low:.3f} to {row.high:.3f}"
        published = f"{row.published:.3f}"
    return edge_words(label, row.edge), score, published


def _line(
    row: BrierRow,
    label: TimeToEventLabel,
) -> str:
    edge, score, published = _cells(row, label)
    return f"by {edge}: Brier score {score or 'unknown'}, of the published curve {published or '-'}"
