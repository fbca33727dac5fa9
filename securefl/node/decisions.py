"""The owner's decisions: approve with a signature, refuse with a reason, withdraw, take a budget
back. Each is one event in the ledger.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from securefl.errors import NotApprovedError, SecureFLError
from securefl.files import private_folder, replace_file
from securefl.learning.stages.programme import charges_of
from securefl.node.agreements import check_agreement
from securefl.node.own_policy import check_quarter
from securefl.node.published_approvals import approval_file, publish_approval, publish_status
from securefl.node.requests import KeptRequest, kept_study
from securefl.node.sealed_words import check_two_agree
from securefl.node.study_withdrawal import mark_withdrawn
from securefl.party.clock import utc_now
from securefl.privacy.charges import ChargeTerms
from securefl.privacy.mechanisms import decimal_text
from securefl.privacy.planning import epsilon_if_masks_fail, study_epsilon
from securefl.study.approval import Approval
from securefl.study.training import training_if_any

if TYPE_CHECKING:
    from decimal import Decimal

    from securefl.node.policy import Review
    from securefl.node.site import Site
    from securefl.privacy.ledger_state import StudyState
    from securefl.privacy.planning import Quote
    from securefl.study.schema import Study

_NOISE_SOURCE = (
    "integer Gaussian on ChaCha20 keyed by the operating system (securefl.privacy.noise)"
)
#: In the place of a figure of the training, where a study trains nothing.
_NOT_TRAINED = "none"


@dataclass(frozen=True)
class RuleYes:
    """A yes that the owner wrote beforehand: ``rule`` by its name, ``policy`` by its digest (hex)."""

    rule: str
    policy: str


def approve(site: Site, request: Review, by: RuleYes | None = None) -> Quote:
    """Sign this hospital's approval of exactly this digest, reserve its budget, and publish the
    approval.

    The key for the study is made and the signed approval is kept before the ledger says yes, so
    that a crash in between leaves nothing that others could use and nothing that cannot be done
    again.

    Args:
        site: this hospital.
        request: reviewed.
        by: the rule of the policy that says yes; None where the owner does.

    Raises:
        BudgetError: more than is left; the refusal is in the ledger.
        NotApprovedError: decided before; or the rule's policy is not in force any more.
        SecureFLError: the first fault of the review.
    """
    digest = request.digest
    if request.faults_beside_budget:
        raise request.faults_beside_budget[0]
    # both take seconds: before the lock
    epsilon = _study_epsilon(request)
    terms = _terms(request.study)
    with site.deciding():
        quote = _decide(site, request, epsilon, terms, by)
    publish_approval(site, digest)
    return quote


def _decide(
    site: Site,
    request: Review,
    epsilon: Decimal,
    terms: ChargeTerms,
    by: RuleYes | None,
) -> Quote:
    study = request.study
    digest = request.digest
    state = site.ledger.state
    if digest in state.studies or state.declined(digest):
        raise NotApprovedError(
            "This study was decided here before; an approval is given and used once.",
            next_step="`securefl site inbox` shows the decision.",
        )
    check_agreement(site, request.sealed)
    check_quarter(site, request.sealed, epsilon, datetime.now(UTC))
    for word in check_two_agree(site, digest):
        if word.person.name not in state.endorsed.get(digest, ()):
            statement = hashlib.sha256(word.statement).hexdigest()
            site.ledger.endorse(digest, person=word.person.name, statement=statement)
    rule = None
    if by is not None:
        site.ledger.delegate(digest, rule=by.rule, policy=by.policy)
        rule = by.rule
    key = site.new_study_key(digest)
    approval = Approval(
        digest,
        site.name,
        site.identity.card.signing_public,
        key.public_key().public_bytes_raw().hex(),
        utc_now(),
    )
    signed = approval.dump(site.identity.sign)
    private_folder(site.study_folder(digest))
    replace_file(approval_file(site, digest), signed)
    try:
        return site.ledger.approve(
            study=digest,
            study_id=study.study.id,
            researcher=study.coordinator.name,
            statement=hashlib.sha256(signed).hexdigest(),
            population=study.data.population,
            dataset=study.data.dataset,
            charges=charges_of(study),
            attempts=study.privacy.max_attempts,
            epsilon=epsilon,
            delta=study.privacy.delta,
            terms=terms,
            rule=rule,
        )
    except SecureFLError:
        site.erase_study_key(digest)
        approval_file(site, digest).unlink(missing_ok=True)
        raise


def _terms(study: Study) -> ChargeTerms:
    """What the figures of the reservation rest on."""
    train = training_if_any(study)
    clip_norm = normaliser = _NOT_TRAINED
    if train is not None:
        clip_norm = decimal_text(train.clip_norm)
        normaliser = decimal_text(train.normaliser)
    privacy = study.privacy
    share = epsilon_if_masks_fail(
        charges_of(study), privacy.max_attempts, privacy.delta, disjoint=True
    )
    return ChargeTerms(
        unit=study.privacy.unit,
        rows_per_patient=study.data.max_rows_per_patient,
        clip_norm=clip_norm,
        normaliser=normaliser,
        noise_source=_NOISE_SOURCE,
        code=study.software.lock_sha256,
        epsilon_if_masks_fail=None if share is None else decimal_text(share),
    )


def refuse(site: Site, request: Review | KeptRequest, note: str) -> None:
    """The owner's no; final for this digest. The note stays in the ledger; others see the code.

    It needs no review: a request that cannot be read, priced or checked can be refused all the
    same.
    """
    named = _named(site, request)
    with site.deciding():
        site.ledger.refuse(study=request.digest, note=note, **named)
    publish_status(site, request.digest, NotApprovedError.code)


def _named(site: Site, request: Review | KeptRequest) -> dict[str, str]:
    """Names for a refused request: from its text where that can be read, else "unknown"."""
    if isinstance(request, KeptRequest):
        try:
            study = kept_study(site, request.digest).study
            researcher = study.coordinator.name
            dataset = study.data.dataset
        except SecureFLError:
            researcher = dataset = "unknown"
        return {
            "study_id": request.study_id,
            "researcher": researcher,
            "dataset": dataset,
        }
    study = request.study
    return {
        "study_id": study.study.id,
        "researcher": study.coordinator.name,
        "dataset": study.data.dataset,
    }


def withdraw(site: Site, digest: str, note: str) -> None:
    """Leave a study: once this returns, nothing more is sent, and the study ends for all; what ran
    stays charged.

    Raises:
        NotApprovedError: not approved here, or ended already.
    """
    with site.deciding():
        site.ledger.withdraw(digest, note)
    mark_withdrawn(site, digest)
    try:
        publish_status(site, digest, "withdrawn")
    finally:
        # last: killed before it, the agent finds the key and says the word again
        site.erase_study_key(digest)


def reserved_here(site: Site, population: str) -> tuple[StudyState, ...]:
    """The studies on a population's patients that were approved and have not ended: they go on when
    its budget is taken back.
    """
    studies = site.ledger.state.studies.values()
    return tuple(s for s in studies if s.reservation.population == population and not s.ended)


def revoke_budget(site: Site, population: str, note: str) -> None:
    """Take back what is left of a population's budget. What is reserved stays reserved, what is
    spent stays spent.

    Raises:
        BudgetError: there is no such budget, or it was taken back before.
    """
    with site.deciding():
        site.ledger.revoke(population, note)


def pause(site: Site, note: str) -> None:
    """From now on nothing starts, and once this returns nothing leaves the house."""
    with site.deciding():
        site.ledger.pause(note)


def _study_epsilon(request: Review) -> Decimal:
    """The study's own PLD figure for one patient, who either trains or is kept aside
    (:func:`securefl.privacy.planning.study_epsilon`).
    """
    privacy = request.study.privacy
    return study_epsilon(
        charges_of(request.study), privacy.max_attempts, privacy.delta, disjoint=True
    )
