"""Price of releases: PLD for a study's own epsilon, Rényi cost at one integer order for the ledger.

Two accountants, because two questions are asked. A study's parameters are fixed beforehand, so the
tight privacy loss distribution (Koskela et al. 2020, as computed pessimistically by dp-accounting)
states its epsilon. Which study comes next is chosen in the light of earlier results, so the ledger
spends Rényi differential privacy at an order fixed when the budget is granted; such a filter stays
valid under adaptive choice (Feldman and Zrnic 2021), a PLD filter does not.

Ledger amounts are integers, in units of 1e-9 of Rényi divergence ("nano"). They come from decimal
arithmetic with 50 digits, so that every machine writes the same number; costs are rounded up, caps
down. ``dp_accounting`` is slow to import and is only loaded where a PLD is asked for.

Neighbours: add or remove one patient. Rényi costs hold in both directions (Mironov, Talwar, Zhang
2019, theorem 5), and for rounded and discrete Gaussian noise alike: rounding is post-processing,
and the moments of the discrete Gaussian under integer shifts are those of the continuous one
(Canonne, Kamath, Steinke 2020). A privacy loss distribution is more than its moments: at sigma 2
and sensitivity 1 the discrete Gaussian has epsilon 2.0113 at delta 1e-5 where the continuous one
has 1.9931. A PLD figure of counts is therefore the larger of the two. One patient changes one count
by 1, or each of several (``cells``) whose noise is drawn one by one; so that figure is exact. The
integers of a training step are 2^20 to the clip norm (:data:`securefl.study.wire.GRID`), and the
noise is 3 * 10^5 of them or more: from 64 on the two differ by at most 1e-5, and by the square of
that less here.

Noise that hospitals share (``shares`` above 1) is not exactly the integer Gaussian that is charged:
the sum of shares is within a factor of exp(±tau) of it for each number
(:mod:`securefl.study.noise_shares`). That adds at most 3 tau to a Rényi divergence of order 2 or
more, and 2 tau to an epsilon. A study whose shares are so small that 3 tau, for all numbers of a
release together, is more than a nano unit is refused; that unit is charged, and :data:`SHARED`.
"""

from __future__ import annotations

import math
from collections import Counter
from decimal import MAX_EMAX, MIN_EMIN, ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext
from fractions import Fraction
from functools import lru_cache, reduce
from typing import TYPE_CHECKING

import numpy as np

from securefl.errors import UsageError
from securefl.privacy.mechanisms import Gaussian, Mechanism, SubsampledGaussian
from securefl.privacy.template_epsilons import TEMPLATE_EPSILONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Ledger amounts per unit of Rényi divergence.
NANO = 10**9
#: Integer orders a grant may name. Order 2 serves epsilons near 20, order 256 epsilons near 0.05.
ORDERS = range(2, 257)
#: Written into every reservation, so that an auditor can repeat the computation.
RDP_METHOD = (
    "rdp-integer-order/1 (Mironov, Talwar, Zhang 2019, decimal 50 digits, rounded up to 1e-9)"
)
PLD_METHOD = (
    "pld dp-accounting 0.6.0, pessimistic, larger of continuous and integer noise, rounded up to"
    " 1e-4"
)
#: Below this delta a study's own epsilon is the Rényi figure. A privacy loss distribution is a
#: table of float64 masses that drops tails of 1e-15 and is convolved by FFT, so its delta errs by
#: about that much: at 1e-14 it overstates an epsilon of 5.96 as 10.13, and at 1e-15 it has none.
#: The Rényi bound is a formula in logarithms, and holds for every delta.
LEAST_PLD_DELTA = Decimal("1e-10")
#: Stands in a reservation instead of :data:`PLD_METHOD` where delta is below that.
FAINT_METHOD = (
    "rdp at the best of the orders 1.1 to 256 (Canonne, Kamath, Steinke 2020, proposition 12),"
    " rounded up to 1e-4"
)
#: What noise that hospitals share adds to an epsilon before it is rounded up: more than 16 stages
#: lack.
SHARED = 1e-7
#: Discretisation of the privacy loss; the reference figures use the same.
PLD_INTERVAL = 1e-4

