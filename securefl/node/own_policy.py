"""Owner's policy as this hospital keeps it: signed by its own key, and asked at each review.

A file that somebody else changed is a fault of every request, and not a policy that allows all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from securefl.errors import PolicyError, SecureFLError, UnreadableError
from securefl.node.own_signed import OwnSigned
from securefl.node.policy_surroundings import quarter_before, surroundings
from securefl.privacy.ledger_delegation import POLICY
from securefl.report.explain_study import worst_epsilon
from securefl.study.owner_policy import MAX_POLICY_BYTES, made_policy
from securefl.study.policy_rules import beyond_quarter, broken_rules

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from securefl.node.site import Site
    from securefl.privacy.planning import Quote
    from securefl.study.owner_policy import OwnerPolicy
    from securefl.study.sealed import SealedStudy

POLICY_FILE: Final = OwnSigned(POLICY, "securefl-own-policy/1", "rules", MAX_POLICY_BYTES)
_MEND: Final = (
    "Look at what it should say, then sign it again with `securefl site policy set FILE`."
)


def keep_policy(site: Site, policy: OwnerPolicy) -> None:
    """Sign a policy and keep it; the one before is replaced."""
    rules: dict[str, Any] = policy.model_dump(mode="json", by_alias=True, exclude_none=True)
    with site.deciding():
        POLICY_FILE.keep(site, rules)


def drop_policy(site: Site) -> bool:
    """Take the policy away; False where there was none."""
    with site.deciding():
        return POLICY_FILE.drop(site)


def kept_policy(site: Site) -> OwnerPolicy | None:
    """The policy of this hospital; None where its owner made none.

    Raises:
        UnreadableError: the file is not signed by this hospital's key, is gone although the ledger
            says that it is in force, or is an older one.
    """
    return POLICY_FILE.read(
        site,
        made_policy,
        broken="is not a policy that this hospital signed: somebody else changed it.",
        next_step=_MEND,
    )


def policy_faults(
    site: Site,
    sealed: SealedStudy,
    quote: Quote | None,
    now: datetime,
) -> list[SecureFLError]:
    """What the owner's own policy has against a study."""
    try:
        policy = kept_policy(site)
    except UnreadableError as error:
        return [error]
    if policy is None:
        return []
    share = None if quote is None else quote.asked_share
    here = surroundings(site, policy, sealed, share, now)
    broken = broken_rules(policy, sealed.study, here, epsilon=worst_epsilon(sealed.study))
    return [against_policy(sentence) for sentence in broken]


def check_quarter(
    site: Site,
    sealed: SealedStudy,
    epsilon: Decimal,
    now: datetime,
) -> None:
    """Refuse a study that goes beyond the quarter, at the moment of the owner's decision.

    Two requests that were each reviewed before the other was approved could do so together; the
    caller holds :meth:`~securefl.node.site.Site.deciding`.

    Raises:
        PolicyError: it does.
        UnreadableError: as :func:`kept_policy`.
    """
    policy = kept_policy(site)
    if policy is None:
        return
    for sentence in beyond_quarter(policy, quarter_before(site, sealed, now), epsilon):
        raise against_policy(sentence)


def against_policy(sentence: str) -> PolicyError:
    """The fault of a request that goes beyond a rule."""
    return PolicyError(
        f"Against this hospital's own policy: {sentence}",
        whose="the researcher (another study), or this hospital's data owner (another policy)",
        next_step="Refuse it, or change the policy with `securefl site policy set FILE`.",
    )
