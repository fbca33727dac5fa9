"""Lazy doors (PEP 562): a room's names are fetched on first use, so that no command pays for a
framework it does not use.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazy_door(room: str, doors: Mapping[str, str]) -> Callable[[str], Any]:
    """A module ``__getattr__`` for ``room``; ``dir(room)`` lists what it offers.

    Args:
        room: the package's ``__name__``.
        doors: public name → the module inside the room that defines it.
    """

    def fetch(name: str) -> Any:  # noqa: ANN401 - whatever stands behind the door
        if name not in doors:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        return getattr(import_module(f"{room}.{doors[name]}"), name)

    if room in sys.modules:
        vars(sys.modules[room]).setdefault("__dir__", lambda: sorted(doors))
    return fetch
