"""What releases cost: PLD for a study's own epsilon, Rényi cost at one integer order for the ledger's filter.

Two accountants, because two questions are asked. A study's parameters are fixed beforehand, so the tight privacy
loss distribution (Koskela et al. 2020, as computed pessimistically by dp-accounting) states its epsilon. Which
study comes next is chosen in the light of earlier results, so the ledger spends Rényi differential privacy at an
order fixed when the budget is granted; such a filter stays valid under adaptive choice (Feldman and Zrnic 2021),
a PLD filter does not.

Ledger amounts are integers, in units of 1e-9 of Rényi divergence ("nano"). They come from decimal arithmetic with
50 digits, so that every machine writes the same number; costs are rounded up, caps down. ``dp_accounting`` is
slow to import and is only loaded by the functions that say PLD or fractional orders.

Neighbours: add or remove one patient. Costs hold in both directions (Mironov, Talwar, Zhang 2019, theorem 5), and
for rounded and discrete Gaussian noise alike: rounding is post-processing, and the moments of the discrete
Gaussian under integer shifts are those of the continuous one (Canonne, Kamath, Steinke 2020).
"""

from __future__ import annotations

import math
from collections import Counter
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext
from functools import lru_cache, reduce
from typing import TYPE_CHECKING

from securefl.errors import UsageError
from securefl.privacy.mechanisms import Gaussian, Mechanism, SubsampledGaussian

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from fractions import Fraction

#: Ledger amounts per unit of Rényi divergence.
NANO = 10**9
#: Integer orders a grant may name. Order 2 serves epsilons near 20, order 256 epsilons near 0.05.
ORDERS = range(2, 257)
#: Written into every reservation, so that an auditor can repeat the computation.
RDP_METHOD = "rdp-integer-order/1 (Mironov, Talwar, Zhang 2019, decimal 50 digits, rounded up to 1e-9)"
PLD_METHOD = "pld dp-accounting 0.6.0, pessimistic, rounded up to 1e-4"
#: Discretisation of the privacy loss; the reference figures use the same.
PLD_INTERVAL = 1e-4

_CONTEXT = Context(prec=50)
_EPSILON_STEP = Decimal("0.0001")


def _order(order: int) -> int:
    if not isinstance(order, int) or order not in ORDERS:
        raise UsageError(
            f"A Rényi order is a whole number from {ORDERS[0]} to {ORDERS[-1]}, not {order!r}.",
            next_step="Let `choose_order` pick it.",
        )
    return order


def _delta(delta: Decimal) -> Decimal:
    if not isinstance(delta, Decimal) or not delta.is_finite() or not 0 < delta < 1:
        raise UsageError(
            f"Delta must be a decimal between 0 and 1, not {delta!r}.", next_step='Write it as a string such as "1e-5".'
        )
    return delta


@lru_cache(maxsize=4096)
def _step_divergence(noise_multiplier: Decimal, sample_rate: Fraction, order: int) -> Decimal:
    """Rényi divergence of one release at ``order`` (Mironov, Talwar, Zhang 2019, equation for integer orders).

    ``A = sum_k C(a,k) (1-q)^(a-k) q^k exp((k^2-k) / 2 sigma^2)`` is summed as ``A - 1`` with the binomial weights'
    own sum taken off: the terms k = 0 and 1 vanish, all others are positive, and nothing cancels when the
    divergence is tiny.
    """
    with localcontext(_CONTEXT):
        twice_variance = 2 * noise_multiplier * noise_multiplier
        rate = Decimal(sample_rate.numerator) / sample_rate.denominator
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
    step = _step_divergence(mechanism.noise_multiplier, mechanism.sample_rate, _order(order))
    with localcontext(_CONTEXT):
        # The 50-digit sum errs by less than 1e-40 of itself; the margin keeps that on the costly side.
        exact = step * mechanism.count * NANO * (1 + Decimal("1e-40"))
        return int(exact.to_integral_value(rounding=ROUND_CEILING))


