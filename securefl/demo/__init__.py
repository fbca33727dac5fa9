"""The demonstration: five hospitals made from a public table, and the comparison that only a public table allows."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_DOORS = {
    "SITES": "thyroid",
    "Comparison": "baselines",
    "compare": "baselines",
    "demo_secret": "thyroid",
    "site_tables": "thyroid",
}
__all__ = sorted(_DOORS)  # noqa: PLE0605 - the door is one table; a second list beside it would drift


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a lazy door returns whatever stands behind it
    if name in _DOORS:
        return getattr(import_module(f"securefl.demo.{_DOORS[name]}"), name)
    raise AttributeError(f"module 'securefl.demo' has no attribute {name!r}")
