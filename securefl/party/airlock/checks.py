"""Checks of a bundle's objects: each is what its path says, signed by whom it should be, and no longer
than its study's plan allows.

Everything is read out of the bundle itself: a checker needs no folder of a party and no store.
"""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import TYPE_CHECKING, Final, TypeVar

from securefl.errors import SecureFLError
from securefl.federation.bundle import bundle_limit, open_statement
from securefl.federation.checked_round import AnnouncedRound
from securefl.federation.checkpoints import Ask
from securefl.federation.full_round import FullRound
from securefl.federation.group_lot import GroupCommitment, GroupNonce
from securefl.federation.group_round import GroupRound
from securefl.federation.hospital_return import Return
from securefl.federation.messages import (
    Call,
    Complaint,
    End,
    Invitation,
    Ready,
    Status,
)
from securefl.federation.offers import Offer
from securefl.federation.party_board import PartyBoard
from securefl.federation.questions import Question, Reply
from securefl.federation.round_board import RoundBoard
from securefl.federation.round_plan import RoundPlan
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.shown_opening import ShownOpening
from securefl.federation.study_board import StudyBoard
from securefl.federation.study_receipt import Receipt
from securefl.federation.study_request import StudyRequest
from securefl.federation.survivor_round import SurvivorRound
from securefl.federation.transcript import Transcript
from securefl.learning.model_notices import Recall
from securefl.party.airlock.ciphertexts import check_looks_sealed, check_sealed_to, refused
from securefl.secagg.frame import contribution_blocks, contribution_bytes
from securefl.secagg.streaming import sum_limit
from securefl.secagg.survivor_contribution import check_contribution, contribution_limit
from securefl.secagg.survivors import agrees, read_proposal
from securefl.secagg.unmasking import check_answer_form
from securefl.study.approval import open_approval
from securefl.study.sealed import SealedStudy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from securefl.boards.board import Board
    from securefl.boards.slot import Slot
    from securefl.identity import Verifier
    from securefl.party.airlock.kinds import Place
    from securefl.secagg.round_context import RoundContext
    from securefl.secagg.survivors import Survivors
    from securefl.types import Verify

T = TypeVar("T")
#: An extract names a release in a few hundred bytes.
_EXTRACT_BASE: Final = 16 * 1024
_EXTRACT_RELEASE: Final = 2048


class BundleObjects:
    """Objects of a bundle, with what they are checked against.

    Args:
        board: the objects, in a place that nobody else writes.
        keys: party to its key, for what belongs to no study.
    """

    def __init__(self, board: Board, keys: Mapping[str, Verify]) -> None:
        self.board = board
        self._keys = keys
        self._plans: dict[str, RoundPlan] = {}
        self._rounds: dict[tuple[str, int], RoundContext] = {}

    def plan(self, digest: str) -> RoundPlan:
        """The study of that digest.

        Raises:
            MessageError: its text is not in the bundle, or is another one.
            StudyError: it is no valid study.
        """
        if digest not in self._plans:
            slot = StudyBoard(self.board, digest).text
            text = self.present(slot.read(), slot.path)
            sealed = SealedStudy.read(text)
            if sealed.digest != digest:
                raise refused(slot.path, "it is another study than its name says")
            self._plans[digest] = RoundPlan(sealed)
        return self._plans[digest]

    def facts(self, place: Place) -> RoundContext:
        """The facts of an object's round, as the coordinator announced them.

        Raises:
            MessageError: the announcement is not in the bundle, or contradicts the study.
        """
        key = (place.study, place.round)
        if key not in self._rounds:
            plan = self.plan(place.study)
            slot = RoundBoard.numbered(self.board, *key).announcement
            announcement = self.present(slot.read(), slot.path)
            announced = AnnouncedRound.open(plan, announcement)
            facts = announced.checked_context()
            if facts.round != place.round:
                raise refused(slot.path, "it announces another round")
            self._rounds[key] = facts
        return self._rounds[key]

    def survivors(self, place: Place) -> Survivors:
        """The survivor set of an object's round.

        Raises:
            MessageError: it is not in the bundle, or is not the coordinator's.
        """
        plan = self.plan(place.study)
        terms = plan.terms(self.facts(place))
        slot = RoundBoard.numbered(self.board, place.study, place.round).proposal(terms)
        data = self.present(slot.read(), slot.path)
        return read_proposal(data, terms, plan.coordinator.name, plan.coordinator)

    def key(self, party: str) -> Verify:
        """The key of a party, for what belongs to no study."""
        if party in self._keys:
            return self._keys[party]
        for plan in self._plans.values():
            if party in plan.study.cohort:
                return plan.hospital(party)
        raise refused(f"checkpoints/{party}", "nobody here knows that party's key")

    def check(self, place: Place) -> None:
        """Hold one object to its path.

        Raises:
            MessageError: naming the object and the first check that failed.
        """
        try:
            _CHECKS[place.kind.word](self, place)
        except SecureFLError as error:
            if place.path in error.what:
                raise
            raise refused(place.path, error.what.rstrip(".")) from None

    def study_board(self, place: Place) -> StudyBoard:
        """The slots of its study."""
        return StudyBoard(self.board, place.study)

    def round_board(self, place: Place) -> RoundBoard:
        """The slots of its round."""
        return RoundBoard.numbered(self.board, place.study, place.round)

    def hospital(self, place: Place) -> Verifier:
        """The hospital of the study whom the object says it is from.

        Raises:
            MessageError: no hospital of the study has that name.
        """
        return self.plan(place.study).hospital(place.site)

    def coordinator(self, place: Place) -> Verifier:
        """The coordinator of its study."""
        return self.plan(place.study).coordinator

    def read(self, slot: Slot, place: Place) -> bytes:
        """Bytes of an object that must be there."""
        return self.present(slot.read(), place.path)

    @staticmethod
    def present(found: T | None, path: str) -> T:
        """Findings there.

        Raises:
            MessageError: nothing is.
        """
        if found is None:
            raise refused(path, "it is not in the bundle")
        return found


