"""Owner's own policy: which requests may be approved here at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.node import own_policy
from securefl.study.owner_policy import read_policy

if TYPE_CHECKING:
    from securefl.node.site import Site
    from securefl.study.owner_policy import OwnerPolicy


@dataclass(frozen=True)
class PolicyPlan:
    """A policy before the owner's yes; ``before`` is None where there was none, or it is broken."""

    policy: OwnerPolicy
    before: OwnerPolicy | None


def kept_policy(site: Site) -> OwnerPolicy | None:
    """The policy that holds; None where there is none. Raises :class:`UnreadableError`."""
    return own_policy.kept_policy(site)


def plan_policy(site: Site, text: bytes) -> PolicyPlan:
    """Read a policy; nothing is written.

    Raises:
        StudyError: it is none.
    """
    from securefl.errors import UnreadableError

    policy = read_policy(text)
    try:
        return PolicyPlan(policy, own_policy.kept_policy(site))
    except UnreadableError:  # it is about to be replaced
        return PolicyPlan(policy, None)


def set_policy(site: Site, plan: PolicyPlan) -> None:
    """Sign the policy: from now on a request against it cannot be approved."""
    own_policy.keep_policy(site, plan.policy)


def drop_policy(site: Site) -> bool:
    """Take the policy away; False where there was none."""
    return own_policy.drop_policy(site)
