"""Desk of the owner's rules at a running agent: which requests are asked for, one at a time.

What a rule says, and what it covers, stands in :mod:`securefl.node.rule_approval`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from securefl.errors import StoreError
from securefl.node.own_policy import POLICY_FILE, kept_policy
from securefl.node.requests import kept_requests
from securefl.study.study_id import short_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.node.site import Site
    from securefl.privacy.ledger_state import LedgerState

#: Seconds after which a request is asked again: a fault may have passed, or the store was away.
_AGAIN, _AGAIN_STORE = 600.0, 30.0
#: A review takes seconds in which no study is answered: at most this part of the agent's time.
_SHARE: Final = 0.05


class RuleDesk:
    """The owner's rules at a running agent.

    Args:
        say: writes a line to the owner's own log.
        clock: the monotonic clock, in seconds.
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._say = say
        self._clock = clock
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
            SecureFLError: as :func:`securefl.node.rule_approval.approve_by_rule`.
        """
        policy = POLICY_FILE.digest(site)
        if policy != self._policy:
            kept = kept_policy(site)
            self._rules = kept is not None and bool(kept.approve_alone)
            self._policy = policy
            self._state = None
            self._due = {}
        now = self._clock()
        if not self._rules or now < self._rest:
            return
        self._look(site, now)
        ready = [digest for digest, due in self._due.items() if due <= now]
        if not ready:
            return
        digest = min(ready, key=self._due.__getitem__)
        self._due[digest] = now + _AGAIN
        # a review is imported where a rule stands: most hospitals have none
        from securefl.node.rule_approval import approve_by_rule

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
        self._state = state
        self._changed = changed