_TENTHS = tuple(n / 10 for n in range(11, 110) if n % 10)
_WHOLE = (*map(float, range(2, 65)), 80.0, 96.0, 128.0, 192.0, 256.0)
_LEAST_SMOOTH_NOISE = Decimal("0.3")
#: Exponents as wide as decimals allow: at order 256 a small noise multiplier gives numbers beyond
#: 10^999999.
_CONTEXT = Context(prec=50, Emax=MAX_EMAX, Emin=MIN_EMIN)
#: No PLD is computed above this Rényi epsilon (a quick figure, never below the PLD's): the
#: distribution of such losses takes gigabytes, and says no more than that there is no privacy. A
#: study's own epsilon is at most 100.
MOST_EPSILON = 200
#: Beyond this many counts the discrete Gaussian's table is only large: at sigma 20 the figures
#: agree to 1e-4 already.
_LARGEST_TABLE = 1000
_EPSILON_STEP = Decimal("0.0001")


def _order(order: int) -> int:
    """Return the order, if it is one of :data:`ORDERS`."""
    # Costs are kept at one order for ever, and the integer formula needs a whole one.
    if not isinstance(order, int) or order not in ORDERS:
        raise UsageError(
            f"A Rényi order is a whole number from {ORDERS[0]} to {ORDERS[-1]}, not {order!r}.",
            next_step="Let `choose_order` pick it.",
        )
    return order


def _delta(delta: Decimal) -> Decimal:
    """Return delta, if it is a decimal between 0 and 1."""
    # A float is refused: 1e-5 as a float is another number, and a figure must be repeatable.
    if not isinstance(delta, Decimal) or not delta.is_finite() or not 0 < delta < 1:
        raise UsageError(
            f"Delta must be a decimal between 0 and 1, not {delta!r}.",
            next_step='Write it as a string such as "1e-5".',
        )
    return delta


@lru_cache(maxsize=4096)
def _step_divergence(
    noise_multiplier: Decimal,
    sample_rate: Fraction,
    order: int,
) -> Decimal:
    """Rényi divergence of one release at ``order``.

    Mironov, Talwar, Zhang 2019, the equation for integer orders: ``A = sum_k C(a,k) (1-q)^(a-k) q^k
    exp((k^2-k) / 2 sigma^2)``. It is summed as ``A - 1`` with the binomial weights' own sum taken
    off: the terms k = 0 and 1 vanish, all others are positive, and nothing cancels when the
    divergence is tiny.
    """
    with localcontext(_CONTEXT):
        twice_variance = 2 * noise_multiplier * noise_multiplier
        rate = Decimal(sample_rate.numerator) / sample_rate.denominator
        # From the ratio, not as 1 - rate: at a rate near 1 that difference would lose digits.
        other = Decimal(sample_rate.denominator - sample_rate.numerator) / sample_rate.denominator
        if not other:
            return Decimal(order) / twice_variance
        excess = Decimal(0)
        for k in range(2, order + 1):
            growth = (Decimal(k * k - k) / twice_variance).exp() - 1
            excess += math.comb(order, k) * other ** (order - k) * rate**k * growth
        return (1 + excess).ln() / (order - 1)


def rdp_cost(mechanism: Mechanism, order: int) -> int:
    """Rényi cost of a mechanism, in nano units, rounded up.

    >>> from fractions import Fraction
    >>> rdp_cost(SubsampledGaussian(Decimal("4.97"), Fraction(1, 5), 40), 16) / NANO
    0.584092371

    Raises:
        UsageError: ``order`` is not one of :data:`ORDERS`.
    """
    lacking = int(mechanism.shares > 1)
    if mechanism.sample_rate == 1:
        # count * order / 2 sigma^2 is a ratio of integers, so it is worked out exactly.
        return lacking + math.ceil(
            Fraction(mechanism.count * _order(order) * NANO, 2)
            / Fraction(mechanism.noise_multiplier) ** 2
        )
    step = _step_divergence(mechanism.noise_multiplier, mechanism.sample_rate, _order(order))
    with localcontext(_CONTEXT):
        # The 50-digit sum errs by less than 1e-40 of itself; the margin keeps that on the costly
        # side.
        exact = step * mechanism.count * NANO * (1 + Decimal("1e-40"))
        return lacking + int(exact.to_integral_value(rounding=ROUND_CEILING))