def _study(there: BundleObjects, at: Place) -> None:
    there.plan(at.study)


def _approval(there: BundleObjects, at: Place) -> None:
    slot = there.study_board(at).approval(at.site)
    _by_hospital(there, at, open_approval, slot)


def _by_coordinator(
    there: BundleObjects,
    at: Place,
    read: Callable[..., object],
    slot: Slot,
) -> None:
    """An object that only the coordinator posts, once a study."""
    data = there.read(slot, at)
    read(data, study=at.study, verify=there.coordinator(at))


def _by_hospital(
    there: BundleObjects,
    at: Place,
    read: Callable[..., object],
    slot: Slot,
) -> None:
    """An object that each hospital posts of its own, once a study."""
    data = there.read(slot, at)
    read(data, study=at.study, site=at.site, verify=there.hospital(at))


def _invitation(there: BundleObjects, at: Place) -> None:
    slot = there.study_board(at).invitation
    _by_coordinator(there, at, Invitation.open, slot)


def _request(there: BundleObjects, at: Place) -> None:
    on_board = there.study_board(at)
    verify = there.plan(at.study).coordinator
    data = there.read(on_board.request, at)
    said = StudyRequest.open(data, study=at.study, verify=verify)
    said.check_text(there.present(on_board.text.read(), on_board.text.path))


def _end(there: BundleObjects, at: Place) -> None:
    slot = there.study_board(at).end
    _by_coordinator(there, at, End.open, slot)


def _call(there: BundleObjects, at: Place) -> None:
    slot = there.study_board(at).call
    _by_coordinator(there, at, Call.open, slot)


def _question(there: BundleObjects, at: Place) -> None:
    slot = there.study_board(at).question(at.site, at.number)
    data = there.read(slot, at)
    verify = there.hospital(at)
    Question.open(data, verify=verify, study=at.study, site=at.site, number=at.number)


def _reply(there: BundleObjects, at: Place) -> None:
    slot = there.study_board(at).reply(at.site, at.number)
    data = there.read(slot, at)
    verify = there.coordinator(at)
    Reply.open(data, verify=verify, study=at.study, site=at.site, number=at.number)


def _offer(there: BundleObjects, at: Place) -> None:
    slot = there.study_board(at).offer(at.site)
    data = there.read(slot, at)
    Offer.open(data, verify=there.plan(at.study).hospital(at.site), study=at.study, site=at.site)


def _status(there: BundleObjects, at: Place) -> None:
    plan = there.plan(at.study)
    verify = plan.aggregator
    if at.site != plan.aggregator.name:
        verify = plan.hospital(at.site)
    slot = there.study_board(at).status(at.site)
    data = there.read(slot, at)
    Status.open(data, verify=verify, study=at.study, site=at.site)


