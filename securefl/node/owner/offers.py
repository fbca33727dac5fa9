"""Counter-offer: a request is refused, and its researcher is told what would be agreed to."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from securefl.errors import UsageError
from securefl.federation import paths
from securefl.federation.offers import Offer
from securefl.node.owner.requests import check_undecided, refuse
from securefl.node.requests import kept_study
from securefl.party.clock import utc_now
from securefl.party.outbox import post
from securefl.report.explain_study import worst_epsilon
from securefl.report.offers import offer_words

if TYPE_CHECKING:
    from datetime import date

    from securefl.node.requests import KeptRequest
    from securefl.node.site import Site
    from securefl.study.schema import Study


@dataclass(frozen=True)
class OfferPlan:
    """A counter-offer before the owner's yes.

    Attributes:
        request: that would be refused.
        asked_epsilon: what its study costs.
        asked_until: day on which it closes.
        epsilon: most that a new study may cost; empty for the same.
        until: day before which a new one must end; empty for the same.
    """

    request: KeptRequest
    asked_epsilon: Decimal
    asked_until: str
    epsilon: str
    until: str

    @property
    def words(self) -> str:
        """The offer in a sentence, for the owner's ledger and both screens."""
        return offer_words(self.epsilon, self.until)


def asked_for(study: Study) -> tuple[Decimal, str]:
    """Epsilon that a study asks for, and the day on which it closes (ISO 8601)."""
    return worst_epsilon(study), study.schedule.closes.date().isoformat()


def plan_offer(
    site: Site,
    name: str,
    epsilon: str | None,
    until: date | None,
    today: date,
) -> OfferPlan:
    """Work out a counter-offer; nothing is written.

    Raises:
        UsageError: no request, or several, have that name; or what is offered is not less than what
            was asked for.
        NotApprovedError: it was decided before.
    """
    request = check_undecided(site, name)
    study = kept_study(site, request.digest).study
    if epsilon is None and until is None:
        raise UsageError(
            "A counter-offer names a lower epsilon, an earlier end, or both. Nothing was done.",
            next_step="Give --epsilon X or --until DATE; `securefl site refuse` offers nothing.",
        )
    asked = worst_epsilon(study)
    most = ""
    if epsilon is not None:
        most = _lower(epsilon, asked)
    closes = study.schedule.closes.date()
    if until is not None and not today < until <= closes:
        raise UsageError(
            f"{until} is no earlier end: the study closes on {closes}. Nothing was done.",
            next_step=f"Name a day after {today} and not after {closes}.",
        )
    day = ""
    if until is not None:
        day = until.isoformat()
    return OfferPlan(request, asked, closes.isoformat(), most, day)


def send_offer(site: Site, plan: OfferPlan) -> Offer:
    """Refuse the request for good, then sign the offer and send it to the researcher.

    A crash between the two leaves a refusal without an offer, never an offer without one.

    Raises:
        NotApprovedError: it was decided meanwhile.
    """
    digest = plan.request.digest
    refuse(site, digest, f"Offered back: {plan.words}.")
    offer = Offer(digest, site.name, plan.epsilon, plan.until, utc_now())
    post(site, paths.offer(digest, site.name), offer.dump(site.identity.sign))
    return offer


def _lower(epsilon: str, asked: Decimal) -> str:
    """The offered epsilon in plain digits."""
    try:
        offered = Decimal(epsilon)
    except InvalidOperation:
        offered = Decimal("NaN")
    fine = offered.is_finite() and round(offered, 6) == offered
    if not fine or not Decimal(0) < offered < asked:
        raise UsageError(
            f"{epsilon} is no lower epsilon: the study asks for {asked}. Nothing was done.",
            next_step=f"Name a number above 0 and below {asked}, with at most 6 decimals.",
        )
    return f"{offered:f}"
