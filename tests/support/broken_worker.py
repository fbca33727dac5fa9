"""The real worker with broken draws, for tests alone: started in the place of the interpreter, as
`stand_in` writes it.

One process serves all mutants in turn: every second preparation takes the next one, as
`ask_workers` prepares twice.
"""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np

from securefl.learning import steps
from securefl.privacy.randomness import ChaChaStream

Sound = steps.RandomDraws
_KEPT = {}


class ConstantBetweenExecutions(Sound):
    """Starts from the same key whenever a study is prepared."""

    def __init__(self, _source):
        super().__init__(ChaChaStream(b"k" * 32))


class DrawnOnceAndReused(Sound):
    """Keeps the first noise of each size for ever, over executions too."""

    def gaussian(self, sigma, count):
        return _KEPT.setdefault((sigma, count), super().gaussian(sigma, count))


class ReusedInARound(Sound):
    """Draws once for the four steps of a round."""

    calls, last = 0, None

    def gaussian(self, sigma, count):
        if self.last is None or self.last.size != count or self.calls % 4 == 0:
            self.last = super().gaussian(sigma, count)
        self.calls += 1
        return self.last


class HalfNoise(Sound):
    def gaussian(self, sigma, count):
        return super().gaussian(sigma / 2, count)


class NoNoise(Sound):
    def gaussian(self, _sigma, count):
        return np.zeros(count, dtype=np.int64)


class UniformNoise(Sound):
    """The right deviation and the wrong shape: fresh, but bounded."""

    def gaussian(self, sigma, count):
        bound = float(sigma) * 3**0.5
        return np.rint(np.random.default_rng().uniform(-bound, bound, count)).astype(np.int64)


class OneNumberForAll(Sound):
    def gaussian(self, sigma, count):
        return np.full(count, super().gaussian(sigma, 64)[0])


class Everybody(Sound):
    def poisson_sample(self, n, _rate):
        return np.ones(n, dtype=bool)


class TwiceTheRate(Sound):
    def poisson_sample(self, n, rate):
        return super().poisson_sample(n, min(Fraction(1), 2 * rate))


class OneBatchForEver(Sound):
    kept = None

    def poisson_sample(self, n, rate):
        if self.kept is None:
            self.kept = super().poisson_sample(n, rate)
        return self.kept


class OneBatchARound(Sound):
    calls, kept = 0, None

    def poisson_sample(self, n, rate):
        if self.calls % 4 == 0:
            self.kept = super().poisson_sample(n, rate)
        self.calls += 1
        return self.kept


class AllOrNobody(Sound):
    def poisson_sample(self, n, rate):
        return np.full(n, super().poisson_sample(1, rate)[0])


#: Each with a word that the finding must hold.
MUTANTS: dict[type, str] = {
    Sound: "",
    ConstantBetweenExecutions: "one other release",
    DrawnOnceAndReused: "other releases",
    ReusedInARound: "deviation",
    HalfNoise: "deviation",
    NoNoise: "deviation",
    UniformNoise: "tails",
    OneNumberForAll: "other values of a release",
    Everybody: "rate",
    TwiceTheRate: "rate",
    OneBatchForEver: "batches of other releases",
    OneBatchARound: "steps of a round",
    AllOrNobody: "other patients",
}


def stand_in(python: str, folder: str) -> str:
    """A script that takes the interpreter's place: ``-I -m securefl.node.worker IN OUT DATA`` are
    its arguments.
    """
    return (
        f"#!{python} -I\nimport sys\nsys.path.insert(0, {folder!r})\nsys.argv = [sys.argv[0],"
        " *sys.argv[4:]]\nfrom broken_worker import main\nmain()\n"
    )


def main() -> None:
    """Serve as the worker does, with the next mutant's draws after every second preparation."""
    turn = iter([mutant for mutant in MUTANTS for _ in range(2)])

    def next_mutant(source):
        return next(turn)(source)

    steps.RandomDraws = next_mutant
    from securefl.node import worker

    assert sys.argv[1:]
    worker.main()
