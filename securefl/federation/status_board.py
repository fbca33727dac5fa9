"""Last words of a study's parties in the store.

Anybody can write there, so only what a party of the study signed counts; the rest is as if it were
not there.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from securefl.errors import EndedError, NotApprovedError
from securefl.federation.messages import End, Status
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.study_board import StudyBoard
from securefl.identity import Verifier

if TYPE_CHECKING:
    from securefl.boards.board import Board
    from securefl.federation.round_plan import RoundPlan


def first_departure(board: Board, plan: RoundPlan) -> Status | None:
    """Find the signed status of the party that ended its part first, as far as can be seen.

    A hospital's or the aggregator's; None when none did. Whoever follows another says whom
    (:attr:`Status.cause`). One that follows nobody is taken before one that does.
    """
    said = departures(board, plan)
    return min(said.values(), key=lambda word: (word.cause != "", word.site), default=None)


def ended(said: Status, costs: str) -> EndedError:
    """The study is over since another party ended its part: who was first, and with which code.

    Args:
        said: that party's word, or one that follows it.
        costs: what that costs, as the end of a sentence.
    """
    first, code = (said.cause, said.cause_code) if said.cause else (said.site, said.code)
    by = ""
    if said.cause:
        by = f" {said.site} says so."
    what = f"{first} ended its part in the study with the code '{code}'"
    if code == NotApprovedError.code:
        what = f"{first} does not take part in the study ('{code}')"
    return EndedError(
        f"{what}.{by} More is known only there.",
        site=first,
        ended_with=code,
        next_step=f"Ask {first}; the study ends here, {costs}",
    )


def first_to_end(board: Board, plan: RoundPlan, end: End) -> tuple[str, str] | None:
    """Find who ended a study first and with which code, where it was not the coordinator itself.

    By that party's word, or by the coordinator's.

    Raises:
        StoreError: the store is away.
    """
    said = first_departure(board, plan)
    first = (end.cause, end.cause_code)
    if said is not None:
        first = (said.cause, said.cause_code) if said.cause else (said.site, said.code)
    if first[0] in {"", plan.study.coordinator.name}:
        return None
    return first


def departures(board: Board, plan: RoundPlan) -> dict[str, Status]:
    """Everybody of the study who ended its part, with what was signed about it."""
    aggregator = plan.study.aggregator
    keys = {**plan.signing_keys(), aggregator.name: aggregator.signing_public}
    found = (
        (site, status_of(board, plan.digest, site, keys[site]))
        for site in StudyBoard(board, plan.digest).with_status()
        if site in keys
    )
    return {site: said for site, said in found if said is not None}


def ending_departure(
    board: Board,
    plan: RoundPlan,
    cohort: tuple[str, ...],
    keeps: frozenset[str] = frozenset(),
) -> Status | None:
    """Find the word that ends the study for all; None when there is none.

    Where the study ends with a loss it is anybody's.

    Args:
        board: where the study's objects lie.
        plan: the study.
        cohort: who is still in it.
        keeps: who counts as there whatever they said, since nothing more is needed of them in this
            round.
    """
    said = departures(board, plan)
    return round_strategy_of(plan).ending_departure(said, cohort, keeps)


def over(
    board: Board,
    plan: RoundPlan,
    end: End,
    what: str,
    costs: str,
) -> EndedError:
    """The study is over by the coordinator's word, in the name of whoever ended it first.

    Args:
        board: where the study's objects lie.
        plan: the study.
        end: the coordinator's word.
        what: the beginning of the sentence.
        costs: its end: what that costs.

    Raises:
        StoreError: the store is away.
    """
    first = first_to_end(board, plan, end)
    if first is None:
        # whoever follows the coordinator says so, or it would be taken for the first itself
        return EndedError(
            f"{what}: {end.outcome}.",
            site=plan.study.coordinator.name,
            ended_with=end.outcome,
            whose="the coordinator",
            next_step=f"Ask the researcher for the reason; {costs}",
        )
    site, code = first
    return EndedError(
        f"{what}, since {site} ended its part with the code '{code}'.",
        site=site,
        ended_with=code,
        next_step=f"Ask {site} for the reason; {costs}",
    )


def status_of(
    board: Board,
    digest: str,
    site: str,
    signing_public: str,
) -> Status | None:
    """Read what that party signed about its own end of the study; None when it said nothing."""
    read = partial(
        Status.open,
        study=digest,
        site=site,
        verify=Verifier(site, signing_public),
    )
    return StudyBoard(board, digest).status(site).read_as(read)


def end_of(board: Board, plan: RoundPlan) -> End | None:
    """The end that the coordinator signed; None while it has not ended the study."""
    read = partial(End.open, study=plan.digest, verify=plan.coordinator)
    return StudyBoard(board, plan.digest).end.read_as(read)
