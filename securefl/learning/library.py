"""Libraries that a model's gradients need, and which of them this machine has.

Opening a library takes seconds and memory, so a worker opens those of its study alone: before it
reads a row, while the other hospitals decide.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Packages by which layers get their gradients where they are installed.
OPACUS: Final = ("torch", "opacus")


def has_packages(names: Sequence[str]) -> bool:
    """True where all of them are installed; none is opened."""
    return all(_found(name) for name in names)


def _found(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ValueError:  # put out of reach by sys.modules[name] = None
        return False