@lru_cache(maxsize=1024, typed=True)
def rdp_cap(epsilon: Decimal, delta: Decimal, order: int) -> int:
    """The largest divergence at ``order`` that implies (epsilon, delta): nano units, rounded down.

    Canonne, Kamath, Steinke 2020, proposition 12: ``cap = epsilon - log(1 - 1/a) + log(delta a) /
    (a - 1)``. Not above 0: no study fits at this order.

    >>> rdp_cap(Decimal(1), Decimal("1e-5"), 12) / NANO
    0.266282393

    Raises:
        UsageError: epsilon, delta or order out of range.
    """
    if not isinstance(epsilon, Decimal) or not epsilon.is_finite() or not 0 < epsilon <= 1000:
        raise UsageError(
            f"Epsilon must be a decimal above 0 and at most 1000, not {epsilon!r}.",
            next_step='Write it as a string such as "3".',
        )
    with localcontext(_CONTEXT):
        a = Decimal(_order(order))
        cap = epsilon - (1 - 1 / a).ln() + (_delta(delta) * a).ln() / (a - 1)
        # The 50-digit logarithms err by far less than 1e-20; taken off, the cap is never too large.
        return int((cap * NANO - Decimal("1e-20")).to_integral_value(rounding=ROUND_FLOOR))


def epsilon_of_rdp(cost: int, delta: Decimal, order: int) -> Decimal:
    """The epsilon that ``cost`` nano units at ``order`` imply, rounded up.

    :func:`rdp_cap` turned round.
    """
    with localcontext(_CONTEXT):
        a = Decimal(_order(order))
        epsilon = Decimal(cost) / NANO + (1 - 1 / a).ln() - (_delta(delta) * a).ln() / (a - 1)
        return max(Decimal(0), epsilon.quantize(_EPSILON_STEP, rounding=ROUND_CEILING))


def _grouped(mechanisms: Iterable[Mechanism]) -> tuple[Mechanism, ...]:
    """Count equal releases together.

    Composing a distribution with itself is one power, not n convolutions.
    """
    counts: Counter[tuple[Decimal, Fraction, int, int]] = Counter()
    for m in mechanisms:
        cells = m.cells if isinstance(m, Gaussian) else 0
        counts[m.noise_multiplier, m.sample_rate, cells, m.shares] += m.count
    return tuple(
        Gaussian(noise, count, shares, cells)
        if cells
        else SubsampledGaussian(noise, rate, count, shares)
        for (noise, rate, cells, shares), count in sorted(counts.items())
    )


def _rounded_up(epsilon: float) -> Decimal:
    """Round an epsilon up to 1e-4: a figure that is shown never understates."""
    return Decimal(epsilon).quantize(_EPSILON_STEP, rounding=ROUND_CEILING)


def pld_epsilon(
    mechanisms: Sequence[Mechanism],
    delta: Decimal,
    *,
    interval: float = PLD_INTERVAL,
) -> Decimal:
    """Epsilon at ``delta`` of all ``mechanisms`` together by privacy loss distributions.

    Rounded up to 1e-4. The larger of two figures: with continuous noise, and with the integer noise
    that counts really get. Valid when the parameters were fixed beforehand, as those of one study
    are. Below :data:`LEAST_PLD_DELTA`, and where the distributions have no finite figure, it is
    :func:`rdp_epsilon`, which is never smaller. Loads ``dp_accounting``, but for the releases of
    templates (:mod:`securefl.privacy.template_epsilons`).

    Args:
        mechanisms: what is released; none costs 0.
        delta: as a decimal.
        interval: discretisation of the privacy loss; coarser is faster and larger, never smaller
            than the truth.

    Raises:
        UsageError: delta out of range.
    """
    grouped = _grouped(mechanisms)
    if _delta(delta) < LEAST_PLD_DELTA:
        return rdp_epsilon(grouped, delta)
    known = TEMPLATE_EPSILONS.get((grouped, delta))
    if known is not None and interval == PLD_INTERVAL:
        return known
    return _computed_epsilon(grouped, delta, interval)


