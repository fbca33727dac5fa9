"""Invented customers of five banks of unlike size, some of whom were defrauded in a month.

The process, with every constant, is this file; nothing in it is a real person's. Of a customer with
account age y (years), p payments, largest payment e (EUR), n new payees, share s of payments at
night, and a new device d, the log odds of fraud are

    -4.6 + (log e - 5) + .9 n + 5 s + 2 d - .08 min(y, 15) + bank

where bank differs from -.3 to .3.
"""

from __future__ import annotations

from typing import Final

import numpy as np

#: Bank → customers, and what it adds to the log odds.
BANKS: Final = {
    "crown": (8000, -0.3),
    "harbour": (5500, 0.0),
    "meadow": (3500, 0.1),
    "summit": (2200, 0.3),
    "village": (800, -0.1),
}
HEADER: Final = (
    "customer,account_age,channel,payments,largest,new_payees,night_share,new_device,fraud"
)
_CHANNELS: Final = np.array(["app", "web", "branch"])


def tables() -> dict[str, bytes]:
    """Bank → its table as CSV; the same in every call."""
    generator = np.random.default_rng(20_261_130)
    return {site: _table(generator, site, *about) for site, about in BANKS.items()}


def _table(
    generator: np.random.Generator,
    site: str,
    count: int,
    added: float,
) -> bytes:
    age = np.minimum(generator.gamma(2.0, 4.0, count), 40).round(1)
    channel = generator.choice(3, count, p=[0.6, 0.3, 0.1])
    payments = np.minimum(generator.poisson(25 * generator.gamma(2.0, 0.5, count)), 200)
    largest = np.exp(generator.normal(5.0, 1.2, count)).clip(1, 50_000).round(2)
    payees = np.minimum(generator.poisson(0.5, count), 10)
    night = generator.beta(1.0, 9.0, count).round(2)
    device = generator.random(count) < 0.08
    odds = -4.6 + added + (np.log(largest) - 5) + 0.9 * payees + 5 * night
    odds += 2 * device - 0.08 * np.minimum(age, 15)
    fraud = generator.random(count) < 1 / (1 + np.exp(-odds))
    lines = [
        f"{site}-{i},{age[i]},{_CHANNELS[channel[i]]},{payments[i]},{largest[i]:.2f},{payees[i]},"
        f"{night[i]},{'ny'[int(device[i])]},{'ny'[int(fraud[i])]}"
        for i in range(count)
    ]
    return "\n".join([HEADER, *lines, ""]).encode()
