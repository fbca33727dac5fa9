"""Edits of an additive model's curves by hand: planned, and applied again by whoever reads them.

Each is signed (:mod:`securefl.learning.edit_statement`). Whoever holds the unedited model and the
edits can work the edited one out again; an edit that does not fit what it was made on is refused.
Heights are those that the unedited model's card shows: beside the mean of the unedited curve, in
units of the score.

It is post-processing of a released model and costs no privacy, as long as the one who edits goes by
the model and by what is published.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.errors import MessageError, UsageError
from securefl.learning.edit_statement import DECIMALS, CurveEdit
from securefl.learning.families.contributions import knots_of
from securefl.learning.models import family_of
from securefl.learning.tasks import task_of
from securefl.study.columns import NumericColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.learning.edit_statement import Way
    from securefl.study.columns import DataSpec
    from securefl.study.training import ModelSpec
    from securefl.types import FloatArray

#: How far a height may be off: heights travel with six decimals.
_NEAR: Final = 1e-6
#: The largest height that an edit sets: odds of a score of 50 are beyond any use.
HIGHEST: Final = 50.0


@dataclass(frozen=True)
class Wish:
    """An edit as a person asks for it.

    Attributes:
        column: the number.
        low: lower end of the range, in its unit.
        high: upper end.
        way: ``flat`` at ``height``; ``straight`` between the points beside the range; ``rising`` or
            ``falling``, the nearest curve that nowhere goes the other way.
        height: of ``flat``.
        score: name of the score; empty where there is one.
    """

    column: str
    low: float
    high: float
    way: Way
    height: float | None = None
    score: str = ""


@dataclass(frozen=True)
class PlannedEdit:
    """An edit before it is signed.

    Attributes:
        column: the number.
        score: counted from 0.
        first: first knot that moves.
        knots: values of the knots that move, in the column's unit.
        reaches: values between which the drawn curve changes: the knots beside.
        old: their heights.
        new: likewise, after.
    """

    column: NumericColumn
    score: int
    first: int
    knots: tuple[float, ...]
    reaches: tuple[float, float]
    old: tuple[float, ...]
    new: tuple[float, ...]


@dataclass(frozen=True)
class Curve:
    """A column's curves, float64[k, B], beside the mean of the unedited ones."""

    column: NumericColumn
    heights: FloatArray


def curves_of(
    theta: FloatArray,
    spec: ModelSpec,
    data: DataSpec,
    unedited: FloatArray,
) -> dict[str, Curve]:
    """Curves of a model by column, beside the means of the unedited model's."""
    family = family_of(spec, data)
    found = {}
    for place, column in enumerate(data.columns):
        heights = family.curve(theta, place)
        whole = family.curve(unedited, place)
        if heights is None or whole is None or not isinstance(column, NumericColumn):
            continue
        means = whole.mean(axis=1, keepdims=True)
        found[column.name] = Curve(column, heights - means)
    return found


def plan_edit(
    theta: FloatArray,
    spec: ModelSpec,
    data: DataSpec,
    unedited: FloatArray,
    wish: Wish,
) -> PlannedEdit:
    """Work an edit out, to be shown and signed.

    Args:
        theta: weights as they are, earlier edits among them.
        spec: the model.
        data: its columns.
        unedited: weights without any edit.
        wish: what is asked for.

    Raises:
        UsageError: naming what cannot be edited so.
    """
    curves = curves_of(theta, spec, data, unedited)
    if not curves:
        raise UsageError(
            "This model has no curves to edit.",
            next_step='Only a model of kind = "additive" can be edited.',
        )
    if wish.column not in curves:
        raise UsageError(
            f"The model has no curve for '{wish.column[:40]}'.",
            next_step=f"It has curves for: {', '.join(curves)}.",
        )
    curve = curves[wish.column]
    score = _score_of(data, wish.score, len(curve.heights))
    heights = curve.heights[score]
    knots = knots_of(curve.column, heights.size)
    inside = _inside(knots, wish)
    first = inside[0]
    last = inside[-1]
    new = _moved(heights, first, last, wish)
    many = len(knots) - 1
    return PlannedEdit(
        column=curve.column,
        score=score,
        first=first,
        knots=knots[first : last + 1],
        reaches=(knots[max(first - 1, 0)], knots[min(last + 1, many)]),
        old=_rounded(heights[first : last + 1]),
        new=_rounded(new),
    )


