"""Figures as people write them: sizes, counts with their noun, decimals, times."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal


def bytes_words(count: int) -> str:
    """A size as people say it.

    >>> bytes_words(512), bytes_words(59_900), bytes_words(2_400_000)
    ('512 bytes', '59.9 kB', '2.4 MB')
    """
    if count < 1000:
        return f"{count} bytes"
    if count < 999_950:
        return f"{count / 1000:.1f} kB"
    return f"{count / 1_000_000:.1f} MB"


def plural(count: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> plural(1, "hospital"), plural(5, "hospital"), plural(0, "study", "studies")
    ('1 hospital', '5 hospitals', '0 studies')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def decimal_words(value: Decimal) -> str:
    """A decimal without exponent or trailing zeros.

    >>> from decimal import Decimal
    >>> decimal_words(Decimal("1e-5")), decimal_words(Decimal("4.980")), decimal_words(Decimal("40"))
    ('0.00001', '4.98', '40')
    """
    text = f"{value:f}"
    if "." not in text:
        return text
    return text.rstrip("0").rstrip(".")


def day(time: str) -> str:
    """A time of the ledger (UTC, ISO 8601) to the minute.

    >>> day("2026-01-31T12:34:56Z")
    '2026-01-31 12:34 UTC'
    """
    return f"{time[:10]} {time[11:16]} UTC"
