"""The time as ledgers, logs and messages write it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_FORM: Final = "%Y-%m-%dT%H:%M:%SZ"


def utc_now() -> str:
    """The time in UTC, to the second, in ISO 8601: ``2026-03-01T12:00:00Z``."""
    return time_text(datetime.now(UTC))


def time_text(moment: datetime) -> str:
    """A time that knows its zone, in the same form."""
    return moment.astimezone(UTC).strftime(_FORM)


def read_time(text: str) -> datetime:
    """A time in that form.

    Raises:
        ValueError: it has another.
    """
    return datetime.strptime(text, _FORM).replace(tzinfo=UTC)
