"""Rules 18 and 19 of the ledger (:mod:`securefl.privacy.ledger_state`): files that the owner signed,
and approvals that a rule in one of them gives.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from securefl.errors import NotApprovedError

if TYPE_CHECKING:
    from securefl.privacy import ledger_events as ev
    from securefl.privacy.ledger_facts import LedgerState

#: Name of the owner's policy in the folder, and in the ledger.
POLICY: Final = "policy.signed"


def own_file(state: LedgerState, event: ev.OwnFile) -> LedgerState:
    """Rule 18: the newest digest holds."""
    return replace(state, own_files={**state.own_files, event.file: event.sha256})


def delegate(state: LedgerState, event: ev.Delegate) -> LedgerState:
    """Rule 19. A rule of a policy that was replaced says nothing any more."""
    if event.study in state.studies or state.declined(event.study):
        raise NotApprovedError(
            "This study was decided here before.",
            next_step="`securefl site inbox` shows the decision.",
        )
    if state.endorsed.get(event.study):
        raise NotApprovedError(
            "People of this hospital gave their words on this study: no rule decides it.",
            next_step="`securefl site review` shows the study.",
        )
    if state.own_files.get(POLICY) != event.policy:
        raise NotApprovedError(
            f"The rule {event.rule!r} stands in a policy that is not in force.",
            next_step="`securefl site policy show` shows the one that is.",
        )
    return replace(state, delegated={**state.delegated, event.study: event})


def check_delegated(state: LedgerState, event: ev.Approve) -> None:
    """Rule 19, from the other side: an approval by a rule has that rule's yes before it.

    An approval without a rule is the owner's own, whatever a rule said before.

    Raises:
        NotApprovedError: the yes is missing, is another rule's, or its policy was replaced.
    """
    if event.rule is None:
        return
    yes = state.delegated.get(event.study)
    if yes is None or yes.rule != event.rule:
        raise NotApprovedError(
            f"The study {event.id!r} was approved by the rule {event.rule!r}, and no event says that"
            " this rule said yes.",
            whose="this hospital's data owner",
            next_step="Find out who wrote that approval: the owner's agent writes both.",
        )
    if state.own_files.get(POLICY) != yes.policy:
        raise NotApprovedError(
            f"The rule {event.rule!r} stands in a policy that is not in force.",
            next_step="`securefl site policy show` shows the one that is.",
        )