def applied(
    theta: FloatArray,
    spec: ModelSpec,
    data: DataSpec,
    unedited: FloatArray,
    edit: CurveEdit,
) -> FloatArray:
    """The weights after an edit, float64[p].

    Raises:
        MessageError: it was made on another model: a column, a knot or a height is not there.
    """
    curve = curves_of(theta, spec, data, unedited).get(edit.column)
    if curve is None or edit.score >= len(curve.heights) or edit.last >= curve.heights.shape[1]:
        raise _misfit(edit, "the model has no such curve or point")
    old = np.array([float(text) for text in edit.old])
    new = np.array([float(text) for text in edit.new])
    part = slice(edit.first, edit.last + 1)
    if abs(curve.heights[edit.score, part] - old).max() > _NEAR:
        raise _misfit(edit, "the curve has other heights than those that it was made on")
    if abs(new).max() > HIGHEST:
        raise _misfit(edit, f"it sets a height above {HIGHEST:g}")
    family = family_of(spec, data)
    place = [column.name for column in data.columns].index(edit.column)
    whole = family.curve(unedited, place)
    now = family.curve(theta, place)
    if whole is None or now is None:
        raise _misfit(edit, "the model has no such curve or point")
    now = now.copy()
    now[edit.score, part] = new + whole[edit.score].mean()
    return family.with_curve(theta, place, now)


def _score_of(data: DataSpec, name: str, outputs: int) -> int:
    """Place of a score by its name."""
    names = list(task_of(data).score_names)
    if outputs == 1 and not name:
        return 0
    if len(names) == outputs and name in names:
        return names.index(name)
    said = f"The model says no score '{name[:40]}'."
    if not name:
        said = "This model says several scores, and each has curves of its own."
    listed = ", ".join(names) if len(names) == outputs > 1 else "none"
    raise UsageError(said, next_step=f"Scores that --score takes: {listed}.")


def _inside(knots: Sequence[float], wish: Wish) -> list[int]:
    """Places of the knots in the range that is asked for."""
    if not wish.low <= wish.high:
        raise UsageError(
            "The range ends before it begins.",
            next_step="Give --from below --to, in the column's unit.",
        )
    # an end that was read off a card has four figures
    slack = 5e-4
    found = [
        place
        for place, knot in enumerate(knots)
        if wish.low - slack * abs(knot) <= knot <= wish.high + slack * abs(knot)
    ]
    if not found:
        listed = ", ".join(f"{knot:.4g}" for knot in knots)
        raise UsageError(
            f"No point of the curve lies from {wish.low:g} to {wish.high:g}.",
            next_step=f"Take a range that holds one of its points: {listed}.",
        )
    return found


def _moved(
    heights: FloatArray,
    first: int,
    last: int,
    wish: Wish,
) -> FloatArray:
    """Heights of these knots as the wish has them."""
    part = heights[first : last + 1]
    if wish.way == "flat":
        if wish.height is None or not abs(wish.height) <= HIGHEST:
            raise UsageError(
                "A flat part needs its height.",
                next_step=f"Give --height, from -{HIGHEST:g} to {HIGHEST:g}.",
            )
        return np.full(part.size, wish.height)
    if wish.height is not None:
        raise UsageError(
            f"--height says nothing beside --way {wish.way}.", next_step="Leave it out."
        )
    if wish.way == "straight":
        left = first - 1
        right = last + 1
        if left < 0 and right >= heights.size:
            raise UsageError(
                "Nothing stands beside the whole range to draw a straight line to.",
                next_step="Take a part of the range, or --way flat with --height.",
            )
        left_height = heights[left] if left >= 0 else heights[right]
        right_height = heights[right] if right < heights.size else heights[left]
        ends = [left_height, right_height]
        line: FloatArray = np.interp(np.arange(first, last + 1), [left, right], ends)
        return line
    if wish.way == "rising":
        return _rising(part)
    return -_rising(-part)


def _rising(heights: FloatArray) -> FloatArray:
    """The nearest curve in least squares that never falls (pool adjacent violators)."""
    pools: list[tuple[float, int]] = []
    for height in heights.tolist():
        pools.append((height, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (left, many), (right, more) = pools[-2:]
            mean = (left * many + right * more) / (many + more)
            pools[-2:] = [(mean, many + more)]
    return np.concatenate([np.full(many, mean) for mean, many in pools])


def _rounded(heights: FloatArray) -> tuple[float, ...]:
    return tuple(round(height, DECIMALS) for height in heights.tolist())


def _misfit(edit: CurveEdit, why: str) -> MessageError:
    return MessageError(
        f"The edit of {edit.column} by {edit.who} is refused: {why}.",
        whose=edit.party,
        next_step=CurveEdit.NEXT_STEP,
    )
