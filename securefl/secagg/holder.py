r"""Hospital in one round, over all its attempts: what it may say, in which order, and how often.

    for each attempt    CONTRIBUTED ──sign──► SIGNED          one contribution, one signature under one survivor set
    for the round       not ANSWERED ──answer──► ANSWERED     one answer, whatever the attempt

Rules of order:

1. **Write, then speak.** Every method that leads to a message returns a :class:`Record` to be made
   durable. Only :meth:`Holder.confirm_durable` with it gives the bytes to send. While one record
   waits, no other is made. After a restart the holder is made again from what is durable, and
   :meth:`Holder.resend` gives the same bytes.
2. **One contribution an attempt**, and attempts go up: one that contributed to attempt 2 says
   nothing more in attempt 1.
3. **One signature an attempt**, under a set with at least t hospitals that includes this one with
   the very frame it sent, and whose dealings to this hospital are all readable and agree with its
   own pair seeds.
4. **One answer a round**, after t survivors' valid signatures under the same set, this hospital in
   it. Self-mask shares of survivors, pair shares of the lost: one kind for each hospital.

Why no two sets open. K hospitals, at most c of them the adversary's, together with coordinator,
aggregator and store; honest ones keep the rules; 2·t > K + c. Everybody is everybody's
neighbour.

- *Within an attempt* a set needs t signatures, so t - c honest ones, each given once. Two sets
  would take 2·(t - c) <= K - c honest signers, but 2·t > K + c. So honest holders answer for one
  set U at most. For i in U they give shares of its self-mask seed and none of its pair seeds inside
  U; for i outside U the other way round. The adversary's own c < t shares restore nothing. So what
  comes off is exactly U's masks, and what opens is the sum over U, of which it knows the part of
  its own hospitals: the sum of at least t - c >= 2 honest ones.
- *Between attempts* all seeds are fresh, since the round digest is. A sum needs t answers, so t - c
  honest ones; two attempts would need 2·(t - c) honest answers in one round, where K - c can be
  had.
- Should signatures ever fail, single answers alone keep it at one set: for two honest hospitals i
  and j never all three of both self-mask seeds and their pair seed open, for whoever gave a share
  of the pair seed counted one of the two lost and gave no share of that one's self-mask seed: again
  2·(t - c) honest holders. Two different sets that open always hold such a pair.

The holder does no I/O and asks no clock. It checks what it is told against its own terms; whether
those are the study's is for the caller to see.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from securefl.errors import MessageError, RoundError, UnreadableError, UsageError
from securefl.secagg.key_shares import seed_commitment
from securefl.secagg.survivors import count_agreements, read_proposal, write_agreement
from securefl.secagg.unmasking import dealers_of, write_answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from securefl.secagg.key_shares import Dealing, Unseal
    from securefl.secagg.survivor_contribution import ContributionHead
    from securefl.secagg.survivor_terms import SurvivorTerms
    from securefl.secagg.survivors import Survivors, VerifyBy
    from securefl.types import Sign, Verify

    Kind = Literal["contribution", "signature", "answer"]


@dataclass(frozen=True)
class Record:
    """Record that is made durable before a message leaves.

    Args:
        kind: which of the three a hospital says.
        attempt: number of the attempt.
        round_digest: the attempt's round digest.
        about: the hash of the frame (a contribution), or of the survivor set.
        message: the bytes that are then sent; for a contribution its head, the ciphertexts being in
            its spool.
    """

    kind: Kind
    attempt: int
    round_digest: str
    about: str
    message: bytes = field(repr=False)


@dataclass(frozen=True)
class OrderRules:
    """Rules whose absence an attack test shows to be fatal.

    Nothing but a test's constructor turns one off.
    """

    one_signature: bool = True
    one_answer: bool = True


class Holder:
    """Hospital in one (study, round), over all attempts.

    Args:
        me: this hospital's name.
        sign: Ed25519 with its identity key.
        unseal: opens HPKE with its sealing key (payload, context).
        kept: the records that are durable, in any order.
        restraint: for tests.

    Attributes:
        refused_dealer: whose dealing was the reason why the set proposed last was not signed; empty
            where there was another, or none.

    Raises:
        UnreadableError: records that contradict each other: two answers, or two of a kind in one
            attempt.
    """

    def __init__(
        self,
        me: str,
        *,
        sign: Sign,
        unseal: Unseal,
        kept: Iterable[Record] = (),
        restraint: OrderRules | None = None,
    ) -> None:
        self._me = me
        self._sign = sign
        self._unseal = unseal
        self.refused_dealer = ""
        self._restraint = restraint or OrderRules()
        self._kept: list[Record] = []
        self._pending: Record | None = None
        for record in kept:
            if record not in self._kept:
                self._enter(record)

    @property
    def answered(self) -> bool:
        """True once the round's one answer is given."""
        return any(record.kind == "answer" for record in self._kept)

    @property
    def attempt(self) -> int:
        """The last attempt that this hospital contributed to; 0 before the first."""
        return max(
            (record.attempt for record in self._kept if record.kind == "contribution"), default=0
        )

    def contributed(
        self,
        terms: SurvivorTerms,
        head: bytes,
        frame_sha256: str,
    ) -> Record:
        """Take in a contribution that was made, and whose spool is durable.

        ``head`` is what goes before the spool.

        Raises:
            RoundError: this attempt, or a later one, has a contribution already.
            UsageError: another record waits to be kept.
        """
        if terms.facts.attempt <= self.attempt:
            raise self._refusal(
                f"attempt {terms.facts.attempt} or a later one has a contribution already"
            )
        return self._wait(
            Record(
                "contribution",
                terms.facts.attempt,
                terms.round_digest,
                frame_sha256,
                head,
            )
        )

    def agree(
        self,
        terms: SurvivorTerms,
        proposal: bytes,
        *,
        coordinator: str,
        verify: Verify,
        heads: Mapping[str, ContributionHead],
        pair_seeds: Mapping[str, bytes],
    ) -> Record:
        """Sign a proposed survivor set.

        Args:
            terms: this hospital's own terms of the attempt.
            proposal: as it came.
            coordinator: the coordinator's name.
            verify: with the coordinator's rostered key.
            heads: the checked heads of the frames of this hospital and its surviving neighbours.
            pair_seeds: this hospital's pair seed with each neighbour.

        Raises:
            MessageError: the proposal is refused in the coordinator's name, or a dealing in its
                dealer's.
            RoundError: not this hospital's current attempt, or a set was signed in it already.
            UsageError: another record waits to be kept.
        """
        self.refused_dealer = ""
        survivors = read_proposal(proposal, terms, coordinator, verify)
        self._check_mine(survivors)
        signed = self._find("signature", terms.round_digest)
        if signed is not None and self._restraint.one_signature:
            raise self._refusal("a survivor set was signed in this attempt already")
        for dealer in dealers_of(self._me, survivors):
            dealing = self._head_of(dealer, survivors, heads).dealing
            # Noted before anything can raise: who refuses to sign says publicly whose dealing it is.
            self.refused_dealer = dealer
            dealing.open_packet(self._me, self._unseal)
            # Two different seeds leave a mask in the sum, which would only show when it is opened:
            # after that nobody could say whose it was.
            if dealer != self._me:
                mine = seed_commitment(terms, pair_seeds[dealer])
                theirs = dealing.seed_commitment(dealing.seed_index(self._me))
                if not hmac.compare_digest(mine, theirs):
                    raise MessageError(
                        f"{dealer} and this hospital hold different pair seeds: their masks would"
                        " not cancel.",
                        whose=dealer,
                        next_step=(
                            f"Compare the study keys with {dealer}; the coordinator can go on"
                            " without one of the two."
                        ),
                    )
            self.refused_dealer = ""
        message = write_agreement(survivors, self._me, self._sign)
        return self._wait(
            Record(
                "signature",
                terms.facts.attempt,
                terms.round_digest,
                survivors.sha256,
                message,
            )
        )

    def answer(
        self,
        survivors: Survivors,
        agreements: Mapping[str, bytes],
        *,
        verify: VerifyBy,
        heads: Mapping[str, ContributionHead],
    ) -> Record:
        """Give this round's one answer.

        Args:
            survivors: the set, under this hospital's own terms.
            agreements: survivors' signatures as they came, by name.
            verify: with the rostered key of the named hospital (name, signature, message).
            heads: the checked heads of the frames of this hospital and its surviving neighbours.

        Raises:
            RoundError: the answer is given already, too few signatures, or a set that this hospital
                is not in with its frame.
            MessageError: a head is not that of the frame in the set.
            UsageError: another record waits to be kept.
        """
        if self.answered and self._restraint.one_answer:
            raise self._refusal("this round's one answer is given")
        self._check_mine(survivors)
        terms = survivors.terms
        # 2 x min_contributors exceeds participants + colluders: any two groups of signers share an
        # honest hospital, and it signs one set. Counted before any share is opened.
        signed = count_agreements(agreements, survivors, verify)
        if signed < terms.min_contributors:
            raise RoundError(
                f"{signed} survivors signed this set, and {terms.min_contributors} must; {self._me}"
                " gives no answer.",
                whose="the survivors who have not signed, or the coordinator",
                next_step="Wait for the signatures.",
            )
        dealings: dict[str, Dealing] = {}
        for dealer in dealers_of(self._me, survivors):
            dealings[dealer] = self._head_of(dealer, survivors, heads).dealing
        message = write_answer(
            survivors,
            self._me,
            dealings,
            unseal=self._unseal,
            sign=self._sign,
        )
        return self._wait(
            Record(
                "answer",
                terms.facts.attempt,
                terms.round_digest,
                survivors.sha256,
                message,
            )
        )

    def confirm_durable(self, record: Record) -> bytes:
        """Take in that ``record`` is durable; return the bytes that may now be sent.

        Raises:
            UsageError: it is not the record that waits.
        """
        if record != self._pending:
            raise UsageError(
                "Another record waits to be kept, or none.",
                next_step="Keep the record that was returned last.",
            )
        # Entered first: if the folder is broken the message must not leave.
        self._enter(record)
        self._pending = None
        return record.message

    def discard(self) -> None:
        """Forget the record that waited: it could not be made durable, and surely is not.

        It is as if it had not been made.
        """
        self._pending = None

    def resend(self, kind: Kind, round_digest: str) -> bytes | None:
        """Return the message of that kind in that attempt once more, if it was kept."""
        found = self._find(kind, round_digest)
        if found is None:
            return None
        return found.message

    def _find(self, kind: Kind, round_digest: str) -> Record | None:
        return next(
            (r for r in self._kept if (r.kind, r.round_digest) == (kind, round_digest)), None
        )

    def _enter(self, record: Record) -> None:
        """Take in a durable record; where there can be one, two of them are a broken folder."""
        twice = {
            "contribution": any(
                r.kind == "contribution" and r.attempt == record.attempt for r in self._kept
            ),
            "signature": (
                self._restraint.one_signature
                and self._find("signature", record.round_digest) is not None
            ),
            "answer": self._restraint.one_answer and self.answered,
        }
        if twice[record.kind]:
            raise UnreadableError(
                f"{self._me} has two records of a {record.kind} where there can be one.",
                next_step="Do not take part in this round; find out who wrote the records.",
            )
        self._kept.append(record)

    def _wait(self, record: Record) -> Record:
        """Let a record wait for its durability (rule of order 1)."""
        if self._pending is not None:
            raise UsageError(
                "A record waits to be kept.",
                next_step="Make it durable and confirm it, or discard it.",
            )
        self._pending = record
        return record

    def _check_mine(self, survivors: Survivors) -> None:
        """Check that a set is of the last attempt here, and holds this hospital's own frame."""
        terms = survivors.terms
        mine = self._find("contribution", terms.round_digest)
        if mine is None or terms.facts.attempt != self.attempt:
            raise self._refusal("it is not the attempt that this hospital contributed to last")
        # Another frame in this hospital's name: the sum would not be over what it masked.
        if survivors.frames.get(self._me) != mine.about:
            raise self._refusal(
                "the survivor set does not hold this hospital with the frame it sent"
            )

    def _head_of(
        self,
        dealer: str,
        survivors: Survivors,
        heads: Mapping[str, ContributionHead],
    ) -> ContributionHead:
        head = heads.get(dealer)
        if (
            head is None
            or head.sha256 != survivors.frames[dealer]
            or head.dealing.terms.round_digest != survivors.terms.round_digest
        ):
            raise MessageError(
                f"The frame of {dealer} that is here is not the one in the survivor set.",
                whose=f"{dealer} or the store's operator",
                next_step=f"Fetch the frame of {dealer} again.",
            )
        return head

    def _refusal(self, why: str) -> RoundError:
        return RoundError(
            f"{self._me} does not go along: {why}.",
            whose="the coordinator",
            next_step="Start a new attempt with the hospitals that have not answered yet.",
        )
