"""Whether a finished round went as its transcript says: the sum is computed again from what the hospitals signed. It needs no key.

Whoever has the study can do this, as long as the round's objects lie in the store.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.errors import RoundError, UsageError
from securefl.federation import paths
from securefl.federation.aggregator import announced_facts
from securefl.federation.arrivals import Arrivals
from securefl.federation.messages import MAX_ANNOUNCEMENT
from securefl.federation.tally import Tally
from securefl.federation.transcript import MAX_TRANSCRIPT, Transcript, open_transcript, transcript_sha256
from securefl.identity import verify
from securefl.secagg.frame import sum_bytes
from securefl.secagg.spooling import contribution_limit
from securefl.secagg.streaming import sum_limit
from securefl.secagg.sum import check_parts, same_sum
from securefl.secagg.survivors import proposal_limit

if TYPE_CHECKING:
    from securefl.federation.rounds import Plan
    from securefl.secagg.facts import RoundFacts
    from securefl.store import Store


@dataclass(frozen=True)
class VerifiedRound:
    """A round whose sum was computed again and is the one that was opened.

    Args:
        transcript: the coordinator's, which every check agreed with.
        signed_by: survivors who signed the survivor set; empty in a study where all must contribute, as there is no such set.
        transcript_sha256: what the next round's transcript must name.
        facts: the round's facts, which follow from the study and the announcement.
    """

    transcript: Transcript
    signed_by: tuple[str, ...]
    transcript_sha256: str
    facts: RoundFacts


def read_transcript(store: Store, plan: Plan, number: int) -> tuple[Transcript, bytes]:
    """The coordinator's transcript of a round, and its bytes.

    Raises:
        UsageError: no such round in the study.
        RoundError: there is none: the round is not over, failed, or somebody removed it.
        MessageError: it is refused.
        StoreError: the store is away.
    """
    if not 1 <= number <= plan.last_round:
        raise UsageError(f"This study has the rounds 1 to {plan.last_round}.", next_step="Name one of them.")
    coordinator = plan.study.coordinator
    data = _get(store, paths.RoundPaths(plan.digest, number, 1).transcript, MAX_TRANSCRIPT, f"transcript of round {number}")
    found = open_transcript(data, study=plan.digest, round_number=number, verify=lambda s, m: verify(coordinator.signing_public, s, m))
    return found, data


def verify_round(store: Store, plan: Plan, number: int) -> VerifiedRound:
    """Compute a round's sum again and compare all that was signed about it.

    Args:
        store: where the study's rounds lie.
        plan: the study, from a text that this party trusts.
        number: the round.

    Raises:
        UsageError: no such round in the study.
        RoundError: something is not there any more, or was said otherwise: the sum, the transcript's chain.
        MessageError: an object does not pass its checks; it names whose it is.
        StoreError: the store is away.
    """
    transcript, data = read_transcript(store, plan, number)
    at = paths.RoundPaths(plan.digest, number, 1)
    facts = announced_facts(plan, _get(store, at.announcement, MAX_ANNOUNCEMENT, f"announcement of round {number}"))
    said = (facts.round, facts.attempt, facts.kind, facts.cohort, facts.model_sha256, plan.round_digest(facts))
    told = (transcript.round, transcript.attempt, transcript.kind, transcript.cohort, transcript.model_sha256, transcript.round_digest)
    if said != told:
        raise _otherwise(number, "other facts than its announcement", "the coordinator")
    _follows(store, plan, transcript)
    check = _survivors if plan.goes_on else _whole
    parts, claimed, signed = check(store, plan, facts, at)
    if dict(transcript.contributions) != parts:
        raise _otherwise(number, "other contributions than those in the store", "the coordinator or the store's operator")
    if transcript.sum_sha256 != claimed:
        raise _otherwise(number, "another sum than the aggregator's in the store", "the coordinator or the store's operator")
    return VerifiedRound(transcript, signed, transcript_sha256(data), facts)


def frame_sha256(store: Store, plan: Plan, found: VerifiedRound, site: str) -> str:
    """SHA-256 of the whole frame that the round counts of ``site``, as its own ledger writes it.

    Where a study goes on after a loss, a transcript names a frame by the hash of its head, which pins the rest.

    Raises:
        RoundError: the frame is not there any more.
    """
    if not plan.goes_on:
        return found.transcript.contributions[site]
    digest, limit = hashlib.sha256(), contribution_limit(plan.terms(found.facts))
    with store.open(paths.RoundPaths(plan.digest, found.facts.round, 1).contribution(site), limit) as file:
        if file is None:
            raise _gone(f"contribution of {site}")
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def last_transcript(store: Store, plan: Plan) -> int:
    """The highest round with something in the place of its transcript, 0 where there is none."""
    numbers = range(plan.last_round, 0, -1)
    return next((n for n in numbers if store.exists(paths.RoundPaths(plan.digest, n, 1).transcript)), 0)


def _follows(store: Store, plan: Plan, transcript: Transcript) -> None:
    """That the transcript names the one before it, and that nobody who was lost there came back."""
    number = transcript.round
    left, hashed = plan.study.cohort, ""
    if number > 1:
        before, data = read_transcript(store, plan, number - 1)
        left, hashed = tuple(before.contributions), transcript_sha256(data)
    if transcript.previous != hashed:
        raise _otherwise(number, "another round before it than the one in the store", "the coordinator or the store's operator")
    if not plan.allows(transcript.cohort, left):
        raise _otherwise(number, "another cohort than was left after the round before", "the coordinator")


def _whole(store: Store, plan: Plan, facts: RoundFacts, at: paths.RoundPaths) -> tuple[dict[str, str], str, tuple[str, ...]]:
    """(hospital → hash of its frame, hash of the aggregator's frame, nobody): everybody contributed."""
    with closing(Arrivals(plan, facts)) as arrivals:
        while arrivals.look(store):
            pass
        if arrivals.missing:
            raise _gone(f"contribution of {arrivals.missing_words()}")
        with store.open(at.sum, sum_bytes(facts)) as file:
            if file is None:
                raise _gone("aggregator's sum")
            claimed = arrivals.check_sum(file)
        aggregator = plan.study.aggregator.name
        check_parts(claimed.parts, arrivals.parts, aggregator)
        for _ in same_sum(claimed.blocks(), arrivals.sum_blocks(), aggregator):
            pass
        return dict(arrivals.parts), claimed.sha256, ()


def _survivors(store: Store, plan: Plan, facts: RoundFacts, at: paths.RoundPaths) -> tuple[dict[str, str], str, tuple[str, ...]]:
    """The same for a round over those that were left, with who signed their set."""
    with closing(Tally(plan, plan.terms(facts))) as tally:
        tally.propose(_get(store, at.proposal, proposal_limit(tally.terms), "survivor set"))
        tally.look(store, at)
        tally.check_frames()
        tally.listen(store, at)
        if not tally.agreed or not tally.unmasked:
            raise _gone(f"{'answer' if tally.agreed else 'signature'} of {', '.join(tally.silent)}")
        with store.open(at.sum, sum_limit(tally.survivors)) as file:
            if file is None:
                raise _gone("aggregator's sum")
            claimed = tally.check_sum(file)
        for _ in same_sum(claimed.blocks(), tally.sum_blocks(), plan.study.aggregator.name):
            pass
        return dict(tally.survivors.frames), claimed.sha256, tuple(sorted(tally.agreements))


def _get(store: Store, path: str, limit: int, what: str) -> bytes:
    data = store.get(path, limit)
    if data is None:
        raise _gone(what)
    return data


def _gone(what: str) -> RoundError:
    return RoundError(
        f"The {what} is not in the store: this cannot be verified.", whose="the coordinator or the store's operator",
        next_step="If the round is over, ask who removed it; if it is not, wait for its end.",
    )


def _otherwise(number: int, what: str, whose: str) -> RoundError:
    return RoundError(
        f"The transcript of round {number} names {what}.", whose=whose,
        next_step="Keep the store as it is; tell the other hospitals and ask the researcher.",
    )
