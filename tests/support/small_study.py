"""Helpers of the learning tests: the small study, rows for it, and draws that a test fixes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from conftest import protocol_text

from securefl.learning.steps import StepRule
from securefl.report.rows import RowCount
from securefl.study.parse import parse_protocol

SPEC = parse_protocol(protocol_text()).data
#: A count before training: 18.54 costs 0.1739 at delta 1e-5.
COUNT = """[[stages]]
kind = "count"
noise_multiplier = "18.54"
epsilon = "0.174"
bound = 20000
minimum = 60

[[stages]]
kind = "train\""""
#: The edit that puts it into the small protocol.
COUNTED = ('[[stages]]\nkind = "train"', COUNT)
HEADER = "patient_id,age,TSH,sex,sick,target"


def protocol(*edits):
    """The small protocol, parsed, with edits."""
    return parse_protocol(protocol_text(*edits))


def strategy_protocol(strategy, *edits):
    """The small protocol with a strategy of the product and its default figures."""
    server = 'server_learning_rate = "4"\nserver_momentum = "0.8"\n'
    chosen = f'strategy = "{strategy}"'
    return protocol(('strategy = "fedavg"', chosen), (server, ""), *edits)


def csv(*lines: str) -> bytes:
    """The small study's table with these lines."""
    return ("\n".join([HEADER, *lines]) + "\n").encode()


def rule(**changes) -> StepRule:
    """The small study's rule for a hospital with weight 1/5, with changes."""
    return replace(StepRule.from_study(protocol(), Fraction(1, 5)), **changes)


class FixedDraws:
    """Everybody is drawn (or those in ``drawn``), and the noise is ``noise`` (0 by default).

    For tests only.
    """

    def __init__(self, drawn=None, noise=None):
        self.drawn, self.noise, self.sigmas = drawn, noise, []

    def poisson_sample(self, n, rate):
        return np.ones(n, dtype=bool) if self.drawn is None else np.asarray(self.drawn, dtype=bool)

    def gaussian(self, sigma, count):
        self.sigmas.append(sigma)
        return (
            np.zeros(count, dtype=np.int64)
            if self.noise is None
            else np.asarray(self.noise(count), dtype=np.int64)
        )

    def quotient(self, values, step):
        return values // step


def rows(n=200, features=4, seed=1):
    """X float32[n, features] in [-1, 1] and y int8[n] that depends on the first feature."""
    generator = np.random.default_rng(seed)
    x = generator.uniform(-1, 1, (n, features)).astype(np.float32)
    y = (x[:, 0] + generator.normal(0, 0.3, n) > 0.5).astype(np.int8)
    return x, y


def row_count(rows, usable, positive, set_aside, *more):
    """An owner's count of a table with a binary label."""
    outcomes = {"negative": usable - positive, "positive": positive}
    return RowCount(rows, usable, outcomes, f"{positive} positive", set_aside, *more)
