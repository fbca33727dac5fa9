"""Absence in a round: whose word is missing, as the names of what lies in the store show it.

For the screen of a party that waits; nothing is decided by it. Names are nobody's word, so nothing is
opened and little is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.federation.round_board import RoundBoard

if TYPE_CHECKING:
    from collections.abc import Collection

    from securefl.boards.board import Board
    from securefl.federation.round_plan import RoundPlan
    from securefl.secagg.round_context import RoundContext


def absent(
    board: Board,
    plan: RoundPlan,
    facts: RoundContext,
    survivors: Collection[str] = (),
) -> tuple[str, ...]:
    """Name those without whom a round does not go on.

    Args:
        board: where it lies.
        plan: the study.
        facts: of the round.
        survivors: hospitals of the survivor set, where this party signed one.

    Returns:
        Names of hospitals, or of the aggregator, or of the coordinator.

    Raises:
        StoreError: the store is away.
    """
    at = RoundBoard.numbered(board, plan.digest, facts.round)
    there = set(at.there())
    coordinator = (plan.study.coordinator.name,)
    if "transcript" in there:
        return coordinator
    proposed = plan.survives_losses and "survivors" in there
    if proposed:
        wanted = [(at.with_agreement, survivors), (at.with_answer, survivors)]
    else:
        wanted = [(at.contributors, facts.cohort)]
    for found, names in wanted:
        missing = sorted(set(names) - set(found()))
        if missing:
            return tuple(missing)
    if "sum" in there or (plan.survives_losses and not proposed):
        return coordinator
    return (plan.study.aggregator.name,)
