"""Record of this site's decisions on requests, outside PySyft's tree.

PySyft's ``state.yaml`` is what others are shown. It can be changed by PySyft's own client and put
back by a replay of old events, so after every synchronisation it is made to say what stands here.
An approval in this record is not what lets a study run either: that is the signed, one-shot
approval of the digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast, get_args

from securefl.datasite.local_files import read_json, write_json
from securefl.datasite.models import FINAL, Status
from securefl.errors import UnreadableError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

_NEXT: dict[str, frozenset[str]] = {
    "pending": frozenset({"pending", "approved", "rejected"}),
    "approved": frozenset({"approved", "running", "rejected", "failed"}),
    "running": frozenset({"running", "done", "failed"}),
}


@dataclass(frozen=True)
class Decision:
    """State of a request here, the text beside it, and when it was set (ISO 8601)."""

    status: Status
    reason: str
    at: str


class Decisions:
    """File ``decisions.json`` of one site."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> dict[str, Decision]:
        """Read the decisions by job.

        Raises:
            UnreadableError: the file is damaged.
        """
        try:
            found = {job: Decision(**entry) for job, entry in read_json(self._path).items()}
        # An entry of another form: a state that is none makes the check below refuse the file.
        except TypeError:
            found = {"": Decision(cast("Status", ""), "", "")}
        if not all(d.status in get_args(Status) for d in found.values()):
            raise UnreadableError(
                f"{self._path} is not a list of decisions.",
                whose="this site",
                next_step="Restore it from your backup.",
            )
        return found

    def set(
        self,
        job: str,
        status: Status,
        reason: str,
    ) -> Decision:
        """Record a decision durably.

        Raises:
            UsageError: the request is not in a state from which that can follow; what is finished
                stays finished.
        """
        everything = self.all()
        now: str = "pending"
        if job in everything:
            now = everything[job].status
        if status not in _NEXT.get(now, frozenset()):
            word = f"is {now}"
            if now in FINAL:
                word = "is finished"
            raise UsageError(
                f"The request {job} {word} and cannot become {status}.",
                next_step="Ask the researcher for a new request.",
            )
        everything[job] = Decision(status, reason, datetime.now(UTC).isoformat(timespec="seconds"))
        write_json(self._path, {j: d.__dict__ for j, d in everything.items()})
        return everything[job]
