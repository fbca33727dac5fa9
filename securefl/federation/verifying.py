"""Whether a finished round went as its transcript says: the sum is computed again from what the
hospitals signed. It needs no key.

Whoever has the study can do this, as long as the round's objects lie in the store.
"""

from __future__ import annotations

from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from securefl.errors import MessageError, RoundError, UsageError
from securefl.federation import paths
from securefl.federation.checked_round import AnnouncedRound
from securefl.federation.full_round import FullRound
from securefl.federation.messages import MAX_ANNOUNCEMENT
from securefl.federation.survivor_round import SurvivorRound
from securefl.federation.transcript import (
    MAX_TRANSCRIPT,
    Transcript,
    open_transcript,
    transcript_sha256,
)
from securefl.identity import verify
from securefl.secagg.frame import sum_bytes
from securefl.secagg.streaming import sum_limit
from securefl.secagg.sum import check_parts, same_sum
from securefl.secagg.survivors import proposal_limit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from securefl.boards.board import Board
    from securefl.federation.round_plan import RoundPlan
    from securefl.secagg.round_context import RoundContext


@dataclass(frozen=True)
class VerifiedRound:
    """A round whose sum was computed again and is the one that the aggregator signed.

    Args:
        transcript: the coordinator's, which every check agreed with.
        frames: hospital → SHA-256 of the whole frame that is in the sum, as that hospital's own
            ledger writes it.
        absent: hospitals of the study that are not in the sum.
        signed_by: survivors who signed the survivor set; empty in a study where all must
            contribute, as there is no such set.
        transcript_sha256: what the next round's transcript must name.
    """

    transcript: Transcript
    frames: Mapping[str, str]
    absent: tuple[str, ...]
    signed_by: tuple[str, ...]
    transcript_sha256: str


@dataclass(frozen=True)
class _Added:
    """What was added again: hospital → the hash that the transcript names its frame by, the same of
    whole frames, the sum's frame, who signed.
    """

    parts: Mapping[str, str]
    frames: Mapping[str, str]
    sum_sha256: str
    signed_by: tuple[str, ...] = ()


