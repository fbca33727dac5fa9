"""Event stream of a role: what happened to its studies, one JSON object a line.

One stream feeds all who look on: ``study status --live``, the console, metrics, TensorBoard. Its
fields are a closed list of public facts: names of parties, numbers of rounds, sizes, codes out of a
fixed list. A text has no field, so no figure of a patient, no message of an error and no row count
has a place in it. What a role says to its owner in words stays in its log.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from securefl.files import read_file
from securefl.party.journal import OLDER, Journal
from securefl.study.fields import NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: The stream's file, in a hospital's or an aggregator's folder, or in that of a study at its
#: researcher.
EVENTS: Final = "events.jsonl"

#: What can happen. Of a run at its researcher: ``run-begun`` to ``run-ended``; of a study at a
#: hospital: ``approved`` to ``ended``; at an aggregator: ``serving``, ``waiting``, ``summed``,
#: ``ended``.
EventKind = Literal[
    "run-begun",
    "waiting",
    "paused",
    "round-opened",
    "run-stopped",
    "run-ended",
    "approved",
    "begun",
    "resumed",
    "answered",
    "verified",
    "ended",
    "serving",
    "summed",
]
_SiteName = Annotated[str, Field(pattern=NAME)]
_StudyName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}-[0-9a-f]{12}$")]
_Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
_Count = Annotated[int, Field(ge=0, le=10**15)]


class Event(BaseModel):
    """One thing that happened.

    Attributes:
        at: when, in UTC.
        event: what.
        study: digest of the study, SHA-256 in hex.
        name: of the study, as people call it.
        round: number of the round that it is about.
        rounds: how many the study has.
        release: kind of the round's release.
        sites: who is in the sum, or is waited for.
        since: since when they are waited for.
        until: when the next round may begin.
        upload_bytes: size of one hospital's contribution.
        code: how it ended, a word out of the fixed list that others see too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: AwareDatetime
    event: EventKind
    study: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    name: _StudyName | None = None
    round: _Count | None = None
    rounds: _Count | None = None
    release: _Code | None = None
    sites: tuple[_SiteName, ...] = ()
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    upload_bytes: _Count | None = None
    code: _Code | None = None

    def line(self) -> str:
        """The event as it stands in the stream, without the fields that say nothing."""
        said = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(said, separators=(",", ":"))


class EventLog:
    """The stream of one role: a file of bounded size for its owner alone, and older ones beside it.

    A disk that takes nothing more loses events and ends nothing.

    Args:
        path: where the newest events are.
        now: the wall clock.
    """

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self._file = Journal(path)
        self._now = now

    def tell(self, event: EventKind, study: str, **facts: object) -> None:
        """Note that something happened now.

        Args:
            event: what.
            study: digest of the study.
            facts: further fields of :class:`Event`.
        """
        at = self._now().astimezone(UTC).replace(microsecond=0)
        found = Event.model_validate({"at": at, "event": event, "study": study, **facts})
        self._file.handle(logging.makeLogRecord({"msg": found.line()}))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_events(path: Path) -> Iterator[Event]:
    """Read a stream, the oldest event first. A line that is no event is passed over: half of one,
    as it is being written, or one of a newer version.

    Args:
        path: where the newest events are; older ones lie beside it.
    """
    older = [path.with_name(f"{path.name}.{turn}") for turn in range(OLDER, 0, -1)]
    for file in (*older, path):
        try:
            data = read_file(file)
        except FileNotFoundError:
            continue
        for line in data.splitlines():
            with suppress(ValidationError):
                yield Event.model_validate_json(line)