def _ready(there: BundleObjects, at: Place) -> None:
    slot = there.study_board(at).ready(at.site)
    _by_hospital(there, at, Ready.open, slot)


def _return(there: BundleObjects, at: Place) -> None:
    slot = there.study_board(at).returns(at.site)
    data = there.read(slot, at)
    Return.open(data, verify=there.plan(at.study).hospital(at.site), study=at.study, site=at.site)


def _receipt(there: BundleObjects, at: Place) -> None:
    plan = there.plan(at.study)
    others = {plan.aggregator.name: plan.aggregator, plan.coordinator.name: plan.coordinator}
    verify = others.get(at.site) or plan.hospital(at.site)
    slot = there.study_board(at).receipt(at.site)
    Receipt.open(there.read(slot, at), verify=verify, study=at.study, site=at.site)


def _group_commitment(there: BundleObjects, at: Place) -> None:
    slot = there.study_board(at).group_commitment(at.site)
    _by_hospital(there, at, GroupCommitment.open, slot)


def _group_nonce(there: BundleObjects, at: Place) -> None:
    slot = there.study_board(at).group_nonce(at.site)
    _by_hospital(there, at, GroupNonce.open, slot)


def _checkpoint(there: BundleObjects, at: Place) -> None:
    cohort = there.plan(at.study).study.cohort
    if at.site not in cohort or at.only_for not in cohort:
        raise refused(at.path, "it is between others than hospitals of the study")
    slot = there.study_board(at).checkpoint(at.site, at.only_for)
    data = there.read(slot, at)
    check_looks_sealed(data, at.path)


def _extract(there: BundleObjects, at: Place) -> None:
    plan = there.plan(at.study)
    if at.site not in plan.study.cohort:
        raise refused(at.path, "it is of no hospital of the study")
    slot = there.study_board(at).extract(at.site)
    data = there.read(slot, at)
    longest = _EXTRACT_BASE + _EXTRACT_RELEASE * plan.last_round
    if len(data) > longest:
        raise refused(at.path, "it is longer than an extract of this study")
    check_looks_sealed(data, at.path)


def _recall(there: BundleObjects, at: Place) -> None:
    slot = there.study_board(at).recall(at.site)
    data = there.read(slot, at)
    Recall.open(data, verify=there.plan(at.study).hospital(at.site), study=at.study, site=at.site)


def _model_statement(there: BundleObjects, at: Place) -> None:
    plan = there.plan(at.study)
    slot = there.study_board(at).model_statement
    data = there.read(slot, at)
    open_statement(data, plan, plan.coordinator)


def _model(there: BundleObjects, at: Place) -> None:
    plan = there.plan(at.study)
    study = plan.study
    readers = {*study.cohort, study.coordinator.name, study.aggregator.name}
    slot = there.study_board(at).model(bundle_limit(plan))
    with slot.open() as opened:
        file = there.present(opened, at.path)
        check_sealed_to(file, readers, at.path)


def _announcement(there: BundleObjects, at: Place) -> None:
    there.facts(at)


def _round_key(there: BundleObjects, at: Place) -> None:
    plan = there.plan(at.study)
    board = there.round_board(at)
    announcement = there.read(board.announcement, at)
    key = there.read(board.key, at)
    announced = AnnouncedRound.open(plan, announcement)
    announced.public(key)


def _broadcast(there: BundleObjects, at: Place) -> None:
    plan = there.plan(at.study)
    board = there.round_board(at)
    announcement = there.read(board.announcement, at)
    announced = AnnouncedRound.open(plan, announcement)
    slot = board.model(plan)
    data = there.read(slot, at)
    digest = hashlib.sha256(data).hexdigest()
    if digest != announced.said.sealed_sha256:
        raise refused(at.path, "it is not the one that the coordinator announced")
    with slot.open() as opened:
        file = there.present(opened, at.path)
        check_sealed_to(file, plan.study.cohort, at.path)


