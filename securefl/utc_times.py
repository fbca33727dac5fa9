"""Times as ledgers, logs, messages and pages for programs write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_FORM: Final = "%Y-%m-%dT%H:%M:%SZ"


def time_text(moment: datetime) -> str:
    """A time that knows its zone: in UTC, to the second, in ISO 8601.

    >>> time_text(datetime(2026, 3, 1, 12, tzinfo=UTC))
    '2026-03-01T12:00:00Z'
    """
    return moment.astimezone(UTC).strftime(_FORM)


def read_time(text: str) -> datetime:
    """A time in that form.

    Raises:
        ValueError: it has another.
    """
    return datetime.strptime(text, _FORM).replace(tzinfo=UTC)
