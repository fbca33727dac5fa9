"""Hospitals with losses whose gradients are known everywhere, on which the product's strategies run
without noise.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
from small_study import strategy_protocol

from securefl.learning.strategies import strategy_of
from securefl.learning.strategies.strategy import NoisedSum, OwnRound
from securefl.study.training import training_of

#: So fine that rounding to whole numbers is below any comparison here.
UNIT = float(1 << 40)


def strategy(name, **figures):
    """A strategy with its defaults, changed."""
    made = strategy_of(training_of(strategy_protocol(name)))
    return replace(made, **{key: Decimal(value) for key, value in figures.items()})


def whole(gradient):
    return np.rint(gradient * UNIT).astype(np.int64)


class Quadratics:
    """Hospitals with losses 1/2 (w - a)' H (w - a): every gradient is known."""

    def __init__(self, seed=1, hospitals=3, weights=4):
        generator = np.random.default_rng(seed)
        self.ends = generator.normal(size=(hospitals, weights))
        self.curves = generator.uniform(0.2, 1.0, (hospitals, weights))
        self.start = np.zeros(weights)

    def gradient(self, hospital, w):
        return self.curves[hospital] * (w - self.ends[hospital])

    def rounds(self, made, count, steps):
        """The product's strategy on them; with a list, each hospital takes its own steps."""
        state, before = made.start(self.start), [None] * len(self.ends)
        for _ in range(count):
            given = made.broadcast(state)
            total = np.zeros(made.sent_size(len(self.start)), dtype=np.int64)
            for hospital in range(len(self.ends)):
                own = steps if isinstance(steps, int) else steps[hospital]
                local, noised = made.weights(given), np.zeros(len(self.start), dtype=np.int64)
                for _ in range(own):
                    step = whole(self.gradient(hospital, local))
                    noised += step
                    local = made.local_step(local, step, UNIT, given, before[hospital])
                before[hospital] = OwnRound(given, noised, UNIT)
                total += made.contribution(NoisedSum(noised, UNIT, own, 0.0))
            state = made.absorb(state, total, UNIT * len(self.ends))
        return state.theta
