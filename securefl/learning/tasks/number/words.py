"""Label and figures of a number in words, the interval first and in the number's own unit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from securefl.learning.tasks.number.evaluation import LEAST_R2
from securefl.learning.tasks.told import Told
from securefl.study.meanings import codes_words

if TYPE_CHECKING:
    from securefl.learning.tasks.number.evaluation import NumberEvaluation
    from securefl.learning.tasks.number.expected import NumberPlan
    from securefl.learning.tasks.number.own_figures import NumberBand, OwnNumbers
    from securefl.learning.tasks.number.scale import Scale
    from securefl.study.number_label import NumberLabel

METRIC = "R2"
NOTHING = (
    "nothing can be said: the values differ too little, or the patients are too few, for the noise"
)
HEADING = "What do these figures say?"
_MEANING = (
    "R2 is the part of the values' differences that the model explains: 1 is a perfect model, 0 one"
    " that is no better than always saying the mean, below 0 it is worse."
)
NO_DEVIATION = (
    "This file names no deviation, so the interval to expect cannot be worked out. "
    "Write the published standard deviation into the evaluation, with its deviation_source."
)


def label_words(label: NumberLabel) -> str:
    """Say which number it is, and what sets a row aside.

    "the number TSH in mU/L, from 0.01 to 100 on a logarithmic scale; ...".
    """
    unit = f" in {label.unit}" if label.unit else ""
    scale = ""
    if label.transform == "log":
        scale = " on a logarithmic scale"
    outside = "a row outside is set aside"
    if label.outside == "clip":
        outside = "a value outside counts as the nearer end"
    robust = ""
    if label.huber is not None:
        part = 100 * float(label.huber)
        robust = f"in training, errors above {part:g} % of the range count in proportion"
    start = ""
    if label.typical is not None:
        start = f"the model begins at {label.typical:f}"
    parts = (outside, codes_words(label.missing_codes), start, robust)
    return (
        f"the number {label.column}{unit}, from {label.low:f} to {label.high:f}{scale};"
        f" {'; '.join(part for part in parts if part)}"
    )


def told(
    e: NumberEvaluation,
    scale: Scale,
) -> Told:
    """An evaluation: R2, and mean errors in the unit."""
    return Told(
        metric=METRIC,
        headline=r2_words(e.low, e.high, e.r2),
        short=f"{e.low:.2f} to {e.high:.2f}",
        rows=_rows(e, scale),
        heading=HEADING,
        sentences=_sentences(scale, e.most),
    )


def told_own(
    figures: OwnNumbers,
    scale: Scale,
    units: str,
) -> Told:
    """Exact figures of one hospital's own held-out patients.

    Args:
        figures: without noise.
        scale: of the number.
        units: what is counted, "patients" or "rows".
    """
    r2 = "cannot be worked out: all have the same value"
    if not math.isnan(figures.r2):
        r2 = f"{figures.r2:.3f}"
    return Told(
        metric=METRIC,
        headline=r2,
        rows=(
            (f"{units} held out", f"{figures.patients:,}"),
            (METRIC, r2),
            ("mean absolute error", distance_words(scale, figures.mae)),
            ("on average", bias_words(scale, figures.bias, figures.bias)),
        ),
        header=("predicted", units, "mean prediction", "mean value"),
        cells=tuple(_band(band, scale) for band in figures.bands),
        right=frozenset({1, 2, 3}),
    )


def told_plan(plan: NumberPlan | None) -> Told:
    """The interval to expect; what is missing, where a study names no deviation."""
    if plan is None:
        return Told(note=NO_DEVIATION)
    cells = []
    for row in plan.expected:
        chance = ", which holds 0: no figure"
        if row.told:
            chance = ""
        cells.append((f"{row.r2:.1f}", f"{row.low:.2f} to {row.high:.2f}{chance}"))
    return Told(
        sentences=tuple(plan_words(plan)),
        header=("true R2", "interval to expect"),
        cells=tuple(cells),
        right=frozenset({0}),
    )


def plan_words(plan: NumberPlan) -> list[str]:
    """The interval to expect, in sentences."""
    kept = f"about {plan.patients:,.0f} patients are kept aside to check the model."
    lines = [f"By the published figures {kept}"]
    if plan.least_told is None:
        lines.append(
            "The noise hides them all: no model is expected to be told from always saying the mean."
            " More patients, a narrower range or a larger epsilon would change that."
        )
        return lines
    lines.append(
        "A model is expected to be told from always saying the mean from a true R2 of"
        f" {plan.least_told:.2f} on; below that no single figure is likely to be given."
    )
    rule = f"The quality rule, at least {plan.minimum:g} on the interval's lower end"
    if plan.least_met is None:
        lines.append(f"{rule}, is not expected to be met by any model.")
    elif plan.minimum > LEAST_R2:
        lines.append(f"{rule}, is expected to be met from a true R2 of {plan.least_met:.2f} on.")
    return lines


def r2_words(
    low: float,
    high: float,
    r2: float | None,
) -> str:
    """R2 with its interval first; no single figure where it holds 0, and none where nothing is
    known.

    >>> r2_words(0.41, 0.55, 0.483)
    '95 % interval 0.41 to 0.55, around 0.48'
    >>> r2_words(-0.1, 0.2, None)
    'cannot be told from always saying the mean: 95 % interval -0.10 to 0.20'
    """
    if (low, high) == (LEAST_R2, 1.0):
        return NOTHING
    interval = f"95 % interval {low:.2f} to {high:.2f}"
    if r2 is None:
        return f"cannot be told from always saying the mean: {interval}"
    return f"{interval}, around {r2:.2f}"


def distance_words(
    scale: Scale,
    apart: float,
) -> str:
    """One distance of the scale in the unit; on a logarithmic scale as a factor."""
    distance = scale.distance(apart)
    if scale.logarithmic:
        return f"a factor of {distance:.3g}"
    return scale.words(distance)


def bias_words(
    scale: Scale,
    low: float,
    high: float,
) -> str:
    """Say how far predictions lie from values on average, from an interval on the scale.

    >>> from securefl.learning.tasks.number.scale import Scale
    >>> bias_words(Scale(0, 200, "mmHg"), -0.01, 0.02)
    'predictions are 1 mmHg too low to 2 mmHg too high'
    """
    first = _side(scale, low)
    last = _side(scale, high)
    if low == high:
        return f"predictions are {first}"
    return f"predictions are {first} to {last}"


def _side(
    scale: Scale,
    apart: float,
) -> str:
    side = "high"
    if apart < 0:
        side = "low"
    distance = distance_words(scale, abs(apart))
    return f"{distance} too {side}"


def _rows(
    e: NumberEvaluation,
    scale: Scale,
) -> tuple[tuple[str, str], ...]:
    mae = NOTHING
    if e.mae is not None:
        interval = scale.distance_words(e.mae_low, e.mae_high)
        mae = f"95 % interval {interval}, around {distance_words(scale, e.mae)}"
    rows = [("mean absolute error", mae)]
    if (e.bias_low, e.bias_high) != (-e.most, e.most):
        rows.append(("on average", bias_words(scale, e.bias_low, e.bias_high)))
    if e.deviation is not None:
        spread = distance_words(scale, e.deviation)
        rows.append(("the values", f"differ by about {spread} (standard deviation)"))
    rows.append(("checked on", f"about {e.patients:,.0f} patients kept aside"))
    return tuple(rows)


def _sentences(
    scale: Scale,
    most: float,
) -> tuple[str, ...]:
    said = [
        _MEANING,
        f"An error of more than {distance_words(scale, most)} counts as that much.",
    ]
    if scale.logarithmic:
        said.append(
            "Values were compared by their logarithms, so errors are factors: of 1 for a perfect"
            " prediction."
        )
    return tuple(said)


def _band(
    band: NumberBand,
    scale: Scale,
) -> tuple[str, ...]:
    edges = f"{scale.value(band.low):.3g} to {scale.value(band.high):.3g}"
    if not band.patients:
        return edges, "0", "–", "–"
    return (
        edges,
        f"{band.patients:,}",
        f"{scale.value(band.mean_prediction):.3g}",
        f"{scale.value(band.mean_value):.3g}",
    )
