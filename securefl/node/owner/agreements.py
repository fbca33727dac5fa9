"""Agreement of a consortium: bringing it into force, noting who leaves, leaving it, and which one
holds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from securefl.node import agreements
from securefl.node.agreements import EnforcementPlan
from securefl.party.clock import utc_now

if TYPE_CHECKING:
    from securefl.agreement.sealed import SealedAgreement
    from securefl.node.site import Site
    from securefl.party.consortium import ConsortiumFolder

__all__ = ["EnforcementPlan", "enforce", "in_force", "leave", "plan_enforcement", "plan_leaving"]


def plan_enforcement(site: Site, folder: ConsortiumFolder) -> EnforcementPlan:
    """Work out whether the agreement may come into force here; nothing is written.

    Raises as :func:`securefl.node.agreements.plan_enforcement`.
    """
    return agreements.plan_enforcement(site, folder)


def enforce(site: Site, plan: EnforcementPlan) -> None:
    """Hold to the agreement from now on, or note who leaves it.

    Raises as :func:`securefl.node.agreements.enforce`.
    """
    agreements.enforce(site, plan)


def plan_leaving(folder: ConsortiumFolder) -> tuple[SealedAgreement, datetime]:
    """The agreement that would be left, and when a notice given now would be over.

    Raises:
        StudyError, UnreadableError: it cannot be read.
    """
    sealed = folder.sealed()
    return sealed, agreements.notice_over(sealed.agreement, datetime.now(UTC))


def leave(site: Site, folder: ConsortiumFolder) -> datetime:
    """Give this hospital's notice; when it is over.

    Raises as :func:`securefl.node.agreements.leave`.
    """
    return agreements.leave(site, folder, utc_now())


def in_force(site: Site) -> dict[str, str]:
    """Population → digest of the agreement that binds it here now."""
    return agreements.in_force(site, datetime.now(UTC))
