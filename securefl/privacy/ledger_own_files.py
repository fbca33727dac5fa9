"""Writing into the ledger what the owner rules beforehand: files that they signed, and yeses that
their rules give.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.privacy import ledger_events as ev
from securefl.privacy.ledger_log import LedgerLog

if TYPE_CHECKING:
    from securefl.privacy.ledger_state import LedgerState


class OwnFilesLog(LedgerLog):
    """An open ledger in which the owner's rules are noted; see :class:`LedgerLog`."""

    def keep_file(self, file: str, sha256: str | None) -> None:
        """Note that a file of rules is in force, or none of that name; again, it changes nothing.

        Args:
            file: its name below the hospital's folder, ending in ``.signed``.
            sha256: of the signed file, in hex; None where the rules are taken away.

        Raises:
            UsageError: it is no such name.
        """

        def events(state: LedgerState) -> list[ev.Event]:
            same = file in state.own_files and state.own_files[file] == sha256
            if same:
                return []
            fields: dict[str, object] = {"at": self._now(), "file": file, "sha256": sha256}
            return [ev.checked_event(ev.OwnFile, fields)]

        self._append(events)

    def delegate(self, study: str, *, rule: str, policy: str) -> None:
        """Note a rule's yes to a study, before the hospital's own.

        Args:
            study: the digest.
            rule: its name in the policy.
            policy: digest (hex) of the signed policy in which it stands.

        Raises:
            NotApprovedError: the study was decided before, people gave their words on it, or that
                policy is not in force.
        """

        def events(state: LedgerState) -> list[ev.Event]:
            before = state.delegated.get(study)
            if before is not None and (before.rule, before.policy) == (rule, policy):
                return []  # killed between this and the approval: it is said once
            fields: dict[str, object] = {
                "at": self._now(),
                "study": study,
                "rule": rule,
                "policy": policy,
            }
            return [ev.checked_event(ev.Delegate, fields)]

        self._append(events)
