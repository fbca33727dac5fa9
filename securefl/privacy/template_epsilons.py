"""Epsilons of the templates in ``protocols/studies``, worked out beforehand.

The accountant's libraries take longer to load than everything else that a command does. Whoever
begins with a template, or looks at the demonstration, need not wait for them. The tests work every
figure out again, and demand one for every template.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from securefl.privacy.mechanisms import Gaussian, Mechanism, SubsampledGaussian

if TYPE_CHECKING:
    from collections.abc import Mapping


def _steps(
    noise: str,
    rate: str,
    steps: int,
    shares: int = 1,
) -> tuple[Mechanism, ...]:
    """The steps of a training, under noise that so many hospitals share."""
    return (SubsampledGaussian(Decimal(noise), Fraction(rate), steps, shares),)


def _counts(noise: str, cells: int = 1, shares: int = 1) -> tuple[Mechanism, ...]:
    """One release of counts over all patients, each of whom counts in so many of them."""
    return (Gaussian(Decimal(noise), shares=shares, cells=cells),)


_DELTA = Decimal("1e-5")
_HEART_DELTA = Decimal("1e-4")
#: (mechanisms as the accountant groups them, delta) -> epsilon, as
#: :func:`securefl.privacy.accounting.pld_epsilon` gives it.
TEMPLATE_EPSILONS: Final[Mapping[tuple[tuple[Mechanism, ...], Decimal], Decimal]] = {
    # first-study
    (_steps("2.62", "1/5", 8), _DELTA): Decimal("0.9994"),
    (_counts("3.75"), _DELTA): Decimal("0.9974"),
    # heart
    (_steps("14.25", "1", 20), _HEART_DELTA): Decimal("0.9998"),
    (_counts("3.2"), _HEART_DELTA): Decimal("0.9983"),
    # thyroid, which judges as first-study does
    (_steps("4.98", "1/5", 40), _DELTA): Decimal("0.9982"),
    # thyroid-classes
    (_steps("23.60", "1", 40), _DELTA): Decimal("0.9998"),
    (_counts("2", 4), _DELTA): Decimal("1.9931"),
    # thyroid-table
    (_counts("11.25", 7), _DELTA): Decimal("0.2997"),
    # digits-images
    (_steps("8.80", "1", 40), _DELTA): Decimal("2.9981"),
    (_counts("2", 11), _DELTA): Decimal("1.9931"),
    # thyroid-boost; its check is priced as a whole, too
    (_steps("23.60", "1", 40, 4), _DELTA): Decimal("0.9998"),
    (_counts("4.00", shares=4), _DELTA): Decimal("0.9274"),
    (_counts("4.00"), _DELTA): Decimal("0.9274"),
    # recurrence-curve
    (_counts("7.05"), _DELTA): Decimal("0.4988"),
}