def _contribution(there: BundleObjects, at: Place) -> None:
    plan = there.plan(at.study)
    facts = there.facts(at)
    verify = plan.hospital(at.site)
    board = there.round_board(at)
    if not plan.survives_losses:
        own = round_strategy_of(plan).own_context(facts, at.site)
        slot = board.contribution(at.site, contribution_bytes(own))
        with slot.open() as opened:
            file = there.present(opened, at.path)
            blocks = contribution_blocks(file, own, at.site, verify)
            # Each block is checked as it is read; none of them is wanted here.
            for _ in blocks:
                pass
        return
    terms = plan.terms(facts)
    slot = board.contribution(at.site, contribution_limit(terms))
    with slot.open() as opened:
        file = there.present(opened, at.path)
        check_contribution(file, terms, at.site, verify)


def _survivors(there: BundleObjects, at: Place) -> None:
    there.survivors(at)


def _agreement(there: BundleObjects, at: Place) -> None:
    verify = there.hospital(at)
    slot = there.round_board(at).agreement(at.site)
    data = there.read(slot, at)
    survivors = there.survivors(at)
    if not agrees(data, survivors, at.site, verify):
        raise refused(at.path, "it is under another survivor set")


def _complaint(there: BundleObjects, at: Place) -> None:
    plan = there.plan(at.study)
    slot = there.round_board(at).complaint(at.site)
    data = there.read(slot, at)
    terms = plan.terms(there.facts(at))
    verify = plan.hospital(at.site)
    Complaint.open_in(data, terms=terms, site=at.site, verify=verify)


def _answer(there: BundleObjects, at: Place) -> None:
    survivors = there.survivors(at)
    slot = there.round_board(at).answer(at.site, survivors)
    data = there.read(slot, at)
    check_answer_form(data, survivors, at.site, there.hospital(at))


def _sum(there: BundleObjects, at: Place) -> None:
    plan = there.plan(at.study)
    facts = there.facts(at)
    if not plan.survives_losses:
        whole = GroupRound(plan, facts) if facts.groups else FullRound(plan, facts)
        slot = there.round_board(at).sum(whole.sum_limit)
        with slot.open() as opened:
            file = there.present(opened, at.path)
            whole.check_sum(file)
        whole.close()
        return
    survivors = there.survivors(at)
    part = SurvivorRound(plan, survivors.terms)
    part.state.adopt(survivors)
    slot = there.round_board(at).sum(sum_limit(survivors))
    with slot.open() as opened:
        file = there.present(opened, at.path)
        part.check_sum(file)
    part.close()


def _opening(there: BundleObjects, at: Place) -> None:
    plan = there.plan(at.study)
    slot = there.round_board(at).opening(len(plan.study.cohort))
    data = there.read(slot, at)
    verify = plan.coordinator
    said = ShownOpening.open(data, verify=verify, study=at.study, round=at.round)
    check_sealed_to(BytesIO(said.sealed), plan.study.cohort, at.path)


def _transcript(there: BundleObjects, at: Place) -> None:
    slot = there.round_board(at).transcript
    data = there.read(slot, at)
    verify = there.coordinator(at)
    Transcript.open(data, verify=verify, study=at.study, round=at.round)


def _checkpoint_question(there: BundleObjects, at: Place) -> None:
    slot = PartyBoard(there.board, at.site).checkpoint_question
    data = there.read(slot, at)
    Ask.open(data, verify=there.key(at.site), site=at.site)


def _checkpoint_answer(there: BundleObjects, at: Place) -> None:
    slot = PartyBoard(there.board, at.only_for).checkpoint_answer(at.site)
    data = there.read(slot, at)
    check_looks_sealed(data, at.path)


_CHECKS: Final[Mapping[str, Callable[[BundleObjects, Place], None]]] = {
    "study": _study,
    "invitation": _invitation,
    "request": _request,
    "approval": _approval,
    "question": _question,
    "reply": _reply,
    "offer": _offer,
    "status": _status,
    "end": _end,
    "call": _call,
    "ready": _ready,
    "return": _return,
    "receipt": _receipt,
    "group-commitment": _group_commitment,
    "group-nonce": _group_nonce,
    "checkpoint": _checkpoint,
    "extract": _extract,
    "recall": _recall,
    "model-statement": _model_statement,
    "model": _model,
    "announcement": _announcement,
    "round-key": _round_key,
    "broadcast": _broadcast,
    "contribution": _contribution,
    "survivors": _survivors,
    "agreement": _agreement,
    "complaint": _complaint,
    "answer": _answer,
    "sum": _sum,
    "opening": _opening,
    "transcript": _transcript,
    "checkpoint-question": _checkpoint_question,
    "checkpoint-answer": _checkpoint_answer,
}
