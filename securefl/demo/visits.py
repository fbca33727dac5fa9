"""Invented patients with a count: emergency visits of a year, at five hospitals of unlike size.

The process, with every constant, is this file; nothing in it is a real person's. Of a patient with
age a, diabetes d, heart failure h and p visits in the year before, visits are Poisson with the rate
f exp(.015 (a - 55) + .5 d + .9 h + .2 p + site), where f is a frailty that no column shows (gamma
with mean 1 and variance 1/5) and site differs by hospital from -.15 to .15.
"""

from __future__ import annotations

from typing import Final

import numpy as np

#: Hospital → patients, and what it adds to the logarithm of the rate.
HOSPITALS: Final = {
    "north": (4000, -0.15),
    "east": (2500, 0.0),
    "south": (1500, 0.15),
    "west": (700, 0.05),
    "island": (300, -0.05),
}
HEADER: Final = "patient,age,sex,diabetes,heart_failure,visits_before,visits"


def tables() -> dict[str, bytes]:
    """Hospital → its table as CSV; the same in every call."""
    generator = np.random.default_rng(20_261_129)
    return {site: _table(generator, site, *about) for site, about in HOSPITALS.items()}


def _table(
    generator: np.random.Generator,
    site: str,
    count: int,
    added: float,
) -> bytes:
    age = np.clip(generator.normal(55, 17, count), 18, 100).round()
    male = generator.random(count) < 0.48
    diabetes = generator.random(count) < 0.15
    failure = generator.random(count) < 0.02 + 0.10 * (age > 65)
    before = np.minimum(generator.poisson(1.5 * generator.gamma(1.0, 1.0, count)), 10)
    frailty = generator.gamma(5.0, 1 / 5, count)
    log_rate = 0.015 * (age - 55) + 0.5 * diabetes + 0.9 * failure + 0.2 * before
    visits = generator.poisson(frailty * np.exp(log_rate + added))
    lines = [
        f"{site}-{i},{age[i]:.0f},{'FM'[int(male[i])]},{'ny'[int(diabetes[i])]},"
        f"{'ny'[int(failure[i])]},{before[i]},{visits[i]}"
        for i in range(count)
    ]
    return "\n".join([HEADER, *lines, ""]).encode()
