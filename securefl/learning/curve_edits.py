"""Edits of an additive model's curves by hand, each signed by the party at which it was made.

An edit names the model, the edit before it, a column and the knots that it moves, with their heights
before and after. Whoever holds the unedited model and the edits can work the edited one out again;
an edit that does not fit what it was made on is refused. Heights are those that the unedited
model's card shows: beside the mean of the unedited curve, in units of the score.

It is post-processing of a released model and costs no privacy, as long as the one who edits goes by
the model and by what is published.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

import numpy as np
from pydantic import StringConstraints

from securefl.errors import MessageError, UsageError
from securefl.identity import IdentityCard, Verifier
from securefl.learning.families.contributions import knots_of
from securefl.learning.models import family_of
from securefl.learning.tasks import task_of
from securefl.signed import peek_signed
from securefl.statement import Count, Hex32, Statement
from securefl.study.columns import NumericColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.identity import Role
    from securefl.study.columns import DataSpec
    from securefl.study.training import ModelSpec
    from securefl.types import FloatArray

#: Ways to move the points of a range, as a command takes them.
Way = Literal["flat", "straight", "rising", "falling"]
WAYS: Final = ("flat", "straight", "rising", "falling")
#: Heights travel with six decimals; half of the last is how far one may be off.
_DECIMALS: Final = 6
_NEAR: Final = 1e-6
#: The largest height that an edit sets: odds of a score of 50 are beyond any use.
HIGHEST: Final = 50.0

_Text = Annotated[
    str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]{1,400}$")
]
_Figure = Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,3}\.[0-9]{6}$")]
_Time = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


@dataclass(frozen=True)
class CurveEdit(Statement):
    """One edit, signed by the key that stands in it.

    Attributes:
        model: digest of the unedited model.
        before: SHA-256 of the edit before this one; empty for the first.
        column: the number whose curve it is.
        score: which score, counted from 0.
        first: first knot that is moved, counted from 0.
        last: last one.
        low: lower end of the range that was asked for, in the column's unit.
        high: upper end.
        way: how the points were moved.
        old: heights of these knots before.
        new: heights after.
        who: the person who made it, as the party says.
        why: the reason.
        at: UTC.
        party: who signs, with the fields of its card.
    """

    TYPE: ClassVar[str] = "securefl-curve-edit/1"
    WHAT: ClassVar[str] = "An edit of a curve"
    MAX_BYTES: ClassVar[int] = 16_384
    NEXT_STEP: ClassVar[str] = "Use the unedited model, in the folder's original/."

    model: Hex32
    before: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")]
    column: _Text
    score: Count
    first: Count
    last: Count
    low: _Text
    high: _Text
    way: Way
    old: tuple[_Figure, ...]
    new: tuple[_Figure, ...]
    who: _Text
    why: _Text
    at: _Time
    party: _Text
    role: Literal["hospital", "researcher", "aggregator"]
    legal_name: _Text
    email: _Text
    signing_public: Hex32
    sealing_public: Hex32

    def contradiction(self) -> str:
        """Knots and heights have to be as many."""
        many = self.last - self.first + 1
        if many < 1 or len(self.old) != many or len(self.new) != many:
            return "with other knots than heights"
        return ""

    @property
    def card(self) -> IdentityCard:
        """The signing party's card, for its fingerprint."""
        role: Role = self.role
        return IdentityCard(
            self.party,
            role,
            self.legal_name,
            self.email,
            self.signing_public,
            self.sealing_public,
        )


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
        heights, whole = family.curve(theta, place), family.curve(unedited, place)
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
    first, last = inside[0], inside[-1]
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


def make_statement(
    planned: PlannedEdit,
    wish: Wish,
    card: IdentityCard,
    *,
    model: str,
    before: str,
    who: str,
    why: str,
    at: str,
) -> CurveEdit:
    """An edit to be signed.

    Raises:
        UsageError: name or reason are missing, too long, or have characters that a screen obeys.
    """
    for said, text in (("the name", who), ("the reason", why)):
        if not text.strip() or len(text) > 400 or not text.isprintable():
            raise UsageError(
                f"An edit needs {said}: on one line, at most 400 characters.",
                next_step='Give --who "NAME, PROFESSION" and --why "REASON".',
            )
    return CurveEdit(
        model=model,
        before=before,
        column=planned.column.name,
        score=planned.score,
        first=planned.first,
        last=planned.first + len(planned.knots) - 1,
        low=f"{wish.low:.10g}",
        high=f"{wish.high:.10g}",
        way=wish.way,
        old=_texts(planned.old),
        new=_texts(planned.new),
        who=who,
        why=why,
        at=at,
        party=card.name,
        role=card.role,
        legal_name=card.legal_name,
        email=card.email,
        signing_public=card.signing_public,
        sealing_public=card.sealing_public,
    )


def open_edit(data: bytes) -> CurveEdit:
    """Check an edit with the key that stands in it. That shows possession of the key, not whose it
    is: the party's fingerprint is compared for that.

    Raises:
        MessageError: naming the first check that failed.
    """
    names = frozenset(field.name for field in dataclasses.fields(CurveEdit))
    body, _, _ = peek_signed(
        data,
        forms={CurveEdit.TYPE: names},
        sender="an edit",
        max_bytes=CurveEdit.MAX_BYTES,
    )
    key = str(body["signing_public"])
    return CurveEdit.open(data, verify=Verifier("an edit", key), sender="an edit")


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
    whole, now = family.curve(unedited, place), family.curve(theta, place)
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


def _moved(heights: FloatArray, first: int, last: int, wish: Wish) -> FloatArray:
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
        left, right = first - 1, last + 1
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
    return tuple(round(height, _DECIMALS) for height in heights.tolist())


def _texts(heights: Sequence[float]) -> tuple[str, ...]:
    return tuple(f"{height + 0.0:.{_DECIMALS}f}" for height in heights)


def _misfit(edit: CurveEdit, why: str) -> MessageError:
    return MessageError(
        f"The edit of {edit.column} by {edit.who} is refused: {why}.",
        whose=edit.party,
        next_step=CurveEdit.NEXT_STEP,
    )
