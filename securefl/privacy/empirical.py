"""Lower bounds on epsilon from trials, and the largest bound that so many trials could have given.

Somebody looks at a release and guesses whether one patient was in. An (epsilon, delta) release
leaves every guess with ``P(guess "in" | in) <= e^epsilon P(guess "in" | out) + delta``, and the
same with the two exchanged (Kairouz, Oh, Viswanath 2015). Counting right and wrong guesses
therefore bounds epsilon from below, with Clopper and Pearson's exact binomial limits (Jagielski,
Ullman, Oprea 2020, arXiv:2006.07709). It never bounds epsilon from above: trials can convict a
mechanism, not acquit it, so :func:`max_detectable` says beside each bound what the trials could
have shown at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from securefl.types import FloatArray


#: The share of the trials, from the first on, that chooses how to guess; the others are then
#: counted.
CHOOSING = 4
#: Shares of the scores beyond a threshold that is considered: from half of them to one in 2,000, at
#: either end.
_TAILS = 0.5 * 10.0 ** -np.linspace(0, 3, 31)


def clopper_pearson(successes: int, trials: int, alpha: float) -> tuple[float, float]:
    """Exact limits of a binomial probability, each wrong with probability at most ``alpha``.

    Clopper and Pearson 1934.

    >>> low, high = clopper_pearson(0, 4000, 0.025)
    >>> low, round(high * 4000, 2)
    (0.0, 3.69)
    """
    from scipy.special import betaincinv

    # At either end the Beta distribution has no such parameter; the limit is the end itself.
    low = 0.0
    high = 1.0
    if successes:
        low = float(betaincinv(successes, trials - successes + 1, alpha))
    if successes < trials:
        high = float(betaincinv(successes + 1, trials - successes, 1 - alpha))
    return low, high


def _epsilon(
    hits: int,
    false_alarms: int,
    trials: int,
    delta: float,
    alpha: float,
) -> float:
    """The least epsilon that explains so many hits and false alarms, of ``trials`` each."""
    low, _ = clopper_pearson(hits, trials, alpha / 2)
    _, high = clopper_pearson(false_alarms, trials, alpha / 2)
    if low <= delta:
        # Delta alone explains so few hits.
        return 0.0
    return max(0.0, math.log((low - delta) / high))


def max_detectable(trials: int, *, delta: float, alpha: float) -> float:
    """The largest bound that ``trials`` with and as many without the patient can give: all right.

    >>> round(max_detectable(4000, delta=1e-5, alpha=0.05), 2)
    6.7
    """
    counted = trials - trials // CHOOSING
    if not counted:
        return 0.0
    return _epsilon(counted, 0, counted, delta, alpha)


def epsilon_lower_bound(
    inside: FloatArray,
    outside: FloatArray,
    *,
    delta: float,
    alpha: float,
) -> float:
    """Bound epsilon from below, wrongly with probability at most ``alpha``.

    The guess compares a score with a threshold. Threshold and direction are chosen on the first
    quarter of the trials and counted on the rest, so that the choice cannot flatter the count.

    Args:
        inside: float64[n], scores of independent releases with the patient.
        outside: float64[n], without.
        delta: of the claim.
        alpha: probability of error.

    Raises:
        ValueError: the two differ in number, or hold a value that is not finite.
    """
    if (
        inside.shape != outside.shape
        or inside.ndim != 1
        or not (np.isfinite(inside).all() and np.isfinite(outside).all())
    ):
        raise ValueError("as many finite scores with as without the patient are needed")
    first = len(inside) // CHOOSING
    if not first:
        return 0.0
    choosing = inside[:first], outside[:first]
    # Between two scores: at a score itself, "above" and "not above" would both miss that trial.
    shares = np.concatenate([_TAILS, 1 - _TAILS])
    candidates = np.unique(np.quantile(np.concatenate(choosing), shares, method="midpoint"))
    guesses = [
        _Guess(float(t), above, swapped)
        for t in candidates
        for above in (True, False)
        for swapped in (True, False)
    ]
    best = max(guesses, key=lambda guess: guess.bound(*choosing, delta, alpha))
    return best.bound(inside[first:], outside[first:], delta, alpha)


@dataclass(frozen=True)
class _Guess:
    """Scores above the threshold (or not above it) count as "in", or with ``swapped`` as "out"."""

    threshold: float
    above: bool
    swapped: bool

    def bound(
        self,
        inside: FloatArray,
        outside: FloatArray,
        delta: float,
        alpha: float,
    ) -> float:
        hits = self._count(inside)
        false_alarms = self._count(outside)
        if self.swapped:
            # Guessing "out" bounds epsilon by the same inequality with the two worlds exchanged.
            hits, false_alarms = false_alarms, hits
        return _epsilon(hits, false_alarms, len(inside), delta, alpha)

    def _count(self, scores: FloatArray) -> int:
        """Count the scores on this guess's side of the threshold."""
        return int(((scores > self.threshold) == self.above).sum())


def fitted_mu(inside: FloatArray, outside: FloatArray) -> tuple[float, float] | None:
    """``(mu, standard error)`` of the Gaussian mechanism that fits (Dong, Roth, Su 2022).

    mu is 1 over the noise multiplier: the distance of the two means in standard deviations. None
    where the scores do not vary: there is no noise.
    """
    n = len(inside)
    if n < 2:
        return None
    spread = math.sqrt((float(inside.var(ddof=1)) + float(outside.var(ddof=1))) / 2)
    if spread == 0.0:
        return None
    mu = (float(inside.mean()) - float(outside.mean())) / spread
    # delta method: the means' own error, and that of the pooled standard deviation
    return mu, math.sqrt(2 / n + mu**2 / (4 * n))