@lru_cache(maxsize=64, typed=True)
def _computed_epsilon(
    grouped: tuple[Mechanism, ...],
    delta: Decimal,
    interval: float,
) -> Decimal:
    """Work :func:`pld_epsilon` out."""
    whole = [_integer_sensitivity(m) for m in grouped]
    figures = [_pld(grouped, delta, interval, (None,) * len(grouped))]
    if any(whole):
        figures.append(_pld(grouped, delta, interval, tuple(whole)))
    largest = max(figures)
    if math.isfinite(largest):
        return _rounded_up(largest + _lacking(grouped))
    return rdp_epsilon(grouped, delta)


def _lacking(mechanisms: Iterable[Mechanism]) -> float:
    """What shared noise adds to an epsilon; nothing where each hospital adds all of it."""
    if any(m.shares > 1 for m in mechanisms):
        return SHARED
    return 0.0


def _integer_sensitivity(mechanism: Mechanism) -> int | None:
    """Return the sensitivity of each count where integer noise needs a figure of its own, else None.

    One patient changes one count by 1, or each of several.
    """
    if not isinstance(mechanism, Gaussian):
        return None
    on_each = float(mechanism.noise_multiplier) * math.sqrt(mechanism.cells)
    if on_each > _LARGEST_TABLE:
        return None
    return 1


@lru_cache(maxsize=256)
def _pld(
    mechanisms: tuple[Mechanism, ...],
    delta: Decimal,
    interval: float,
    whole: tuple[int | None, ...],
) -> float:
    """PLD epsilon with the noise of each mechanism as ``whole`` says: integer, or continuous (None).

    Cached: a page, a ledger and an audit ask for the same figures, and one takes seconds.
    """
    if not mechanisms:
        return 0.0
    from dp_accounting.pld import privacy_loss_distribution as pld

    parts = []
    for m, units in zip(mechanisms, whole, strict=True):
        noise = float(m.noise_multiplier)
        rate = float(m.sample_rate)
        drawn = m.count
        if units is None:
            one = pld.from_gaussian_mechanism(
                noise,
                sampling_prob=rate,
                value_discretization_interval=interval,
                pessimistic_estimate=True,
            )
        else:
            # counts in which one patient counts have their noise drawn one by one
            cells = m.cells if isinstance(m, Gaussian) else 1
            drawn *= cells
            one = pld.from_discrete_gaussian_mechanism(
                noise * math.sqrt(cells) * units,
                sensitivity=units,
                sampling_prob=rate,
                value_discretization_interval=interval,
                pessimistic_estimate=True,
                use_connect_dots=True,
            )
        parts.append(one.self_compose(drawn))
    total = reduce(lambda a, b: a.compose(b), parts)
    return float(total.get_epsilon_for_delta(float(delta)))


def _divergence(mechanism: Mechanism, order: float) -> float:
    """Rényi divergence of one release at any order above 1, by the trapezoidal rule in logarithms.

    ``A = E[(1 - q + q exp((2x - 1) / 2 sigma^2))^order]`` for x normal with deviation sigma. The
    integrand is analytic and falls off like a Gaussian, so equal steps converge geometrically; at
    sigma >= 0.3 and this step the error is below float64's.
    """
    # The integrand lies between normal densities centred at 0 and at `order`; 14 deviations beyond
    # either centre, e^-98 of a density is left.
    noise = float(mechanism.noise_multiplier)
    rate = float(mechanism.sample_rate)
    if rate >= 1:
        return order / (2 * noise**2)
    step = min(noise / 32, noise**2 / 4)
    x = np.arange(-14 * noise, order + 14 * noise, step)
    mixture = np.logaddexp(math.log1p(-rate), math.log(rate) + (2 * x - 1) / (2 * noise**2))
    terms = order * mixture - x**2 / (2 * noise**2)
    largest = terms.max()
    log_a = largest + math.log(
        np.exp(terms - largest).sum() * step / (noise * math.sqrt(2 * math.pi))
    )
    return max(0.0, float(log_a)) / (order - 1)


