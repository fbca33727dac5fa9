"""Hospitals of the demonstration: thyroid laboratory records by referral source.

The table is public (:mod:`securefl.public_tables`), which is why the demonstration may show
per-hospital figures that a real study never releases. Its dirt (an age of 65526, missing laboratory
values) stays in: setting rows aside is part of what is shown.
"""

from __future__ import annotations

import hashlib

from securefl.public_tables import THYROID_SITES as SITES
from securefl.public_tables import thyroid_csv
from securefl.public_tables import thyroid_tables as site_tables

__all__ = ["SITES", "demo_secret", "site_tables", "thyroid_csv"]


def demo_secret(seed: int, site: str) -> bytes:
    """Derive a demonstration hospital's split secret, 32 bytes.

    ``--seed`` repeats the held-out split. Only here: a real hospital's secret comes from its
    operating system. Noise is fresh even in the demonstration.
    """
    return hashlib.sha256(f"securefl/demo-split/1/{seed}/{site}".encode()).digest()
