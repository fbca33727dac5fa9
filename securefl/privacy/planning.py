"""Questions before anything is spent: which order, how much noise, does it fit, and what would fit
instead.

All answers err on the side of privacy: noise is rounded up, steps down. Amounts are nano units of
Rényi divergence at the grant's order (see :mod:`securefl.privacy.accounting`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from securefl.errors import BudgetError, UsageError
from securefl.privacy.accounting import (
    MOST_EPSILON,
    NANO,
    ORDERS,
    pld_epsilon,
    rdp_cap,
    rdp_cost,
    rdp_epsilon,
)
from securefl.privacy.charges import all_attempts, total_cost
from securefl.privacy.explain import percent
from securefl.privacy.mechanisms import Mechanism, SubsampledGaussian, alone

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from fractions import Fraction

    from securefl.privacy.charges import Charge

#: Noise multipliers are offered in steps of a hundredth, up to this many hundredths.
_MOST_HUNDREDTHS = 1_000_000
_HUNDREDTH = Decimal("0.01")
#: Epsilons are rounded up to this.
_LEAST_EPSILON = Decimal("0.0001")
#: Aims along a line before the rest is halved: beside releases that cost nearly all of epsilon, noise
#: changes it hardly.
_AIMS = 6
#: Half of this noise, in hundredths, still has a distribution of megabytes.
_AMPLE = 400


def share(part: int, whole: int) -> Decimal:
    """``part / whole`` to four places, rounded up: a share of the budget is never understated."""
    return (Decimal(part) / Decimal(whole)).quantize(Decimal("0.0001"), rounding=ROUND_CEILING)


def share_left(part: int, whole: int) -> Decimal:
    """``part / whole`` to four places, rounded down: what is left is never overstated."""
    return (Decimal(part) / Decimal(whole)).quantize(Decimal("0.0001"), rounding=ROUND_FLOOR)


@dataclass(frozen=True)
class OrderChoice:
    """A grant's order, with the figures behind the choice.

    ``cap`` and ``cost`` are nano units at ``order``.
    """

    order: int
    cap: int
    cost: int
    reason: str

    @property
    def studies(self) -> int:
        """Number of typical studies the grant pays for."""
        return self.cap // self.cost


def choose_order(
    epsilon: Decimal,
    delta: Decimal,
    typical: Sequence[Charge],
    attempts: int = 1,
) -> OrderChoice:
    """The integer order at which (epsilon, delta) pays for most studies like ``typical``.

    The order is public and fixed when the budget is granted. A badly chosen one is costly: epsilon
    1 at order 12 refuses a study that just fits at order 16.

    Raises:
        BudgetError: no order lets the grant pay for one such study; the text says how small an
            epsilon would.
        UsageError: nothing to charge, or figures out of range.
    """
    if not typical:
        raise UsageError(
            "A typical study must release something.", next_step="Name a study or template."
        )
    best: OrderChoice | None = None
    nearest = Decimal("Infinity")
    for order in ORDERS:
        cost = total_cost(typical, order, attempts)
        cap = rdp_cap(epsilon, delta, order)
        nearest = min(nearest, epsilon + Decimal(cost - cap) / NANO)
        if cap > 0 and (best is None or cap * best.cost > best.cap * cost):
            best = OrderChoice(order, cap, cost, "")
        if (
            cost > (epsilon + 1) * NANO
        ):  # a cap exceeds epsilon by less than 1, and costs only grow with the order
            break
    if best is None or best.studies < 1:
        needed = nearest.quantize(Decimal("0.01"), rounding=ROUND_CEILING)
        raise BudgetError(
            f"A budget of epsilon {epsilon} at delta {delta} cannot pay for one study like this, at"
            " any order.",
            whose="the data owner",
            next_step=(
                f"Grant at least epsilon {needed}, or name a typical study with more noise or fewer"
                " steps."
            ),
        )
    part = (share(best.cost, best.cap) * 100).quantize(Decimal("0.1"), rounding=ROUND_CEILING)
    reason = (
        f"At order {best.order} one typical study takes {part} % of the budget and {best.studies}"
        " fit; no other whole order lets the budget reach further."
    )
    return OrderChoice(best.order, best.cap, best.cost, reason)


def study_epsilon(
    charges: Sequence[Charge],
    attempts: int,
    delta: Decimal,
    *,
    disjoint: bool,
) -> Decimal:
    """A study's own epsilon at ``delta``: PLD over everything it may release in all attempts.

    Args:
        charges: every kind of release in one attempt.
        attempts: how often the study may try.
        delta: the study's delta.
        disjoint: patients who train and patients kept aside are others, split by a keyed hash of
            the patient alone; one patient then meets the evaluation or all the rest, and the larger
            counts (parallel composition, McSherry 2009). The ledger's filter charges the sum all
            the same, because the next study may split otherwise.
    """
    return max(
        pld_epsilon(all_attempts(group, attempts), delta) for group in _groups(charges, disjoint)
    )


def epsilon_if_masks_fail(
    charges: Sequence[Charge],
    attempts: int,
    delta: Decimal,
    *,
    disjoint: bool,
) -> Decimal | None:
    """A study's own epsilon at ``delta`` against whoever sees one hospital's numbers by themselves.

    Where hospitals share the noise, one share is in these. None where each adds all of it: then the
    figure is :func:`study_epsilon`. Arguments as there.
    """
    if all(c.mechanism.shares == 1 for c in charges):
        return None
    found = []
    for group in _groups(charges, disjoint):
        single = [alone(m) for m in all_attempts(group, attempts)]
        # a bound that is quick: above it the distributions would take gigabytes to say little
        quick = rdp_epsilon(single, delta)
        found.append(quick if quick > MOST_EPSILON else pld_epsilon(single, delta))
    return max(found)


def _groups(charges: Sequence[Charge], disjoint: bool) -> tuple[list[Charge], list[Charge]]:
    """Charges about patients kept aside, and all others; all in one where they are the same."""
    aside = [c for c in charges if disjoint and c.aside]
    return aside, [c for c in charges if c not in aside]


def _first(lowest: int, highest: int, holds: Callable[[int], bool]) -> int | None:
    """The least integer in ``lowest .. highest`` for which a monotone condition holds."""
    if not holds(highest):
        return None
    while lowest < highest:
        middle = (lowest + highest) // 2
        if holds(middle):
            highest = middle
        else:
            lowest = middle + 1
    return lowest


def noise_for_epsilon(
    epsilon: Decimal,
    delta: Decimal,
    sample_rate: Fraction,
    steps: int,
    others: Sequence[Mechanism] = (),
) -> Decimal:
    """The smallest noise multiplier, in hundredths, whose PLD epsilon (together with ``others``) is
    at most ``epsilon``.

    >>> from fractions import Fraction
    >>> noise_for_epsilon(Decimal(1), Decimal("1e-5"), Fraction(1, 5), 40)
    Decimal('4.98')

    Raises:
        UsageError: no noise multiplier up to 10,000 is enough, or figures out of range.
    """

    def epsilon_of(hundredths: int) -> Decimal:
        training = SubsampledGaussian(hundredths * _HUNDREDTH, sample_rate, steps)
        return pld_epsilon((training, *others), delta)

    def surely_enough(hundredths: int) -> bool:
        training = SubsampledGaussian(hundredths * _HUNDREDTH, sample_rate, steps)
        return rdp_epsilon((training, *others), delta) <= epsilon

    # Rényi accounting is quick and asks for a little more noise: it gives the upper end, so that
    # the slow distributions are only computed near the answer.
    upper = _first(1, _MOST_HUNDREDTHS, surely_enough) or _MOST_HUNDREDTHS
    reached = epsilon_of(upper)
    if reached > epsilon:
        raise UsageError(
            f"No noise brings {steps} steps at rate {sample_rate} to epsilon {epsilon} at delta"
            f" {delta}.",
            next_step="Take a larger epsilon, fewer steps or a smaller sampling rate.",
        )
    return _least_noise(upper, reached, epsilon, epsilon_of) * _HUNDREDTH


def _least_noise(
    upper: int,
    reached: Decimal,
    epsilon: Decimal,
    epsilon_of: Callable[[int], Decimal],
) -> int:
    """The least noise, in hundredths, of at most ``epsilon``; ``upper`` has ``reached``, which is.

    Epsilon falls as a power of the noise nearly enough that a line through two points in logarithms
    meets the answer within a hundredth or two: half the distributions that halving would compute.
    """
    lower = 0
    power = 1.0
    tries = 0
    at = upper
    found = reached
    while upper - lower > 1:
        excess = math.log(max(found, _LEAST_EPSILON) / epsilon)
        aimed = math.ceil(at * math.exp(excess / power))
        tries += 1
        # Far too little noise has a distribution of gigabytes: the last way down is in small steps.
        step = upper // 2 if upper > _AMPLE else upper // 8 + 1
        least = max(lower, upper - step)
        if tries > _AIMS:
            aimed = (least + upper) // 2
        tried = min(max(aimed, least + 1), upper - 1)
        before = (at, found)
        at = tried
        found = epsilon_of(tried)
        if found <= epsilon:
            upper = tried
        else:
            lower = tried
        power = _power(before, (at, found))
    return upper


def _power(one: tuple[int, Decimal], other: tuple[int, Decimal]) -> float:
    """Minus the slope of epsilon against noise in logarithms, within what such slopes are."""
    rise = math.log(max(one[1], _LEAST_EPSILON) / max(other[1], _LEAST_EPSILON))
    return min(max(rise / math.log(other[0] / one[0]), 0.5), 4.0)


def _has_steps(charge: Charge) -> bool:
    """True if a release is made of steps on patients drawn by lot, as a training is."""
    return isinstance(charge.mechanism, SubsampledGaussian)


def largest_steps(
    charges: Sequence[Charge],
    left: int,
    order: int,
    attempts: int = 1,
) -> int:
    """The most training steps that fit in ``left`` with everything else as it is; 0 when not one
    does.
    """

    def too_much(steps: int) -> bool:
        changed = [
            replace(c, mechanism=c.mechanism.with_count(steps)) if _has_steps(c) else c
            for c in charges
        ]
        return total_cost(changed, order, attempts) > left

    if not any(map(_has_steps, charges)):
        return 0
    most = max(c.mechanism.count for c in charges if _has_steps(c))
    first = _first(1, most, too_much)
    if first is None:
        return most
    return first - 1


def smallest_noise(
    charges: Sequence[Charge],
    left: int,
    order: int,
    attempts: int = 1,
) -> Decimal | None:
    """The least training noise multiplier (hundredths) that fits in ``left``, all else as it is;
    None when none does.
    """

    def fits(hundredths: int) -> bool:
        changed = [
            (
                replace(c, mechanism=c.mechanism.with_noise(hundredths * _HUNDREDTH))
                if _has_steps(c)
                else c
            )
            for c in charges
        ]
        return total_cost(changed, order, attempts) <= left

    if not any(map(_has_steps, charges)):
        return None
    found = _first(1, _MOST_HUNDREDTHS, fits)
    if found is None:
        return None
    return found * _HUNDREDTH


@dataclass(frozen=True)
class Quote:
    """What a study would take from a budget. ``asked``, ``used``, ``cap`` are nano units at
    ``order``.

    Shares are of the whole budget, 0 to 1: asked and used rounded up, left rounded down.
    """

    order: int
    cap: int
    used: int
    asked: int
    charges: tuple[Charge, ...]
    attempts: int

    @property
    def left(self) -> int:
        """What no study has taken yet, in nano units; never below 0."""
        return max(0, self.cap - self.used)

    @property
    def fits(self) -> bool:
        """True if the study can be reserved."""
        return self.asked <= self.cap - self.used

    @property
    def asked_share(self) -> Decimal:
        """The study's part of the whole budget; above 1 when it asks for more than all of it."""
        return share(self.asked, self.cap)

    @property
    def used_share(self) -> Decimal:
        """What earlier studies took."""
        return share(self.used, self.cap)

    @property
    def left_share(self) -> Decimal:
        """What is left before this study."""
        return share_left(self.left, self.cap)

    @property
    def room(self) -> int:
        """Number of studies like this one that still fit, this one included."""
        return self.left // self.asked

    @property
    def parts(self) -> tuple[tuple[Charge, int], ...]:
        """Each charge with its cost over all attempts."""
        return tuple((c, self.attempts * rdp_cost(c.mechanism, self.order)) for c in self.charges)

    @property
    def largest_steps(self) -> int:
        """The most training steps that would fit."""
        return largest_steps(self.charges, self.left, self.order, self.attempts)

    @property
    def smallest_noise(self) -> Decimal | None:
        """The least training noise that would fit, or None."""
        return smallest_noise(self.charges, self.left, self.order, self.attempts)


def quote(
    cap: int,
    used: int,
    order: int,
    charges: Sequence[Charge],
    attempts: int,
) -> Quote:
    """Price ``charges`` against a budget.

    Raises:
        UsageError: no charges, or attempts that are not a positive whole number.
    """
    if not charges or attempts < 1:
        raise UsageError(
            "A study must release something, in at least one attempt.",
            next_step="State its mechanisms.",
        )
    return Quote(
        order,
        cap,
        used,
        total_cost(charges, order, attempts),
        tuple(charges),
        attempts,
    )


def over_budget(price: Quote) -> BudgetError:
    """The refusal of a study that does not fit, with what was asked, what is left, and what would
    fit.
    """
    steps = price.largest_steps
    noise = price.smallest_noise
    fits = []
    if steps:
        fits.append(f"at most {steps} training steps")
    if noise is not None:
        fits.append(f"a noise multiplier of at least {noise}")
    return BudgetError(
        f"The study asks for {percent(price.asked_share)} of the budget;"
        f" {percent(price.left_share, rounding=ROUND_FLOOR)} is left.",
        next_step=(
            f"With all else as it is, {' or '.join(fits)} would fit."
            if fits
            else "No study of this kind fits in what is left."
        ),
    )