def rdp_cap(epsilon: Decimal, delta: Decimal, order: int) -> int:
    """The Rényi divergence at ``order`` that still implies (epsilon, delta), in nano units, rounded down.

    Canonne, Kamath, Steinke 2020, proposition 12: ``cap = epsilon - log(1 - 1/a) + log(delta a) / (a - 1)``. Not
    above 0: no study fits at this order.

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
        return int((cap * NANO - Decimal("1e-20")).to_integral_value(rounding=ROUND_FLOOR))


def epsilon_of_rdp(cost: int, delta: Decimal, order: int) -> Decimal:
    """The epsilon that a cost of ``cost`` nano units at ``order`` implies: :func:`rdp_cap` turned round, rounded up."""
    with localcontext(_CONTEXT):
        a = Decimal(_order(order))
        epsilon = Decimal(cost) / NANO + (1 - 1 / a).ln() - (_delta(delta) * a).ln() / (a - 1)
        return max(Decimal(0), epsilon.quantize(_EPSILON_STEP, rounding=ROUND_CEILING))


def _grouped(mechanisms: Iterable[Mechanism]) -> tuple[Mechanism, ...]:
    """Equal releases counted together: composing a distribution with itself is one power, not n convolutions."""
    counts: Counter[tuple[Decimal, Fraction]] = Counter()
    for m in mechanisms:
        counts[m.noise_multiplier, m.sample_rate] += m.count
    return tuple(
        Gaussian(noise, count) if rate == 1 else SubsampledGaussian(noise, rate, count)
        for (noise, rate), count in sorted(counts.items())
    )


def _rounded_up(epsilon: float) -> Decimal:
    if not math.isfinite(epsilon):
        raise UsageError(
            "These releases have no finite epsilon at this delta.", next_step="Use more noise, fewer steps or a larger delta."
        )
    return Decimal(epsilon).quantize(_EPSILON_STEP, rounding=ROUND_CEILING)


def pld_epsilon(mechanisms: Sequence[Mechanism], delta: Decimal, *, interval: float = PLD_INTERVAL) -> Decimal:
    """Epsilon at ``delta`` of all ``mechanisms`` together by privacy loss distributions, rounded up to 1e-4.

    Valid when the parameters were fixed beforehand, as those of one study are. Loads ``dp_accounting``.

    Args:
        mechanisms: what is released; none costs 0.
        delta: as a decimal.
        interval: discretisation of the privacy loss; coarser is faster and larger, never smaller than the truth.

    Raises:
        UsageError: delta out of range, or no finite epsilon.
    """
    return _pld(_grouped(mechanisms), _delta(delta), interval)


@lru_cache(maxsize=256)
def _pld(mechanisms: tuple[Mechanism, ...], delta: Decimal, interval: float) -> Decimal:
    if not mechanisms:
        return Decimal(0)
    from dp_accounting.pld import privacy_loss_distribution

    parts = [
        privacy_loss_distribution.from_gaussian_mechanism(
            float(m.noise_multiplier),
            sampling_prob=float(m.sample_rate),
            value_discretization_interval=interval,
            pessimistic_estimate=True,
        ).self_compose(m.count)
        for m in mechanisms
    ]
    total = reduce(lambda a, b: a.compose(b), parts)
    return _rounded_up(float(total.get_epsilon_for_delta(float(delta))))


def rdp_epsilon(mechanisms: Sequence[Mechanism], delta: Decimal) -> Decimal:
    """Epsilon at ``delta`` of all ``mechanisms`` together by Rényi accounting at the best order, rounded up to 1e-4.

    Orders are dp-accounting's own, fractional ones included. Loads ``dp_accounting``; the ledger's figure at its
    own order is :func:`epsilon_of_rdp`.

    Raises:
        UsageError: delta out of range, or no finite epsilon.
    """
    grouped = _grouped(mechanisms)
    if not grouped:
        _delta(delta)
        return Decimal(0)
    import dp_accounting
    from dp_accounting.rdp import RdpAccountant

    accountant = RdpAccountant()
    for m in grouped:
        event = dp_accounting.PoissonSampledDpEvent(
            float(m.sample_rate), dp_accounting.GaussianDpEvent(float(m.noise_multiplier))
        )
        accountant.compose(event, m.count)
    return _rounded_up(float(accountant.get_epsilon(float(_delta(delta)))))


class PldAccountant:
    """The figures that a study file is checked against (floats, for comparison only)."""

    def training_epsilon(self, noise_multiplier: Decimal, sample_rate: Fraction, steps: int, delta: Decimal) -> float:
        """PLD epsilon of ``steps`` Poisson-subsampled Gaussian releases."""
        return float(pld_epsilon((SubsampledGaussian(noise_multiplier, sample_rate, steps),), delta))

    def evaluation_epsilon(self, noise_multiplier: Decimal, delta: Decimal) -> float:
        """PLD epsilon of one Gaussian release of sensitivity 1."""
        return float(pld_epsilon((Gaussian(noise_multiplier),), delta))
