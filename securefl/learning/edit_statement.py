"""Statement of one edit of a curve, signed by the party at which it was made.

It names the model, the edit before it, a column and the knots that it moves, with their heights
before and after. ``protocols/wire/curve-edit.md`` states its form.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

from pydantic import StringConstraints

from securefl.errors import UsageError
from securefl.identity import IdentityCard, Verifier
from securefl.signed import peek_signed
from securefl.statement import Count, Hex32, Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.identity import Role
    from securefl.learning.curve_edits import PlannedEdit, Wish

#: Ways to move the points of a range, as a command takes them.
Way = Literal["flat", "straight", "rising", "falling"]
WAYS: Final = ("flat", "straight", "rising", "falling")
#: Heights travel with so many decimals.
DECIMALS: Final = 6

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


def _texts(heights: Sequence[float]) -> tuple[str, ...]:
    return tuple(f"{height + 0.0:.{DECIMALS}f}" for height in heights)
