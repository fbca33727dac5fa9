"""Approval by a rule that the owner wrote beforehand (``[[approve_alone]]`` of the policy).

Asked by the agent after a request came in (:mod:`securefl.node.rule_desk`). A request with any
fault, one that the owner has begun to decide, and one beyond every rule wait for the owner as they
always did.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from securefl.node.decisions import RuleYes, approve
from securefl.node.other_studies import look_around
from securefl.node.own_policy import POLICY_FILE, kept_policy
from securefl.node.policy import review
from securefl.node.questions import was_asked
from securefl.node.requests import kept_study
from securefl.node.sealed_words import words_on
from securefl.report.explain_study import worst_epsilon
from securefl.study.approve_alone import beyond_rule

if TYPE_CHECKING:
    from datetime import datetime

    from securefl.node.site import Site
    from securefl.privacy.ledger_state import LedgerState
    from securefl.study.schema import Study


def rule_for(
    site: Site,
    digest: str,
    study: Study,
    now: datetime,
) -> RuleYes | None:
    """The first rule of the policy in force that covers a study; None where none does.

    Nothing of the private data is looked at, nor whether the study has faults.

    Raises:
        UnreadableError: the policy is not the one that this hospital signed.
    """
    signed = POLICY_FILE.digest(site)
    policy = kept_policy(site)
    # a file of an earlier version counts by its signature alone: no rule in it approves
    if policy is None or signed is None or site.ledger.state.paused:
        return None
    if POLICY_FILE.digest(site) != signed:
        return None  # replaced in this moment: the rule may stand in the one before
    if was_asked(site, digest) or words_on(site, digest):
        return None  # people have begun to decide
    epsilon = cache(partial(worst_epsilon, study))
    for rule in policy.approve_alone or ():
        beyond = beyond_rule(
            rule,
            study,
            epsilon=epsilon,
            before=_approved_by(site.ledger.state, rule.name),
            today=now.date(),
        )
        if not beyond:
            return RuleYes(rule.name, signed)
    return None


def approve_by_rule(site: Site, digest: str, now: datetime) -> str | None:
    """Approve a request that a rule covers and that has no fault.

    Args:
        site: the hospital.
        digest: of the study that is asked for.
        now: UTC.

    Returns:
        The rule's name; None where the request waits for the owner.

    Raises:
        StoreError: what the other hospitals decided cannot be read.
        SecureFLError: the study or the policy cannot be read, or changed meanwhile.
    """
    sealed = kept_study(site, digest)
    yes = rule_for(site, digest, sealed.study, now)
    if yes is None:
        return None
    found = review(site, sealed, now)
    if found.faults:
        return None
    # an owner may sign while the store is away, and be asked for it; a rule waits
    if look_around(site, sealed.study, digest).ended:
        return None
    approve(site, found, yes)
    return yes.rule


def _approved_by(state: LedgerState, rule: str) -> int:
    """Studies that a rule of this name approved here, ever."""
    return sum(study.approval.rule == rule for study in state.studies.values())
