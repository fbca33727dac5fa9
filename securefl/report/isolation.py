"""Walls around the process that reads the data, as far as a hospital's machine enforces them."""

from __future__ import annotations

from enum import Enum


class Isolation(Enum):
    """Walls that this machine enforces; files are not walled off yet."""

    NETWORK = "network blocked"
    NOTHING = "network NOT blocked: this machine forbids user namespaces"


def isolation_sentence(isolation: Isolation) -> str:
    """The line on the request page.

    >>> isolation_sentence(Isolation.NETWORK)
    'isolation: network blocked; files: not enforced yet'
    """
    return f"isolation: {isolation.value}; files: not enforced yet"
