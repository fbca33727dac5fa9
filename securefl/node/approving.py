"""The owner's decisions: approve with a signature, refuse with a reason, withdraw. Each is one event in the ledger."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from securefl.errors import NotApprovedError, SecureFLError
from securefl.federation import paths
from securefl.federation.messages import Status
from securefl.identity import replace_file
from securefl.node.policy import charges_of
from securefl.node.site import utc_now
from securefl.privacy.accounting import pld_epsilon
from securefl.privacy.charges import Terms
from securefl.privacy.mechanisms import decimal_text
from securefl.study.approval import Approval

if TYPE_CHECKING:
    from decimal import Decimal
    from pathlib import Path

    from securefl.node.policy import Review
    from securefl.node.site import Site
    from securefl.privacy.planning import Quote

_NOISE_SOURCE = "integer Gaussian on ChaCha20 keyed by the operating system (securefl.privacy.noise)"


def approve(site: Site, request: Review) -> Quote:
    """Sign this hospital's approval of exactly this digest, reserve its budget, and publish the approval.

    The key for the study is made and the signed approval is kept before the ledger says yes, so that a crash in
    between leaves nothing that others could use and nothing that cannot be done again.

    Raises:
        BudgetError: more than is left; the refusal is in the ledger.
        NotApprovedError: decided before.
        SecureFLError: the first fault of the review.
    """
    study, digest = request.study, request.digest
    if request.faults:
        over = [f for f in request.faults if f.code == "budget"]
        if over != list(request.faults):
            raise next(f for f in request.faults if f.code != "budget")
    state = site.ledger.state
    if digest in state.studies or state.declined(digest):
        raise NotApprovedError("This study was decided here before; an approval is given and used once.", next_step="`securefl site inbox` shows the decision.")
    key = site.new_study_key(digest)
    approval = Approval(digest, site.name, site.identity.card.signing_public, key.public_key().public_bytes_raw().hex(), utc_now())
    signed = approval.sign(site.identity.sign)
    replace_file(approval_file(site, digest), signed)
    charges = charges_of(study)
    try:
        quote = site.ledger.approve(
            study=digest, study_id=study.study.id, researcher=study.coordinator.name, statement=hashlib.sha256(signed).hexdigest(),
            population=study.data.population, dataset=study.data.dataset, charges=charges, attempts=study.privacy.max_attempts,
            epsilon=_study_epsilon(request), delta=study.privacy.delta,
            terms=Terms(
                rows_per_patient=study.data.max_rows_per_patient, clip_norm=decimal_text(study.privacy.clip_norm),
                normaliser=decimal_text(study.privacy.normaliser), noise_source=_NOISE_SOURCE, code=study.software.lock_sha256,
            ),
        )
    except SecureFLError:
        site.erase_study_key(digest)
        approval_file(site, digest).unlink(missing_ok=True)
        raise
    publish_approval(site, digest)
    return quote


def publish_approval(site: Site, digest: str) -> None:
    """Put the kept approval into the store; safe to repeat.

    Raises:
        NotApprovedError: the kept file is not the one that the ledger knows.
        StoreError: the store cannot be written; the agent tries again.
    """
    signed = approval_file(site, digest).read_bytes()
    if hashlib.sha256(signed).hexdigest() != site.ledger.state.study(digest).approval.statement:
        raise NotApprovedError("The kept approval is not the one in the ledger.", next_step="Do not run this study.")
    site.store.put(paths.approval(digest, site.name), signed)


def refuse(site: Site, request: Review, note: str) -> None:
    """The owner's no; final for this digest. The note stays in the ledger; others see the code."""
    site.ledger.refuse(
        study=request.digest, study_id=request.study.study.id, researcher=request.study.coordinator.name,
        dataset=request.study.data.dataset, note=note,
    )
    publish_status(site, request.digest, 0, NotApprovedError.code)


def withdraw(site: Site, digest: str, note: str) -> None:
    """Leave a study: nothing more is sent, the study ends for all; what ran stays charged."""
    last = max((r for r, _ in site.ledger.state.study(digest).sent), default=0)
    site.ledger.withdraw(digest, note)
    site.erase_study_key(digest)
    publish_status(site, digest, last, "withdrawn")


def publish_status(site: Site, digest: str, number: int, code: str) -> None:
    """Say a public code to the others, signed."""
    site.store.put(paths.status(digest, site.name), Status(digest, site.name, number, code).dump(site.identity.sign))


def approval_file(site: Site, digest: str) -> Path:
    """Where the signed approval is kept."""
    return site.study_folder(digest) / "approval"


def _study_epsilon(request: Review) -> Decimal:
    """The study's own PLD figure for one patient.

    A patient is either trained on or held out, decided by a keyed hash of that patient alone, so the two releases
    concern disjoint patients and one patient's figure is the larger of the two (McSherry 2009, parallel composition).
    The filter in the ledger charges both all the same.
    """
    delta = request.study.privacy.delta
    return max(pld_epsilon((c.mechanism,), delta) for c in charges_of(request.study))
