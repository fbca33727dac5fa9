"""The clock of a party's machine."""

from __future__ import annotations

from datetime import UTC, datetime

from securefl.utc_times import time_text


def utc_now() -> str:
    """The time in UTC, to the second, in ISO 8601: ``2026-03-01T12:00:00Z``."""
    return time_text(datetime.now(UTC))
