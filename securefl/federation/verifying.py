"""Verification of a finished round against its transcript.

The sum is computed again from what the hospitals signed. It needs no key. Whoever has the study can
do this, as long as the round's objects lie in the store. Where the study's rule removed them
(:mod:`securefl.federation.old_rounds`), or a party after the study's end, which it says signed
(:mod:`securefl.federation.study_cleaning`), the transcript is held to its announcement and its chain.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.errors import RoundError, UsageError
from securefl.federation.checked_round import AnnouncedRound
from securefl.federation.evidence import MissingEvidenceError, missing_error, present, reading
from securefl.federation.hospital_return import returned
from securefl.federation.old_rounds import may_be_removed
from securefl.federation.round_board import RoundBoard
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.status_board import departures
from securefl.federation.study_cleaning import was_cleaned
from securefl.federation.transcript import Transcript, transcript_sha256

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.boards.board import Board
    from securefl.federation.round_plan import RoundPlan
    from securefl.secagg.round_context import RoundContext


@dataclass(frozen=True)
class VerifiedRound:
    """A round whose sum was computed again and is the one that the aggregator signed; or, of an old
    round whose bytes the study's rule removed, one whose transcript holds.

    Args:
        transcript: the coordinator's, which every check agreed with.
        frames: hospital → SHA-256 of the whole frame that is in the sum, as that hospital's own
            ledger writes it.
        absent: hospitals of the study that are not in the sum.
        signed_by: survivors who signed the survivor set; empty in a study where all must
            contribute, as there is no such set.
        transcript_sha256: what the next round's transcript must name.
        added_again: False where the contributions were removed by the study's rule, or by their
            parties after the study's end.
    """

    transcript: Transcript
    frames: Mapping[str, str]
    absent: tuple[str, ...]
    signed_by: tuple[str, ...]
    transcript_sha256: str
    added_again: bool = True


def read_transcript(
    board: Board,
    plan: RoundPlan,
    number: int,
) -> tuple[Transcript, bytes]:
    """The coordinator's transcript of a round, and its bytes.

    Raises:
        UsageError: no such round in the study.
        RoundError: there is none: the round is not over, failed, or somebody removed or replaced
            it.
        StoreError: the store is away.
    """
    if not 1 <= number <= plan.last_round:
        raise UsageError(
            f"This study has the rounds 1 to {plan.last_round}.", next_step="Name one of them."
        )
    coordinator = plan.coordinator
    what = f"transcript of round {number}"
    with reading(what, coordinator.name):
        data = present(RoundBoard.numbered(board, plan.digest, number).transcript.read(), what)
        found = Transcript.open(
            data,
            study=plan.digest,
            round=number,
            verify=plan.coordinator,
        )
    return found, data


def verify_round(board: Board, plan: RoundPlan, number: int) -> VerifiedRound:
    """Compute a round's sum again and compare all that was signed about it.

    Args:
        board: where the study's rounds lie.
        plan: the study, from a text that this party trusts.
        number: the round.

    Raises:
        UsageError: no such round in the study.
        RoundError: something is not there (any more), or was said otherwise: the sum, a
            contribution, the chain of transcripts. What does not pass its checks is not there:
            whoever can write into the store may have put it there.
        StoreError: the store is away.
    """
    strategy = round_strategy_of(plan)
    transcript, facts, data = checked_transcript(board, plan, number)
    try:
        found = strategy.recompute(board, facts)
    except MissingEvidenceError:
        if not may_be_removed(board, plan, number) and not was_cleaned(board, plan):
            raise
        return _by_transcript(plan, transcript, data)
    differ = sorted(
        s
        for s in {*transcript.contributions, *found.parts}
        if transcript.contributions.get(s) != found.parts.get(s)
    )
    coordinator = plan.study.coordinator.name
    if differ:
        raise _otherwise(
            number,
            f"another contribution of {', '.join(differ)} than the one in the store",
            f"{coordinator}, or {', '.join(differ)}",
        )
    if transcript.sum_sha256 != found.sum_sha256:
        raise _otherwise(
            number,
            "another sum than the aggregator's in the store",
            f"{coordinator}, or {plan.study.aggregator.name}",
        )
    absent = tuple(s for s in plan.study.cohort if s not in found.parts)
    return VerifiedRound(
        transcript,
        found.frames,
        absent,
        found.signed_by,
        transcript_sha256(data),
    )


def _by_transcript(plan: RoundPlan, transcript: Transcript, data: bytes) -> VerifiedRound:
    """A round of which only signed words are left, and they hold."""
    frames: Mapping[str, str] = {}
    if not plan.survives_losses:
        frames = transcript.contributions
    absent = tuple(s for s in plan.study.cohort if s not in transcript.contributions)
    return VerifiedRound(
        transcript,
        frames,
        absent,
        (),
        transcript_sha256(data),
        added_again=False,
    )


def checked_transcript(
    board: Board,
    plan: RoundPlan,
    number: int,
) -> tuple[Transcript, RoundContext, bytes]:
    """A round's transcript, held to its announcement and to the transcript before it.

    Of the contributions it only knows the hashes. Returns it, the round's facts, and its bytes.

    Raises:
        UsageError, RoundError, StoreError: as :func:`verify_round`.
    """
    strategy = round_strategy_of(plan)
    transcript, data = read_transcript(board, plan, number)
    coordinator = plan.study.coordinator.name
    what = f"announcement of round {number}"
    at = RoundBoard.numbered(board, plan.digest, number)
    with reading(what, coordinator):
        announcement = present(at.announcement.read(), what)
        facts = AnnouncedRound.open(plan, announcement).checked_context()
    if facts.round != number:
        raise missing_error(
            what, f"whoever can write into the store: that of round {facts.round} lies in its place"
        )
    said = (
        facts.attempt,
        facts.kind,
        facts.cohort,
        facts.model_sha256,
        strategy.round_digest(facts),
    )
    told = (
        transcript.attempt,
        transcript.kind,
        transcript.cohort,
        transcript.model_sha256,
        transcript.round_digest,
    )
    if said != told:
        raise _otherwise(number, "other facts than its announcement", coordinator)
    _follows(board, plan, transcript)
    return transcript, facts, data


def last_transcript(board: Board, plan: RoundPlan) -> int:
    """The highest round with a transcript by the coordinator, 0 where there is none."""
    for number in range(plan.last_round, 0, -1):
        with suppress(RoundError):
            read_transcript(board, plan, number)
            return number
    return 0


def _follows(board: Board, plan: RoundPlan, transcript: Transcript) -> None:
    """Check that the transcript names the one before it, and that nobody lost there came back unasked."""
    number = transcript.round
    left = plan.study.cohort
    hashed = ""
    if number > 1:
        before, data = read_transcript(board, plan, number - 1)
        left = tuple(before.contributions)
        hashed = transcript_sha256(data)
    if transcript.previous != hashed:
        raise _otherwise(
            number, "another round before it than the one in the store", plan.study.coordinator.name
        )
    back = returned(board, plan)
    if not round_strategy_of(plan).allows(transcript.cohort, (*left, *back)):
        raise _otherwise(
            number,
            "another cohort than was left after the round before",
            plan.study.coordinator.name,
        )
    dropped = set(left) - set(transcript.cohort) - set(departures(board, plan))
    if dropped:
        raise _otherwise(
            number,
            f"a cohort without {', '.join(sorted(dropped))}, who did not end their part",
            plan.study.coordinator.name,
        )


def _otherwise(number: int, what: str, whose: str) -> RoundError:
    return RoundError(
        f"The transcript of round {number} names {what}.",
        whose=whose,
        next_step="Keep the store as it is; tell the other hospitals and ask the researcher.",
    )