def read_transcript(board: Board, plan: RoundPlan, number: int) -> tuple[Transcript, bytes]:
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
    coordinator, what = plan.study.coordinator, f"transcript of round {number}"
    with _lying_there(what, coordinator.name):
        data = _there(
            board.read(paths.RoundPaths(plan.digest, number, 1).transcript, MAX_TRANSCRIPT), what
        )
        found = open_transcript(
            data,
            study=plan.digest,
            round_number=number,
            verify=lambda s, m: verify(coordinator.signing_public, s, m),
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
    transcript, data = read_transcript(board, plan, number)
    coordinator, what = plan.study.coordinator.name, f"announcement of round {number}"
    at = paths.RoundPaths(plan.digest, number, 1)
    with _lying_there(what, coordinator):
        announcement = _there(board.read(at.announcement, MAX_ANNOUNCEMENT), what)
        facts = AnnouncedRound.open(plan, announcement).checked_context()
    if facts.round != number:
        raise _gone(
            what, f"whoever can write into the store: that of round {facts.round} lies in its place"
        )
    said = (facts.attempt, facts.kind, facts.cohort, facts.model_sha256, plan.round_digest(facts))
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
    found = (_survivors if plan.goes_on else _whole)(board, plan, facts, at)
    differ = sorted(
        s
        for s in {*transcript.contributions, *found.parts}
        if transcript.contributions.get(s) != found.parts.get(s)
    )
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
    return VerifiedRound(transcript, found.frames, absent, found.signed_by, transcript_sha256(data))


def last_transcript(board: Board, plan: RoundPlan) -> int:
    """The highest round with a transcript by the coordinator, 0 where there is none."""
    for number in range(plan.last_round, 0, -1):
        with suppress(RoundError):
            read_transcript(board, plan, number)
            return number
    return 0


def _follows(board: Board, plan: RoundPlan, transcript: Transcript) -> None:
    """That the transcript names the one before it, and that nobody who was lost there came back."""
    number = transcript.round
    left, hashed = plan.study.cohort, ""
    if number > 1:
        before, data = read_transcript(board, plan, number - 1)
        left, hashed = tuple(before.contributions), transcript_sha256(data)
    if transcript.previous != hashed:
        raise _otherwise(
            number, "another round before it than the one in the store", plan.study.coordinator.name
        )
    if not plan.allows(transcript.cohort, left):
        raise _otherwise(
            number,
            "another cohort than was left after the round before",
            plan.study.coordinator.name,
        )


def _whole(board: Board, plan: RoundPlan, facts: RoundContext, at: paths.RoundPaths) -> _Added:
    """Everybody contributed."""
    aggregator = plan.study.aggregator.name
    with closing(FullRound(plan, facts)) as arrivals:
        while arrivals.look(board):
            pass
        if arrivals.missing:
            raise _gone(f"contribution of {arrivals.missing_words()}")
        with (
            _lying_there(f"sum of round {facts.round}", aggregator),
            board.open(at.sum, sum_bytes(facts)) as file,
        ):
            claimed = arrivals.check_sum(_there(file, f"sum of round {facts.round}"))
        check_parts(claimed.parts, arrivals.parts, aggregator)
        for _ in same_sum(claimed.blocks(), arrivals.sum_blocks(), aggregator):
            pass
        return _Added(dict(arrivals.parts), dict(arrivals.parts), claimed.sha256)


def _survivors(board: Board, plan: RoundPlan, facts: RoundContext, at: paths.RoundPaths) -> _Added:
    """The same for a round over those that were left, with who signed their set."""
    coordinator, aggregator = plan.study.coordinator.name, plan.study.aggregator.name
    with closing(SurvivorRound(plan, plan.terms(facts))) as tally:
        with _lying_there(f"survivor set of round {facts.round}", coordinator):
            tally.propose(
                _there(
                    board.read(at.proposal, proposal_limit(tally.terms)),
                    f"survivor set of round {facts.round}",
                )
            )
        tally.look(board, at)
        absent = [
            s
            for s in tally.survivors.names
            if tally.heads.get(s) is None or tally.heads[s].sha256 != tally.survivors.frames[s]
        ]
        if absent:
            raise _gone(
                f"contribution of {', '.join(absent)} that the survivors signed for",
                f"{', '.join(absent)}, or whoever can write into the store",
            )
        tally.listen(board, at)
        if not tally.agreed or not tally.unmasked:
            raise _gone(f"{'answer' if tally.agreed else 'signature'} of {', '.join(tally.silent)}")
        with (
            _lying_there(f"sum of round {facts.round}", aggregator),
            board.open(at.sum, sum_limit(tally.survivors)) as file,
        ):
            claimed = tally.check_sum(_there(file, f"sum of round {facts.round}"))
        for _ in same_sum(claimed.blocks(), tally.sum_blocks(), aggregator):
            pass
        parts = dict(tally.survivors.frames)
        return _Added(
            parts,
            {s: tally.frame_hashes[s] for s in parts},
            claimed.sha256,
            tuple(sorted(tally.agreements)),
        )


_T = TypeVar("_T")


def _there(found: _T | None, what: str) -> _T:
    if found is None:
        raise _gone(what)
    return found


@contextmanager
def _lying_there(what: str, whose: str) -> Iterator[None]:
    """Around reading an object of ``whose``: one that does not pass its checks may be anybody's."""
    try:
        yield
    except MessageError as error:
        raise _gone(
            f"{what} of {whose}", f"whoever can write into the store, or {whose}: {error.what}"
        ) from None


def _gone(what: str, whose: str = "whoever can write into the store") -> RoundError:
    return RoundError(
        f"The {what} is not in the store: this cannot be verified.",
        whose=whose,
        next_step="If the round is over, ask who removed it; if it is not, wait for its end.",
    )


def _otherwise(number: int, what: str, whose: str) -> RoundError:
    return RoundError(
        f"The transcript of round {number} names {what}.",
        whose=whose,
        next_step="Keep the store as it is; tell the other hospitals and ask the researcher.",
    )