def rdp_epsilon(mechanisms: Sequence[Mechanism], delta: Decimal) -> Decimal:
    """Epsilon at ``delta`` of all ``mechanisms`` together by Rényi accounting at the best order.

    Rounded up to 1e-4. Orders from 1.1 to 10.9 by tenths, then whole ones up to 256. They are our
    own because dp-accounting 0.6.0 sums the absolute values of alternating terms at fractional
    orders: 12.41 where 12.36 is right. The ledger's figure at its own order is
    :func:`epsilon_of_rdp`.

    Raises:
        UsageError: delta out of range.
    """
    grouped = _grouped(mechanisms)
    checked = _delta(delta)
    if not grouped:
        return Decimal(0)
    return _renyi_epsilon(grouped, checked)


@lru_cache(maxsize=256, typed=True)
def _renyi_epsilon(grouped: tuple[Mechanism, ...], delta: Decimal) -> Decimal:
    """Work :func:`rdp_epsilon` out.

    Cached: each reading of a study asks for the figure that its file names.
    """
    # The logarithm is taken of the decimal: the float of a delta below 1e-308 is 0.
    log_delta = float(delta.ln())
    best = math.inf
    if all(m.noise_multiplier >= _LEAST_SMOOTH_NOISE for m in grouped):
        orders = (*_TENTHS, *_WHOLE)
        divergence = _divergence
    else:
        # With so little noise the trapezoidal rule's error is not bounded; whole orders have a sum.
        orders = _WHOLE
        divergence = _exact_divergence
    for order in orders:
        total = sum(m.count * divergence(m, order) for m in grouped)
        # Canonne, Kamath, Steinke 2020, proposition 12: from a divergence to an epsilon.
        implied = total + math.log1p(-1 / order) - (log_delta + math.log(order)) / (order - 1)
        best = min(best, implied)
    return max(Decimal(0), _rounded_up(best + _lacking(grouped)))


def _exact_divergence(mechanism: Mechanism, order: float) -> float:
    """Rényi divergence of one release at a whole order, by the ledger's own sum."""
    return float(_step_divergence(mechanism.noise_multiplier, mechanism.sample_rate, int(order)))


def epsilon_method(delta: Decimal) -> str:
    """Return the words in a reservation for how :func:`pld_epsilon` works at this delta."""
    if delta < LEAST_PLD_DELTA:
        return FAINT_METHOD
    return PLD_METHOD


def gated_epsilon(mechanisms: Sequence[Mechanism], delta: Decimal) -> Decimal:
    """:func:`pld_epsilon` of somebody else's study, with a quick figure first.

    The quick figure keeps a request with next to no noise from taking the machine.

    Raises:
        UsageError: the quick figure is above :data:`MOST_EPSILON`, or as :func:`pld_epsilon`.
    """
    quick = rdp_epsilon(mechanisms, delta)
    if quick > MOST_EPSILON:
        raise UsageError(
            f"The noise gives an epsilon of about {quick:.0f} at delta {delta}; nothing above"
            f" {MOST_EPSILON} is worked out.",
            next_step="Use more noise, fewer steps or a smaller sampling rate.",
        )
    return pld_epsilon(mechanisms, delta)


class PldAccountant:
    """Figures that a study file is checked against, exact as :func:`pld_epsilon` gives them."""

    def training_epsilon(
        self,
        noise_multiplier: Decimal,
        sample_rate: Fraction,
        steps: int,
        delta: Decimal,
    ) -> Decimal:
        """PLD epsilon of ``steps`` Poisson-subsampled Gaussian releases."""
        return gated_epsilon((SubsampledGaussian(noise_multiplier, sample_rate, steps),), delta)

    def evaluation_epsilon(
        self,
        noise_multiplier: Decimal,
        delta: Decimal,
        cells: int = 1,
    ) -> Decimal:
        """PLD epsilon of one release with integer Gaussian noise, of counts in so many of which a
        patient counts.
        """
        return gated_epsilon((Gaussian(noise_multiplier, cells=cells),), delta)

    def composed_epsilon(self, mechanisms: Sequence[Mechanism], delta: Decimal) -> Decimal:
        """PLD epsilon of several releases about the same patients."""
        return gated_epsilon(mechanisms, delta)
