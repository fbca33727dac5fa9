"""Hospital's part in the rounds of one study: check the announcement, train, protect, answer once.

A pure state machine but for what it is handed: the trainer (a worker process), and the keeper that
makes a contribution durable before its mask is used (rule 6).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, TypeVar

from securefl.errors import NotApprovedError, RoundError, TwoCopiesError, UsageError
from securefl.federation.checked_round import AnnouncedRound
from securefl.federation.following import broken_rule
from securefl.federation.hospital_keys import HospitalKeys, pair_secrets
from securefl.federation.round_strategy import round_strategy_of
from securefl.secagg.round_context import ATTEMPT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from numpy.typing import NDArray

    from securefl.federation.checked_round import Broadcast, CheckedRound
    from securefl.federation.following import Following
    from securefl.federation.messages import Announcement
    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.round_strategy import Kept
    from securefl.federation.unmasking_stage import RecordKeeper, UnmaskingStage
    from securefl.identity import Identity
    from securefl.secagg.cipher import SumCipher
    from securefl.secagg.group_draw import Lot
    from securefl.secagg.publickey import PublicKey
    from securefl.secagg.round_context import RoundContext
    from securefl.study.approval import Approval


KeptT = TypeVar("KeptT", bound="Kept")
KeptT_co = TypeVar(
    "KeptT_co",
    bound="Kept",
    covariant=True,
)


_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})


class Trainer(Protocol):
    """Source of the noised integers: the worker in a real run."""

    def __call__(
        self,
        number: int,
        model: bytes,
        length: int,
        largest: int,
    ) -> NDArray[np.int64]:
        """Return what is due in round ``number``: int64[length], noised, each at most ``largest``.

        In absolute value.
        """


class Keeper(Protocol[KeptT_co]):
    """Keeper of a contribution: it makes it durable before it is used.

    A file on disk, and later an entry in the ledger.
    """

    def __call__(
        self,
        facts: RoundContext,
        write: Callable[[BinaryIO], None],
    ) -> KeptT_co:
        """Keep what ``write`` writes as this hospital's only contribution to that round.

        Raises, before it is written, if there is one already. ``write`` seeks in the file it is
        given, which holds nothing else.
        """


@dataclass(frozen=True)
class OpenContribution:
    """A kept contribution in an open file, at its beginning: where all parties are one process."""

    file: BinaryIO

    def head(self, size: int) -> bytes:
        """The first ``size`` bytes of the frame; the file stays at its beginning."""
        data = self.file.read(size)
        self.file.seek(0)
        return data


@dataclass(frozen=True)
class Accepted:
    """An announced round that was checked and may be answered: its facts and its public key."""

    facts: RoundContext
    public: PublicKey


class Participant:
    """One hospital in one study.

    Args:
        plan: the approved study.
        identity: this hospital's keys.
        study_key: the X25519 key made for this study, named in this hospital's approval.
        approvals: every hospital's checked approval (its own among them).
        trainer: see :class:`Trainer`; needed by :meth:`answer` alone.
        keeper: makes a contribution durable; needed by :meth:`answer` alone.
        cipher: the home of the encryption.
        instance: nonce of this run of the hospital's agent (32 bytes in hex), as in its ready
            statement: it answers rounds that were announced to this run alone.
        following: what must follow from the totals before (rule 11). None in tests and measurements
            that run no study; never on private data.
        records: makes what is said after the contribution durable; needed where the study goes on
            after a loss.
        lot: nonces of all hospitals, by which this one draws the groups itself; needed
            where the study trains by groups.

    Attributes:
        following: see above.
        last: the round that was answered last; None before.
        cohort: whom the next round may be announced to: those that survived the last one.
        later: what this hospital still has to say in the round it contributed to last; None where
            the study ends with a loss.

    Raises:
        UsageError: the study goes on after a loss, and ``records`` is missing; or it trains by
            groups, and ``lot`` is.
        NotApprovedError: an approval is missing; nothing runs before all have approved.
        MessageError: a study key is unusable, or two hospitals' approvals name the same one.
    """

    def __init__(
        self,
        *,
        plan: RoundPlan,
        identity: Identity,
        study_key: X25519PrivateKey,
        approvals: Mapping[str, Approval],
        trainer: Trainer | None = None,
        keeper: Callable[[RoundContext, Callable[[BinaryIO], None]], BinaryIO] | None = None,
        cipher: SumCipher,
        instance: str,
        following: Following | None,
        records: RecordKeeper | None = None,
        lot: Lot | None = None,
    ) -> None:
        missing = [site for site in plan.study.cohort if site not in approvals]
        if missing:
            raise NotApprovedError(
                f"No approval of {', '.join(missing)}: the study has not begun.",
                whose=", ".join(missing),
                next_step="Wait for every hospital.",
            )
        self.plan = plan
        self._strategy = round_strategy_of(plan)
        self._trainer = trainer
        self._keeper = keeper
        self._cipher = cipher
        secrets = pair_secrets(
            plan,
            identity.card.name,
            study_key,
            approvals,
        )
        self._keys = HospitalKeys(identity, secrets)
        if self._strategy.needs_records and records is None:
            raise UsageError(
                "A study that goes on after a loss needs a keeper of records.",
                next_step="Pass records.",
            )
        if self._strategy.needs_lot and lot is None:
            raise UsageError("A study that trains by groups needs their lot.", next_step="Pass it.")
        self._records = records
        self.lot = lot
        self.instance = instance
        self._instances: dict[str, str] = {}
        self.cohort = plan.study.cohort
        self.following = following
        self.later: UnmaskingStage | None = None
        self.last: Accepted | None = None
        self.done = 0
        self._spoiled = False

    @property
    def name(self) -> str:
        """This hospital's name in the cohort."""
        return self._keys.name

    def check(
        self,
        announced: AnnouncedRound,
        gone: frozenset[str] = frozenset(),
        back: Mapping[str, str] = _NOBODY,
    ) -> RoundContext:
        """Return the facts of an announced round, if it is the next of this study.

        And says what this hospital expects.

        Args:
            announced: the round.
            gone: hospitals that signed that they ended their part.
            back: hospital → the run of its agent, of those that signed that they come back.

        Raises:
            BrokenRuleError: it does not follow from the rounds before: other weights, or a hospital
                is left out that did not end its part.
            RoundError: it is not the next round, or its facts are not those of the study.
        """
        plan = self.plan
        said = announced.said
        number = self.done + 1
        if said.round != number or said.attempt != ATTEMPT or number > plan.last_round:
            raise RoundError(
                f"Round {said.round}, attempt {said.attempt} was announced; this hospital expects"
                f" round {number}. One contribution is given per round, ever.",
                whose="the coordinator",
                next_step="Make a new study.",
            )
        before = (
            self.later.survivors.names
            if self.later is not None and self.later.survivors is not None
            else self.cohort
        )
        self._check_nobody_dropped(said, gone)
        self._strategy.check_place(
            number,
            self.name,
            said.cohort,
            before,
        )
        expected = (plan.kind(number), plan.length(number), plan.public_length(number))
        first = number == 1 and said.cohort != plan.study.cohort
        newcomers = {site for site, nonce in said.by_site.items() if back.get(site) == nonce} - set(
            before
        )
        if (
            (said.kind, said.length, said.parameters) != expected
            or first
            or not self._strategy.allows(said.cohort, (*before, *newcomers))
        ):
            raise RoundError(
                "The announced round is not the one that the study describes.",
                whose="the coordinator",
                next_step="Make a new study.",
            )
        if plan.starts_from(number) not in {None, said.model_sha256}:
            raise RoundError(
                f"Round {number} does not start from the initial weights that were approved.",
                whose="the coordinator",
                next_step="Make a new study.",
            )
        self._check_follows(said)
        self._check_instances(said)
        self._check_groups(said)
        if not announced.has_own_digest:
            raise RoundError(
                "The announced round digest is not that of the announced facts.",
                whose="the coordinator",
                next_step="Make a new study.",
            )
        return announced.context

    def _check_nobody_dropped(
        self,
        said: Announcement,
        gone: frozenset[str],
    ) -> None:
        """Check that everybody whom the survivors signed for is asked again, but for those who left.

        In a study that ends with a loss, the cohort never changes.
        """
        later = self.later
        if self.following is None or later is None or later.survivors is None:
            return
        dropped = set(later.survivors.names) - set(said.cohort) - gone
        if not dropped:
            return
        names = ", ".join(sorted(dropped))
        raise broken_rule(
            f"round {said.round} was announced without {names}, whom all signed for in the round"
            " before and who did not say in the store that they ended their part"
        )

    def _check_follows(self, said: Announcement) -> None:
        """Check that the round starts from what the verified totals make."""
        if self.following is None:
            return
        if self.later is not None and self.later.survivors is None:
            raise RoundError(
                f"Round {said.round} was announced, and this hospital did not sign who was left in"
                " the round before: it cannot verify that round's total.",
                whose=self.later.refused_dealer or "this hospital",
                next_step="The study ends here; ask the researcher.",
            )
        self.following.check_start(said.round, said.model_sha256)

    def _check_instances(self, said: Announcement) -> None:
        """Check that every hospital is the run of its agent that it was in the first round.

        And this one the run that was announced.
        """
        told = said.by_site
        mine = told.get(self.name)
        if mine is not None and mine != self.instance:
            raise TwoCopiesError(
                f"Another copy of this hospital runs: round {said.round} was announced to it, and"
                " not to this run of the agent.",
                next_step=(
                    "Find the copy of this folder (a clone, a standby, a restored backup) and stop"
                    " it for good. The study ends here."
                ),
            )
        changed = [
            site for site, nonce in told.items() if self._instances.get(site, nonce) != nonce
        ]
        if changed:
            raise RoundError(
                f"Round {said.round} was announced to another run of the agent of"
                f" {', '.join(changed)} than the rounds before.",
                whose=", ".join(changed),
                next_step=(
                    f"Ask {', '.join(changed)} whether two copies of its folder run; the study ends"
                    " here."
                ),
            )

    def _check_groups(self, said: Announcement) -> None:
        """Check that the announced groups are those that the hospitals' lot draws.

        Raises:
            BrokenRuleError: the coordinator made others.
        """
        lot = self.lot
        if lot is None:
            return
        if said.division != self._strategy.groups(said.round, lambda: lot):
            raise broken_rule(
                f"round {said.round} was announced in other groups than the hospitals' lot draws"
            )

    def answer(self, given: Broadcast) -> BinaryIO:
        """Make this hospital's contribution to a round that was just sent.

        Encrypted, masked, signed, kept: the kept file, at its beginning.

        Raises:
            MessageError, RoundError: as :meth:`accept`; nothing is trained then. After a failure of
                the trainer, the cipher or the keeper every further call is a :class:`RoundError`: a
                second training would be a second release.
        """
        trainer = self._trainer
        keeper = self._keeper
        if trainer is None or keeper is None:
            raise UsageError(
                "This participant has no trainer, or no keeper.",
                next_step="Pass both, or use accept and contribute.",
            )
        announced = AnnouncedRound.open(self.plan, given.announcement)
        self.check(announced)
        accepted, model = self.accept(announced.with_payload(given.key, given.model))
        facts = accepted.facts
        values = trainer(
            facts.round,
            model,
            facts.length,
            facts.layout.max_value,
        )
        del model  # it may be large, and encrypting takes memory of its own
        kept = self.contribute(
            accepted, values, lambda facts, write: OpenContribution(keeper(facts, write))
        )
        return kept.file

    def accept(
        self,
        checked: CheckedRound,
        gone: frozenset[str] = frozenset(),
        back: Mapping[str, str] = _NOBODY,
    ) -> tuple[Accepted, bytes]:
        """Take the announced round for the next one.

        Returns it and the global model that it starts from. From here on this hospital answers the
        round once or never: it cannot be accepted again.

        Raises:
            RoundError: as :meth:`check`.
            MessageError: the model is not the one announced, or not sealed to this hospital.
        """
        facts = self.check(checked.announced, gone, back)
        model = checked.open_model(self._keys.identity)
        if self._spoiled:
            raise RoundError(
                "An earlier answer to this round failed after its noise was drawn; it is not tried"
                " again.",
                whose="this hospital",
                next_step="The study ends here; its budget stays charged.",
            )
        self._spoiled = True
        self._instances |= checked.said.by_site
        return Accepted(facts, checked.public), model

    def restore(self, accepted: Accepted, kept: Kept) -> None:
        """Go on after a round that this hospital contributed to before its agent was killed.

        Args:
            accepted: the round, as it was accepted.
            kept: its contribution, which is durable.
        """
        facts = accepted.facts
        self._instances |= dict(zip(facts.cohort, facts.instances, strict=True))
        self._contributed(accepted, kept)

    def miss(self, number: int) -> None:
        """Go on after a round that the others opened without this hospital: it says nothing in it.

        What it contributed to that round, if anything, stays masked: its own seed is given to
        nobody.

        Args:
            number: of the round.
        """
        self.done = number
        self._spoiled = False
        self.cohort = self.plan.study.cohort
        self.last = None
        self.later = None

    def contribute(
        self,
        accepted: Accepted,
        values: NDArray[np.int64],
        keep: Keeper[KeptT],
    ) -> KeptT:
        """Make the noised ``values`` (int64[length]) this hospital's one contribution.

        Encrypted, masked, signed, kept.

        Raises:
            RoundError: the values do not fit, or there is a contribution already; the round is
                never answered then.
        """
        facts = accepted.facts
        kept = keep(
            self._strategy.own_context(facts, self.name),
            lambda file: self._strategy.write_contribution(
                file,
                values,
                context=facts,
                public=accepted.public,
                keys=self._keys,
                cipher=self._cipher,
            ),
        )
        self._contributed(accepted, kept)
        return kept

    def _contributed(self, accepted: Accepted, kept: Kept) -> None:
        facts = accepted.facts
        self.later = self._strategy.unmasking_stage(
            facts,
            kept,
            self._keys,
            self._records,
        )
        self.cohort = facts.cohort
        self.last = accepted
        self.done = facts.round
        self._spoiled = False
