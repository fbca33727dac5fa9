"""Mechanisms of releases, as the accountants see them: two Gaussian ones with public parameters.

Neighbours differ by one patient, added or removed. Parameters are exact: noise multipliers are
decimals, sampling rates are ratios, counts are integers; a float can state none of them (``int(1 /
(1 / n)) != n`` for 141 of n = 1..2000, which is how a study ends up with one step more than it was
charged for).

The noise is that of one hospital, or of ``shares`` hospitals together, of which each adds its part
(:mod:`securefl.study.noise_shares`). :func:`alone` is then what one part by itself would promise.

>>> SubsampledGaussian(Decimal("4.98"), Fraction(1, 5), 40).to_json()
{'kind': 'subsampled-gaussian', 'noise_multiplier': '4.98', 'sample_rate': '1/5', 'steps': 40}
>>> mechanism_from_json({"kind": "gaussian", "noise_multiplier": "5", "releases": 1})
Gaussian(noise_multiplier=Decimal('5'), releases=1, shares=1, cells=1)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from securefl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A mechanism on paper: strings and integers only, ready for canonical JSON (RFC 8785).
MechanismJson: TypeAlias = "dict[str, str | int]"

#: More hospitals than this share no noise (:data:`securefl.study.noise_shares.MOST_HOSPITALS`).
MAX_SHARES = 10_000

#: More steps than this are a typing error, and would let cost integers outgrow what JSON carries
#: exactly.
MAX_STEPS = 10_000_000


def ratio_text(value: Fraction) -> str:
    """Spell a ratio as files do: always ``p/q`` in lowest terms, so 1 is "1/1"."""
    return f"{value.numerator}/{value.denominator}"


def decimal_text(value: Decimal) -> str:
    """Spell a decimal as files do: plain digits, no exponent, no trailing zeros.

    >>> decimal_text(Decimal("1e-5")), decimal_text(Decimal("10.00")), decimal_text(Decimal("-0"))
    ('0.00001', '10', '0')
    """
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if text in {"-0", ""}:
        return "0"
    return text


def _positive_noise(value: Decimal) -> None:
    if (
        not isinstance(value, Decimal)
        or not value.is_finite()
        or not Decimal("0.01") <= value <= Decimal(10**6)
    ):
        raise UsageError(
            f"A noise multiplier must be a decimal between 0.01 and 1,000,000, not {value!r}.",
            next_step='Write it as a decimal string such as "4.98".',
        )


def _positive_count(value: int, name: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_STEPS:
        raise UsageError(
            f"{name} must be a whole number from 1 to {MAX_STEPS:,}, not {value!r}.",
            next_step=f"State the number of {name} in the study.",
        )


def _whole_shares(value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_SHARES:
        raise UsageError(
            f"Noise is shared by 1 to {MAX_SHARES:,} hospitals, not {value!r}.",
            next_step="Lower secagg.min_contributors, or let each hospital add all of it.",
        )


def _beyond_one(**counts: int) -> MechanismJson:
    """Shares and cells as files say them: nothing where there is one, as before there were more."""
    return {name: count for name, count in counts.items() if count != 1}


@dataclass(frozen=True)
class SubsampledGaussian:
    """``steps`` Gaussian releases, each over a fresh Poisson sample of the patients.

    Args:
        noise_multiplier: standard deviation of the noise over the L2 clip norm.
        sample_rate: probability with which each patient enters a step, 0 < rate <= 1. A public
            constant of the study, never derived from the number of rows.
        steps: how many releases.
        shares: hospitals of which each adds its part of that noise; 1 where one adds all.

    Raises:
        UsageError: a parameter is out of range or not exact.
    """

    noise_multiplier: Decimal
    sample_rate: Fraction
    steps: int
    shares: int = 1

    def __post_init__(self) -> None:
        _positive_noise(self.noise_multiplier)
        _positive_count(self.steps, "steps")
        _whole_shares(self.shares)
        if not isinstance(self.sample_rate, Fraction) or not 0 < self.sample_rate <= 1:
            raise UsageError(
                f"A sampling rate must be a ratio above 0 and at most 1, not {self.sample_rate!r}.",
                next_step='Write it as a ratio such as "1/5".',
            )

    @property
    def count(self) -> int:
        """Number of releases that this stands for."""
        return self.steps

    def with_count(self, count: int) -> SubsampledGaussian:
        """The same release, ``count`` times."""
        return replace(self, steps=count)

    def with_noise(self, noise_multiplier: Decimal) -> SubsampledGaussian:
        """The same releases with other noise."""
        return replace(self, noise_multiplier=noise_multiplier)

    def to_json(self) -> MechanismJson:
        """Strings and integers for canonical JSON."""
        return {
            "kind": "subsampled-gaussian",
            "noise_multiplier": decimal_text(self.noise_multiplier),
            "sample_rate": ratio_text(self.sample_rate),
            "steps": self.steps,
            **_beyond_one(shares=self.shares),
        }


@dataclass(frozen=True)
class Gaussian:
    """``releases`` Gaussian releases over all patients, without sampling: a histogram, a statistic.

    Args:
        noise_multiplier: standard deviation of the noise over the L2 sensitivity. For a histogram
            in which a patient counts once the sensitivity is 1, so this is the noise in counts.
        releases: how many such releases.
        shares: hospitals of which each adds its part of that noise; 1 where one adds all.
        cells: numbers of a release in which a patient counts. The sensitivity is their root, so
            each number has integer noise of the multiplier times that.

    Raises:
        UsageError: a parameter is out of range or not exact.
    """

    noise_multiplier: Decimal
    releases: int = 1
    shares: int = 1
    cells: int = 1

    def __post_init__(self) -> None:
        _positive_noise(self.noise_multiplier)
        _positive_count(self.releases, "releases")
        _positive_count(self.cells, "cells")
        _whole_shares(self.shares)

    @property
    def sample_rate(self) -> Fraction:
        """Rate of 1: every patient takes part."""
        return Fraction(1)

    @property
    def count(self) -> int:
        """Number of releases that this stands for."""
        return self.releases

    def with_count(self, count: int) -> Gaussian:
        """The same release, ``count`` times."""
        return replace(self, releases=count)

    def with_noise(self, noise_multiplier: Decimal) -> Gaussian:
        """The same releases with other noise."""
        return replace(self, noise_multiplier=noise_multiplier)

    def to_json(self) -> MechanismJson:
        """Strings and integers for canonical JSON."""
        return {
            "kind": "gaussian",
            "noise_multiplier": decimal_text(self.noise_multiplier),
            "releases": self.releases,
            **_beyond_one(shares=self.shares, cells=self.cells),
        }


Mechanism: TypeAlias = SubsampledGaussian | Gaussian


def alone(mechanism: Mechanism) -> Mechanism:
    """The mechanism with the noise of one share only: what holds if masks and sum hide nothing.

    Rounded down to a millionth, so that its figures are never too good.

    >>> alone(Gaussian(Decimal(6), shares=3))
    Gaussian(noise_multiplier=Decimal('3.464101'), releases=1, shares=1, cells=1)
    """
    if mechanism.shares == 1:
        return mechanism
    exact = (mechanism.noise_multiplier**2 / mechanism.shares).sqrt()
    noise = exact.quantize(Decimal("0.000001"), rounding=ROUND_FLOOR)
    return replace(mechanism, noise_multiplier=noise, shares=1)


_KEYS = {
    "subsampled-gaussian": {"kind", "noise_multiplier", "sample_rate", "steps"},
    "gaussian": {"kind", "noise_multiplier", "releases"},
}
#: Keys that stand only where there is more than one.
_OPTIONAL = {"subsampled-gaussian": {"shares"}, "gaussian": {"shares", "cells"}}


def _text(data: Mapping[str, object], key: str) -> str:
    value = data[key]
    if not isinstance(value, str):
        raise UsageError(
            f"{key} of a mechanism must be a string, not {value!r}.",
            next_step="Numbers that are not whole are strings.",
        )
    return value


def _whole(data: Mapping[str, object], key: str) -> int:
    value = data[key]
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(
            f"{key} of a mechanism must be a whole number, not {value!r}.",
            next_step="Use an integer.",
        )
    return value


def _several(data: Mapping[str, object], key: str) -> int:
    """Shares or cells of a mechanism. One is never written: one spelling for each mechanism."""
    if key not in data:
        return 1
    found = _whole(data, key)
    if found == 1:
        raise UsageError(
            f"A mechanism names no {key} where there is one.",
            next_step=f'Leave out "{key}".',
        )
    return found


def mechanism_from_json(data: Mapping[str, object]) -> Mechanism:
    """Read a mechanism that :meth:`to_json` wrote.

    Raises:
        UsageError: an unknown kind, a missing or unknown key, a float, or a parameter out of range.
    """
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in _KEYS:
        raise UsageError(
            f"Unknown mechanism {kind!r}.", next_step=f"Known are: {', '.join(sorted(_KEYS))}."
        )
    if set(data) - _OPTIONAL[kind] != _KEYS[kind]:
        raise UsageError(
            f"A {kind} mechanism has the keys {sorted(_KEYS[kind])}, not {sorted(data)}.",
            next_step="Write every key, and no other.",
        )
    shares = _several(data, "shares")
    cells = _several(data, "cells")
    try:
        noise = Decimal(_text(data, "noise_multiplier"))
        if kind == "gaussian":
            return Gaussian(noise, _whole(data, "releases"), shares, cells)
        rate = Fraction(_text(data, "sample_rate"))
        return SubsampledGaussian(noise, rate, _whole(data, "steps"), shares)
    except (InvalidOperation, ValueError, ZeroDivisionError) as error:
        raise UsageError(
            f"A parameter of a {kind} mechanism is not a number: {dict(data)!r}.",
            next_step='Write decimals as "4.98" and ratios as "1/5".',
        ) from error
