"""Owner's own policy: which requests may be approved here at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from securefl.errors import NotApprovedError, UnreadableError
from securefl.node import own_policy
from securefl.node.isolation import isolation
from securefl.node.owner.people import check_two_change, listed_people
from securefl.node.sealed_words import TWO
from securefl.node.worker_rules import site_isolation
from securefl.study.owner_policy import POLICY_SCHEMA, made_policy, read_policy
from securefl.study.policy_words import check_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.node.site import Site
    from securefl.report.isolation import Isolation
    from securefl.study.owner_policy import OwnerPolicy


@dataclass(frozen=True)
class PolicyPlan:
    """A policy before the owner's yes; ``before`` is None where there was none, or it is broken."""

    policy: OwnerPolicy
    before: OwnerPolicy | None

    def isolation(self) -> Isolation:
        """Walls of this machine beside those that the policy would require."""
        return isolation(self.policy.worker_rules())


def kept_policy(site: Site) -> OwnerPolicy | None:
    """The policy that holds; None where there is none. Raises :class:`UnreadableError`."""
    return own_policy.kept_policy(site)


def walls_here(site: Site) -> Isolation:
    """Walls of this machine beside what the policy requires."""
    return site_isolation(site)


def plan_policy(site: Site, text: bytes) -> PolicyPlan:
    """Read a policy; nothing is written.

    Raises:
        StudyError: it is none, or has a word for a task, a model or a stage that no study has.
    """
    return _planned(site, read_policy(text))


def plan_rules(site: Site, rules: Mapping[str, Any]) -> PolicyPlan:
    """Make a policy of single rules, by their names in its file; nothing is written.

    Rules that approve without the owner are written in the file alone: those that hold stay.

    Raises:
        StudyError: they are none, with the rule that is wrong.
    """
    try:
        kept = own_policy.kept_policy(site)
    except UnreadableError:  # nobody knows what it said: none of its rules goes on
        kept = None
    alone: dict[str, Any] = {}
    if kept is not None and kept.approve_alone:
        alone = kept.model_dump(mode="json", include={"approve_alone"})
    return _planned(site, made_policy({"schema": POLICY_SCHEMA, **alone, **rules}))


def _planned(site: Site, policy: OwnerPolicy) -> PolicyPlan:
    check_words(policy)
    try:
        return PolicyPlan(policy, own_policy.kept_policy(site))
    except UnreadableError:  # it is about to be replaced
        return PolicyPlan(policy, None)


def set_policy(site: Site, plan: PolicyPlan, two: Mapping[str, str] | None = None) -> None:
    """Sign the policy: from now on a request against it cannot be approved.

    Args:
        site: the hospital.
        plan: the policy that its owner agreed to.
        two: passphrases of two people by name, where the policy before asks two.

    Raises:
        NotApprovedError: it asks two, and they did not both say so; or fewer than two are listed.
    """
    check_two_change(site, two)
    if plan.policy.approvers == TWO and len(listed_people(site)) < TWO:
        raise NotApprovedError(
            "The policy asks two people, and fewer than two are on the list.",
            whose="this hospital's data owner",
            next_step="`securefl site people add NAME`, for each; then sign the policy.",
        )
    own_policy.keep_policy(site, plan.policy)


def drop_policy(site: Site, two: Mapping[str, str] | None = None) -> bool:
    """Take the policy away; False where there was none. Raises as :func:`set_policy`."""
    check_two_change(site, two)
    return own_policy.drop_policy(site)
