"""Removal of an ended study's long bytes from the store: by each party its own, when its owner asks.

As of an old round (:mod:`securefl.federation.old_rounds`) all that was signed stays, a few kilobytes a
round: announcement, transcript, survivor set, signatures, answers, and of a contribution its manifest.
Approvals, last words, checkpoints and extracts stay too. What goes is what a sum was opened or added
with, and the sealed model.

Nothing goes that another may still need: the study has ended, and every hospital said in a signed
receipt that it needs nothing more, or ended its part (:mod:`securefl.federation.study_receipt`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.boards.slot import Slot
from securefl.federation.old_rounds import is_cut, remove_own
from securefl.federation.round_board import RoundBoard
from securefl.federation.status_board import end_of
from securefl.federation.study_board import StudyBoard
from securefl.federation.study_receipt import Receipt, need_it_still, removed_by

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from securefl.boards.board import Board
    from securefl.federation.round_plan import RoundPlan
    from securefl.identity import Role
    from securefl.types import Sign


@dataclass(frozen=True)
class EndedStudy:
    """A study of a party, and when it ended there; None where it has not, or nobody knows."""

    plan: RoundPlan
    ended: datetime | None


@dataclass(frozen=True)
class StudyCleaning:
    """Bytes of a party that an ended study leaves in the store.

    Attributes:
        study: the study.
        rounds: numbers of the rounds in which long bytes of this party lie.
        model: whether the sealed model does, where this party put it there.
        why_not: why they stay; empty where they may go.
    """

    study: EndedStudy
    rounds: tuple[int, ...]
    model: bool
    why_not: str

    @property
    def goes(self) -> bool:
        """True if there is something that may go."""
        return not self.why_not and bool(self.rounds or self.model)


def plan_cleaning(
    board: Board,
    study: EndedStudy,
    role: Role,
    name: str,
    *,
    older_than: timedelta,
    now: datetime,
) -> StudyCleaning:
    """Say what of a party's bytes of a study may go, and write nothing.

    Args:
        board: where they lie.
        study: the study.
        role: of the party.
        name: of the party.
        older_than: since its end, at least.
        now: the time, with its zone.

    Raises:
        StoreError: the store is away.
    """
    why_not = _too_soon(board, study, older_than, now)
    if why_not:
        return StudyCleaning(study, (), model=False, why_not=why_not)
    plan = study.plan
    missing = need_it_still(board, plan)
    if missing:
        why_not = f"{', '.join(missing)} may still need it: no receipt lies in the store"
    numbers = range(1, plan.last_round + 1)
    there = tuple(n for n in numbers if _lies(board, plan, n, role, name))
    model = role == "researcher" and _model(board, plan).read_head(1) is not None
    return StudyCleaning(study, there, model=model, why_not=why_not)


def clean(
    board: Board,
    cleaning: StudyCleaning,
    role: Role,
    name: str,
    sign: Sign,
) -> None:
    """Take a party's own bytes away; what was planned and may not go stays.

    The signed word goes first: whoever verifies a round later finds the reason beside the gap.

    Raises:
        StoreError: the store is away; again does the rest.
    """
    if not cleaning.goes:
        return
    plan = cleaning.study.plan
    word = Receipt(plan.digest, name, removed=True).dump(sign)
    StudyBoard(board, plan.digest).receipt(name).post(word)
    for number in cleaning.rounds:
        remove_own(RoundBoard.numbered(board, plan.digest, number), role, name)
    if cleaning.model:
        _model(board, plan).erase()


def was_cleaned(board: Board, plan: RoundPlan) -> bool:
    """True if the study has ended and a party says, signed, that it took its bytes away.

    Raises:
        StoreError: the store is away.
    """
    return end_of(board, plan) is not None and bool(removed_by(board, plan))


def _too_soon(
    board: Board,
    study: EndedStudy,
    older_than: timedelta,
    now: datetime,
) -> str:
    plan = study.plan
    closes = plan.study.schedule.closes
    if end_of(board, plan) is None and now <= closes:
        return "it has not ended: no end of its coordinator lies in the store"
    ended = study.ended
    if ended is None and now > closes:
        ended = closes
    if ended is None:
        return "it has not ended here, or nobody noted when"
    if now - ended < older_than:
        days = older_than.days
        return f"it ended on {ended:%Y-%m-%d}, and {days:,} days have not passed since"
    return ""


def _model(board: Board, plan: RoundPlan) -> Slot:
    return StudyBoard(board, plan.digest).model()


def _lies(
    board: Board,
    plan: RoundPlan,
    number: int,
    role: Role,
    name: str,
) -> bool:
    """True if long bytes of the party lie in a round."""
    at = RoundBoard.numbered(board, plan.digest, number)
    if role == "hospital":
        slot = at.contribution(name)
        return slot.read_head(1) is not None and not is_cut(slot)
    if role == "aggregator":
        return at.sum().read_head(1) is not None
    own = (at.key, Slot(board, at.at.model, 0), at.opening())
    return any(slot.read_head(1) is not None for slot in own)
