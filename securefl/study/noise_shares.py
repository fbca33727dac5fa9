"""Shares of a study's noise: the full noise from each hospital, or a part of it from each.

With ``noise = "local"`` each hospital adds the noise that its releases are charged for. With
``noise = "distributed"`` it adds a share, so that n hospitals together add that noise: n is
``min_contributors`` less ``colluders``, the fewest honest hospitals in a sum that opens. Whoever
knows the sum and the shares of ``colluders`` hospitals still faces n shares that nobody of them
knows.

Two things must hold, or a share of integer noise is not a part of the whole. They are proven here
in one step; Kairouz, Liu, Steinke 2021 (arXiv:2102.06387) have the first alone, with twice
the constant.

1. Independent discrete Gaussians of parameter s add up to nearly one of parameter s sqrt(h).
2. Each hospital rounds what it noised to steps of w units, before the sum. That is no
   post-processing of the sum, so whoever sees it may be given all remainders modulo w too.

Let n_1 ... n_h be the shares and r_i = n_i mod w. The joint chance of the remainders and of the sum
z is found by adding one hospital after the other: with the k before it, the sum over n in r + wZ of
exp(-(z - n)^2 / 2ks^2 - n^2 / 2s^2) is exp(-z^2 / 2(k+1)s^2) times a sum over the same n of a
Gaussian of variance s^2 k/(k+1), which by Poisson's formula is its integral over w, to within a
factor of 1 ± e_k with e_k <= 2.01 exp(-2 pi^2 (s/w)^2 k/(k+1)). So the joint chance is, to within a
factor of exp(±tau), that of a discrete Gaussian z of parameter s sqrt(h) and of remainders that are
uniform but for their sum, which is z's. These tell nothing beside z, whatever was added to the
noise. :func:`most_apart` is tau: 4e-17 where a share is two steps wide, 2e-38 where it is three.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from typing import TYPE_CHECKING, Final

from securefl.study.counts import NoisedNumbers

if TYPE_CHECKING:
    from securefl.study import schema
    from securefl.study.counts import EvaluateSection
    from securefl.study.wire import Counting

#: Word of the study file for noise of which each hospital adds a share.
DISTRIBUTED: Final = "distributed"
#: More hospitals than this share no noise; the bounds are worked out for as many.
MOST_HOSPITALS: Final = 10_000
#: Most that all numbers of a release may add to a Rényi divergence: what is charged for it.
_CHARGED: Final = 1e-9
#: A share is at least this wide in units of what travels: integer noise needs it anyway.
_LEAST: Final = 2.0
_PLACES: Final = Decimal("0.000001")


@dataclass(frozen=True)
class NoiseShares:
    """Number of hospitals whose noise together is the one that is charged.

    Attributes:
        count: n; 1 where each hospital adds all of it.
    """

    count: int = 1

    def each(self, sigma: Decimal) -> Decimal:
        """Standard deviation of what one hospital adds, in the unit of ``sigma``.

        Rounded up to six places: more noise than is charged for, never less.

        >>> NoiseShares(1).each(Decimal(6)), NoiseShares(3).each(Decimal(6))
        (Decimal('6'), Decimal('3.464102'))
        """
        if self.count == 1:
            return sigma
        exact = (sigma * sigma / self.count).sqrt(Context(prec=28, rounding=ROUND_CEILING))
        return exact.quantize(_PLACES, rounding=ROUND_CEILING)

    def in_sum(self, contributors: int) -> float:
        """Full noises that the sum of so many hospitals carries: variances add up."""
        return contributors / self.count

    def numbers(self, spec: Counting) -> NoisedNumbers:
        """Range of a released list of counts, and what one hospital adds to each."""
        return NoisedNumbers(spec.bound, self.each(spec.sigma))


def noise_shares(study: schema.Template) -> NoiseShares:
    """Shares of this study's noise."""
    if study.privacy.noise != DISTRIBUTED:
        return NoiseShares()
    honest = study.secagg.min_contributors - study.secagg.colluders
    return NoiseShares(max(1, honest))


def evaluation_shares(study: schema.Template, section: EvaluateSection) -> NoiseShares:
    """Shares of an evaluation's noise.

    Where each hospital has a list of its own, that list opens with the noise of this hospital
    alone. So each adds all of it, also in a study that shares its noise elsewhere.
    """
    if section.each_participant:
        return NoiseShares()
    return noise_shares(study)


def evaluation_noises(
    study: schema.Template,
    section: EvaluateSection,
    contributors: int,
) -> float:
    """Noises of the section's ``sigma`` that each number carries which is a sum over hospitals.

    More lists than one make the noise of each larger: a patient counts in each of them.
    """
    noises = evaluation_shares(study, section).in_sum(contributors)
    if section.lists == 1:
        return noises
    return noises * float(section.split_sigma / section.sigma) ** 2


def least_share(numbers: int) -> float:
    """Least standard deviation of a share, in units of what travels: counts, or steps of the wire.

    It keeps 3 tau for all numbers together below the nano unit that a release is charged for it
    (:mod:`securefl.privacy.accounting`).

    Args:
        numbers: that a hospital releases in all rounds.

    >>> least_share(100), least_share(10**8 * 10**4)
    (2.0, 2.5)
    """
    share = _LEAST
    while 3 * numbers * most_apart(share, MOST_HOSPITALS) > _CHARGED:
        share += 0.25
    return share


def most_apart(share: float, hospitals: int) -> float:
    """Largest logarithm tau of the factor by which one number of the sum of so many shares is more
    or less likely than under the noise that is charged.

    Args:
        share: standard deviation of a share, in steps of the wire; at least 1.
        hospitals: at least 2.

    >>> most_apart(3, 10_000) < 2e-38, most_apart(1, 2) > 1e-4
    (True, True)
    """
    nearest = math.exp(-((math.pi * share) ** 2))
    others = math.exp(-4 / 3 * (math.pi * share) ** 2)
    return 5 * (nearest + (hospitals - 2) * others)
