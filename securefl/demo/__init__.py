"""The demonstration: five hospitals made from a public table, and the comparison that only a public
table allows.
"""

from __future__ import annotations

from securefl.doors import lazy_door

_DOORS = {
    "SITES": "thyroid",
    "Comparison": "baselines",
    "compare": "baselines",
    "demo_secret": "thyroid",
    "site_tables": "thyroid",
}
__all__ = sorted(_DOORS)  # noqa: PLE0605 - the door is one table; a second list beside it would drift
__getattr__ = lazy_door(__name__, _DOORS)
