"""Invented patients after an operation, followed until the disease came back: 5000 at five hospitals.

The process, with every constant, is this file; nothing in it is a real person's. The time to
recurrence is Weibull with shape 1.2 and a scale of 140 months at stage early, 70 at stage late and
42 at stage spread, longer by a quarter for those under 60. Patients are lost after an exponential
time with mean 150 months, and observation ends 24 to 84 months after the operation, evenly.
"""

from __future__ import annotations

from typing import Final

import numpy as np

#: Hospital → patients.
HOSPITALS: Final = {"north": 2000, "east": 1400, "south": 900, "west": 450, "island": 250}
HEADER: Final = "patient,age,sex,stage,months,recurrence"
STAGES: Final = ("early", "late", "spread")
SCALES: Final = (140.0, 70.0, 42.0)
_PARTS: Final = (0.45, 0.35, 0.2)


def tables() -> dict[str, bytes]:
    """Hospital → its table as CSV; the same in every call."""
    generator = np.random.default_rng(20_261_131)
    return {site: table(generator, site, count) for site, count in HOSPITALS.items()}


def table(
    generator: np.random.Generator,
    site: str,
    count: int,
) -> bytes:
    """So many patients of one hospital, drawn anew."""
    age = np.clip(generator.normal(64, 11, count), 30, 95).round()
    male = generator.random(count) < 0.5
    stage = generator.choice(3, count, p=_PARTS)
    scale = np.array(SCALES)[stage] * np.where(age < 60, 1.25, 1.0)
    until = scale * generator.weibull(1.2, count)
    seen = np.minimum(generator.exponential(150, count), generator.uniform(24, 84, count))
    lines = [
        f"{site}-{i},{age[i]:.0f},{'FM'[int(male[i])]},{STAGES[stage[i]]},"
        f"{min(until[i], seen[i]):.2f},{'yes' if until[i] <= seen[i] else 'no'}"
        for i in range(count)
    ]
    return "\n".join([HEADER, *lines, ""]).encode()
