"""Approval by a rule that the owner wrote beforehand (``[[approve_alone]]`` of the policy).

Asked by the agent after a request came in. A request with any fault, one that the owner has begun
to decide, and one beyond every rule wait for the owner as they always did.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Final

from securefl.errors import StoreError
from securefl.node.decisions import RuleYes, approve
from securefl.node.other_studies import look_around
from securefl.node.own_policy import POLICY_FILE, kept_policy
from securefl.node.policy import review
from securefl.node.questions import was_asked
from securefl.node.requests import kept_requests, kept_study
from securefl.node.sealed_words import words_on
from securefl.report.explain_study import worst_epsilon
from securefl.study.approve_alone import beyond_rule
from securefl.study.study_id import short_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.node.site import Site
    from securefl.privacy.ledger_state import LedgerState
    from securefl.study.schema import Study

#: Seconds after which a request is asked again: a fault may have passed, or the store was away.
_AGAIN, _AGAIN_STORE = 600.0, 30.0
#: A review takes seconds in which no study is answered: at most this part of the agent's time.
_SHARE: Final = 0.05


def rule_for(site: Site, digest: str, study: Study, now: datetime) -> RuleYes | None:
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


class RuleDesk:
    """The owner's rules at a running agent.

    Args:
        say: writes a line to the owner's own log.
        clock: the monotonic clock, in seconds.
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._say, self._clock = say, clock
        self._policy: str | None = None
        self._rules = False
        self._rest = 0.0
        self._state: LedgerState | None = None
        self._changed = 0
        #: When each request that waits is asked next.
        self._due: dict[str, float] = {}

    def turn(self, site: Site) -> None:
        """Ask the rules for one request, if one is due; without a rule it costs nothing.

        Raises:
            SecureFLError: as :func:`approve_by_rule`.
        """
        policy = POLICY_FILE.digest(site)
        if policy != self._policy:
            kept = kept_policy(site)
            self._rules = kept is not None and bool(kept.approve_alone)
            self._policy, self._state, self._due = policy, None, {}
        now = self._clock()
        if not self._rules or now < self._rest:
            return
        self._look(site, now)
        ready = [digest for digest, due in self._due.items() if due <= now]
        if not ready:
            return
        digest = min(ready, key=self._due.__getitem__)
        self._due[digest] = now + _AGAIN
        try:
            rule = approve_by_rule(site, digest, datetime.now(UTC))
        except StoreError:
            self._due[digest] = now + _AGAIN_STORE
            raise
        finally:
            after = self._clock()
            self._rest = after + (after - now) / _SHARE
        if rule is not None:
            self._say(f"study {short_digest(digest)} was approved by your rule {rule}")

    def _look(self, site: Site, now: float) -> None:
        """Put requests that came in on the list, and take decided ones off."""
        state = site.ledger.state
        folder = site.path / "studies"
        changed = folder.stat().st_mtime_ns if folder.is_dir() else 0
        if self._state is state and self._changed == changed:
            return
        declined = state.declined_studies
        waiting = {
            request.digest
            for request in kept_requests(site)
            if request.digest not in state.studies and request.digest not in declined
        }
        self._due = {digest: self._due.get(digest, now) for digest in sorted(waiting)}
        self._state, self._changed = state, changed


def _approved_by(state: LedgerState, rule: str) -> int:
    """Studies that a rule of this name approved here, ever."""
    return sum(study.approval.rule == rule for study in state.studies.values())
