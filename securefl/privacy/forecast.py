"""Forecast of a study's cost and of its noise's effect, before anybody is asked.

Public figures in, public figures out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from securefl.errors import BudgetError, UsageError
from securefl.privacy.accounting import pld_epsilon
from securefl.privacy.mechanisms import SubsampledGaussian
from securefl.privacy.planning import choose_order, noise_for_epsilon, share

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from securefl.privacy.charges import Charge

#: Budgets that hospitals are often asked for; a study is told as a share of each.
USUAL_BUDGETS = (Decimal(1), Decimal(3), Decimal(8))
#: Discretisation for curves: at most 1e-3 above the study's own figure.
_CURVE_INTERVAL = 1e-3
_POINTS = 24


@dataclass(frozen=True)
class BudgetShare:
    """A study's share of a budget made for studies like it.

    ``part`` is None where that budget cannot pay for one such study.
    """

    epsilon: Decimal
    part: Decimal | None
    room: int


def budget_shares(
    charges: Sequence[Charge], attempts: int, delta: Decimal
) -> tuple[BudgetShare, ...]:
    """Share of each of :data:`USUAL_BUDGETS`, at the order that the owner would be offered."""
    found = []
    for epsilon in USUAL_BUDGETS:
        try:
            choice = choose_order(epsilon, delta, charges, attempts)
        except BudgetError:
            found.append(BudgetShare(epsilon, None, 0))
        else:
            found.append(BudgetShare(epsilon, share(choice.cost, choice.cap), choice.studies))
    return tuple(found)


@dataclass(frozen=True)
class Longer:
    """The same study with other rounds.

    Epsilon with the noise as it is, and the noise that keeps epsilon (None: none does).
    """

    rounds: int
    epsilon: Decimal
    noise_for_same: Decimal | None


@dataclass(frozen=True)
class Training:
    """Figures of a study that decide the cost of its training."""

    noise_multiplier: Decimal
    sample_rate: Fraction
    delta: Decimal
    epsilon: Decimal
    rounds: int
    local_steps: int
    attempts: int

    def epsilon_at(self, rounds: int) -> Decimal:
        """Epsilon of so many rounds, for a curve.

        Never below the exact figure, at most 1e-3 above.
        """
        steps = rounds * self.local_steps * self.attempts
        return pld_epsilon(
            (SubsampledGaussian(self.noise_multiplier, self.sample_rate, steps),),
            self.delta,
            interval=_CURVE_INTERVAL,
        )

    def longer(self) -> tuple[Longer, ...]:
        """Price half as many rounds, as many, twice and four times as many."""
        rows = []
        half = max(1, self.rounds // 2)
        for rounds in sorted({half, self.rounds, 2 * self.rounds, 4 * self.rounds}):
            steps = rounds * self.local_steps * self.attempts
            releases = SubsampledGaussian(self.noise_multiplier, self.sample_rate, steps)
            exact = pld_epsilon((releases,), self.delta)
            rows.append(Longer(rounds, exact, self._noise_for(rounds, steps)))
        return tuple(rows)

    def _noise_for(self, rounds: int, steps: int) -> Decimal | None:
        """Return the noise that keeps epsilon over so many rounds; None: none does."""
        if rounds == self.rounds:
            return self.noise_multiplier
        try:
            return noise_for_epsilon(self.epsilon, self.delta, self.sample_rate, steps)
        except UsageError:
            return None

    def curve(self) -> tuple[tuple[int, Decimal], ...]:
        """(rounds, epsilon) from 1 round to four times as many as planned."""
        most = 4 * self.rounds
        rounds = {max(1, round(most * i / _POINTS)) for i in range(1, _POINTS + 1)}
        # Both ends of the story stand on the curve exactly: one round, and the study as planned.
        rounds |= {1, self.rounds}
        return tuple((n, self.epsilon_at(n)) for n in sorted(rounds))


@dataclass(frozen=True)
class NoiseEffect:
    """The noise of a round against the longest update that it can hide.

    Lengths are L2, in mean gradients of clip norm 1: the longest update of a round is
    ``local_steps`` of them, reached only if as many patients as the normaliser says were drawn and
    all their clipped gradients pointed the same way.

    Attributes:
        in_one_direction: standard deviation of a round's summed noise along any one direction, over
            the longest update.
        in_all: expected length of the whole noise vector, over the longest update.
        after_all_rounds: the same as ``in_all`` for the mean of all rounds.
    """

    in_one_direction: float
    in_all: float
    after_all_rounds: float


def noise_effect(
    *,
    noise_multiplier: Decimal,
    normaliser: Decimal,
    noises: float,
    parameters: int,
    local_steps: int,
    rounds: int,
) -> NoiseEffect:
    """Size of the noise that the model gets to see.

    A sum carries as many full ``noises`` as hospitals add, or fewer where they share it; variances
    add up.

    >>> effect = noise_effect(
    ...     noise_multiplier=Decimal(5), normaliser=Decimal(500), noises=4, parameters=100, local_steps=1, rounds=25)
    >>> effect.in_one_direction, effect.in_all, effect.after_all_rounds
    (0.02, 0.2, 0.04)
    """
    # Each hospital sums local_steps independent draws, so the noise grows with their root; the
    # longest update is local_steps mean gradients. The ratio falls with the root.
    summed = float(noise_multiplier) * math.sqrt(noises)
    one = summed / float(normaliser) / math.sqrt(local_steps)
    # Independent in each of the parameters: lengths add as squares.
    whole = one * math.sqrt(parameters)
    return NoiseEffect(one, whole, whole / math.sqrt(rounds))
