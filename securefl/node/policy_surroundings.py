"""Facts of this hospital beside which its owner's policy judges a study."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from securefl.agreement.articles.privacy import quarter_epsilon
from securefl.errors import UnreadableError
from securefl.node.agreements import charged_history, kept
from securefl.privacy.ledger_agreements import binding
from securefl.study.policy_rules import Surroundings

if TYPE_CHECKING:
    from datetime import datetime

    from securefl.agreement.schema import Agreement
    from securefl.node.site import Site
    from securefl.study.owner_policy import OwnerPolicy
    from securefl.study.sealed import SealedStudy


def surroundings(
    site: Site,
    policy: OwnerPolicy,
    sealed: SealedStudy,
    share: Decimal | None,
    now: datetime,
) -> Surroundings:
    """Collect what the rules of ``policy`` ask for.

    Args:
        site: the hospital.
        policy: of its owner.
        sealed: the study.
        share: of the budget that it asks for.
        now: UTC.
    """
    countries: dict[str, str] = {}
    store = policy.store_jurisdiction
    agreement = None
    if policy.jurisdictions is not None:
        agreement = _agreement(site, sealed.study.data.population, now)
    if agreement is not None:
        countries = {party.name: party.jurisdiction for party in agreement.parties}
        store = store or _store_country(agreement, site.settings.store)
    quarter = quarter_before(site, sealed, now)
    return Surroundings(share, quarter, countries, store)


def quarter_before(site: Site, sealed: SealedStudy, now: datetime) -> Decimal:
    """Epsilon of the other studies on the same population in the last 92 days; 0 for a study that
    was approved already, which is its owner's own word.
    """
    state = site.ledger.state
    if sealed.digest in state.studies:
        return Decimal(0)
    history = charged_history(state, sealed.study.data.population, sealed.digest)
    return quarter_epsilon(history, now)


def _agreement(site: Site, population: str, now: datetime) -> Agreement | None:
    found = binding(site.ledger.state, population, now)
    if found is None:
        return None
    try:
        return kept(site, found.agreement).agreement
    except UnreadableError:  # a fault that is told by itself
        return None


def _store_country(agreement: Agreement, url: str) -> str | None:
    for store in agreement.places.stores:
        if store.url == url:
            return store.jurisdiction
    return None
