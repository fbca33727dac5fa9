"""``securefl selftest privacy``: the product's own clip, grid, sum, noise, rounding and normalise
path, tried on canaries.

A canary is a synthetic patient whose gradient is as harmful as can be: ten clip norms long, along
an axis of its own. Canaries on different axes do not meet, and the noise on each axis is drawn
independently, so one step on some of them is one trial for each. Four looks are taken at what
leaves:

- *canary*: the normalised update along the canary's axis, with and without it, when everybody is
  drawn;
- *sampling*: the same after a round of steps that each draw a few of the patients, which is claimed
  to hide more;
- *histogram*: the evaluation's count in which one more held-out patient falls;
- *size*: the length of a whole update from 96 rows and from 97, which tells normalisers and
  sampling rates taken from the number of rows (pytorch/opacus issues 571 and 819).

These run in this process. The worker itself, as a process of its own, is asked beside them
(:mod:`securefl.node.worker_trial`), and a fault in its answers fails all.

A lower bound above the look's claim convicts: FAIL. Trials never prove that a mechanism is right,
so PASS needs power as well: each look could have shown more than its claim, and the broken
mechanisms of :mod:`securefl.learning.selftest_controls` were all convicted by the same trials.
Otherwise the answer is INCONCLUSIVE.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from securefl.errors import UsageError
from securefl.learning.counts import release_counts
from securefl.learning.steps import Draws, PrivateSteps, RandomDraws, StepRule
from securefl.learning.strategies.fedavg import FedAvg
from securefl.learning.strategies.strategy import ServerState
from securefl.learning.tasks.binary.evaluation import score_histogram
from securefl.privacy.accounting import pld_epsilon
from securefl.privacy.empirical import epsilon_lower_bound, fitted_mu, max_detectable
from securefl.privacy.mechanisms import Gaussian, SubsampledGaussian
from securefl.privacy.randomness import SystemRandomness
from securefl.study.binary_evaluation import AucSection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from securefl.privacy.randomness import RandomBytes
    from securefl.privacy.worker_answers import WorkerFinding
    from securefl.types import FloatArray

Verdict: TypeAlias = Literal["PASS", "FAIL", "INCONCLUSIVE"]
#: Told after each stretch of trials: how many of how many.
Watch: TypeAlias = Callable[[int, int], None]

NOISE = Decimal(2)
DELTA = Decimal("1e-5")
TRIALS = 100_000
LEAST_TRIALS = 200
#: The chance that any bound of one mechanism is wrong; each of the four looks gets its part.
ALPHA = 0.05
#: A fit is off by more than this many standard errors once in 30,000 runs.
_SURE = 4.0
_AXES = 256
_LENGTH = 10.0
_SMALL = 96
_LARGE = 97
#: Canaries are cheap, whole updates are not: a tenth as many are looked at, and never more than
#: this many of each size.
_PART, _MOST_UPDATES = 10, 600

RULE = StepRule(
    clip_norm=1.0,
    noise_multiplier=NOISE,
    wire_step=1 << 10,
    wire_largest=(1 << 15) - 1,
    sample_rate=Fraction(1),
    local_steps=1,
    strategy=FedAvg(Decimal(1), Decimal(1), Decimal(0)),
    share=32.0,
)
#: A round whose claim rests on sampling: if everybody were drawn, epsilon would be 24, and with one
#: batch for all of its steps 18.
SAMPLED = replace(RULE, noise_multiplier=Decimal(1), sample_rate=Fraction(1, 20), local_steps=16)
EVALUATION = AucSection(
    kind="selftest",
    metric="auc",
    edges=tuple(Decimal(i) / (_AXES // 2) for i in range(1, _AXES // 2)),
    noise_multiplier=NOISE,
    epsilon=Decimal(3),
    bound=1 << 20,
)


@dataclass(frozen=True)
class ReleasePath:
    """What is tried: the product's path, its parts passed in. The defaults are the product;
    controls pass broken ones.

    Attributes:
        draws: sampling and noise.
        rule: the step's constants, which may not depend on the number of rows it is handed (that is
            what a control does).
    """

    draws: Draws
    rule: Callable[[int, StepRule], StepRule] = lambda _rows, rule: rule

    def steps(self, gradients: FloatArray, rule: StepRule) -> PrivateSteps:
        """The product's noised steps on rows that are their own gradients, float64[n, p]."""
        return PrivateSteps(
            self.rule(len(gradients), rule),
            lambda _theta, x, _y: x,
            gradients,
            np.zeros(len(gradients), dtype=np.int8),
            self.draws,
        )

    def update(self, steps: PrivateSteps, rows: int, rule: StepRule) -> FloatArray:
        """One release as the coordinator applies it, normalised: float64[p]."""
        used = self.rule(rows, rule)
        zero = np.zeros(_AXES)
        unit = used.grid / used.wire_step / used.clip_norm * used.share
        return -used.strategy.absorb(ServerState(zero, zero), steps.update(zero), unit).theta

    def histogram(self, bins: NDArray[np.int64]) -> FloatArray:
        """The evaluation's release for held-out patients in these bins: float64[2 · bins]."""
        half = EVALUATION.bins
        counts = score_histogram((bins % half + 0.5) / half, bins // half, EVALUATION.edges)
        return release_counts(counts, EVALUATION, self.draws).astype(np.float64)


@dataclass(frozen=True)
class Finding:
    """What the trials say about one mechanism: a verdict, each look's lower bound, and the canary's
    fit (None without noise).
    """

    verdict: Verdict
    bounds: Mapping[str, float]
    mu_fit: float | None

    @property
    def lower_bound(self) -> float:
        """The largest of the bounds."""
        return max(self.bounds.values())


@dataclass(frozen=True)
class SelfTest:
    """The outcome; :meth:`to_json` gives exactly the keys that others rely on.

    ``claimed_epsilon`` and ``claimed_mu`` are those of one step in which everybody is drawn;
    ``claims`` has each look's. ``worker``: what the real worker process answered, where it was
    asked.
    """

    verdict: Verdict
    claims: Mapping[str, float]
    claimed_mu: float
    finding: Finding
    max_detectable_epsilon: float
    controls: Mapping[str, Finding]
    trials: int
    worker: WorkerFinding | None = None

    @property
    def claimed_epsilon(self) -> float:
        """The claim for one step in which everybody is drawn."""
        return self.claims["canary"]

    def to_json(self) -> dict[str, Any]:
        """The outcome as plain JSON values."""
        return {
            "verdict": self.verdict,
            "claimed_epsilon": self.claimed_epsilon,
            "lower_bound": self.finding.lower_bound,
            "mu_fit": self.finding.mu_fit,
            "max_detectable_epsilon": self.max_detectable_epsilon,
            "controls": [
                {"name": name, "verdict": f.verdict, "lower_bound": f.lower_bound}
                for name, f in self.controls.items()
            ],
            "worker": (
                None
                if self.worker is None
                else {
                    "faults": list(self.worker.faults),
                    "deviation": self.worker.deviation,
                    "missed": list(self.worker.missed),
                }
            ),
        }

    def with_worker(self, worker: WorkerFinding) -> SelfTest:
        """The outcome with what the real worker answered: a fault there fails all, a control missed
        there lets nothing pass.
        """
        if worker.faults:
            return replace(self, worker=worker, verdict="FAIL")
        return replace(
            self,
            worker=worker,
            verdict="INCONCLUSIVE" if worker.missed and self.verdict == "PASS" else self.verdict,
        )


def product() -> ReleasePath:
    """The path of a real run: noise and sampling from the operating system."""
    return ReleasePath(RandomDraws(SystemRandomness()))


def run_selftest(
    tested: ReleasePath,
    controls: Mapping[str, ReleasePath],
    source: RandomBytes,
    *,
    trials: int = TRIALS,
    watch: Watch = lambda _done, _all: None,
) -> SelfTest:
    """Try a path and the controls beside it.

    Args:
        tested: :func:`product`, except in tests.
        controls: :func:`securefl.learning.selftest_controls.controls`; each must be convicted, or
            nothing passes.
        source: decides which canaries take part; never reaches the mechanism.
        trials: releases along a canary's axis, half with it; the other looks take as many, and at
            most a tenth.
        watch: for a progress bar.

    Raises:
        UsageError: fewer than 200 trials.
    """
    if trials < LEAST_TRIALS:
        raise UsageError(
            f"{trials} trials can show nothing.",
            next_step=f"Take {LEAST_TRIALS} or more; {TRIALS:,} is usual.",
        )
    each = trials // 2
    claimed = claims()
    power = {
        look: max_detectable(_trials(look, each), delta=float(DELTA), alpha=ALPHA / len(_LOOKS))
        for look in _LOOKS
    }
    able = all(power[look] > claimed[look] for look in _LOOKS)
    total = (1 + len(controls)) * len(_LOOKS)
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        watch(done, total)

    found = _try(tested, source, each, claimed, advance)
    convicted = {
        name: _try(path, source, each, claimed, advance) for name, path in controls.items()
    }
    enough = able and all(f.verdict == "FAIL" for f in convicted.values())
    verdict: Verdict = "INCONCLUSIVE"
    if found.verdict == "FAIL":
        verdict = "FAIL"
    elif enough:
        verdict = "PASS"
    if not able:
        for name, control in convicted.items():
            if control.verdict != "FAIL":
                convicted[name] = replace(control, verdict="INCONCLUSIVE")
    return SelfTest(
        verdict, claimed, float(1 / NOISE), found, min(power.values()), convicted, trials
    )


def claims() -> dict[str, float]:
    """What the accountant says that each look can find at most."""
    whole = float(pld_epsilon((Gaussian(NOISE),), DELTA))
    sampled = SubsampledGaussian(SAMPLED.noise_multiplier, SAMPLED.sample_rate, SAMPLED.local_steps)
    return {**dict.fromkeys(_LOOKS, whole), "sampling": float(pld_epsilon((sampled,), DELTA))}


def _farthest() -> dict[str, float]:
    """Number of standard deviations of the noise the mean moves at most, in the looks at single
    canaries.
    """
    steps = SAMPLED.local_steps
    rate = float(SAMPLED.sample_rate)
    noise = float(SAMPLED.noise_multiplier)
    return {
        "canary": 1 / float(NOISE),
        "histogram": 1 / float(NOISE),
        "sampling": steps**0.5 * rate / noise,
    }


def _try(
    path: ReleasePath,
    source: RandomBytes,
    each: int,
    claimed: Mapping[str, float],
    advance: Callable[[], None],
) -> Finding:
    scores = {}
    for name, look in _LOOKS.items():
        scores[name] = look(path, source, each)
        advance()
    bounds = {
        name: epsilon_lower_bound(*s, delta=float(DELTA), alpha=ALPHA / len(_LOOKS))
        for name, s in scores.items()
    }
    fits = {name: fitted_mu(*scores[name]) for name in _farthest()}
    too_far = any(
        fit is not None and fit[0] - _SURE * fit[1] > _farthest()[name]
        for name, fit in fits.items()
    )
    guilty = too_far or any(bounds[name] > claimed[name] for name in _LOOKS)
    return Finding(
        "FAIL" if guilty else "PASS", bounds, None if fits["canary"] is None else fits["canary"][0]
    )


def _trials(look: str, each: int) -> int:
    """Number of releases of each kind a look takes."""
    if look == "size":
        return _updates(each)
    return each


def _updates(each: int) -> int:
    """Number of whole updates of each size that are looked at."""
    return min(each // _PART, _MOST_UPDATES)


def _halves(source: RandomBytes) -> NDArray[np.bool_]:
    """bool[axes], fair coins: which canaries take part."""
    return np.unpackbits(np.frombuffer(source(_AXES // 8), dtype=np.uint8)).astype(bool)


def _gather(
    release: Callable[[NDArray[np.bool_]], FloatArray],
    source: RandomBytes,
    each: int,
) -> tuple[FloatArray, FloatArray]:
    """``each`` scores with and without: releases until there are enough, each with its own lot."""
    inside = np.zeros(0)
    outside = np.zeros(0)
    while min(len(inside), len(outside)) < each:
        with_it = _halves(source)
        scores = release(with_it)
        inside = np.append(inside, scores[with_it])
        outside = np.append(outside, scores[~with_it])
    return inside[:each], outside[:each]


def _look_at_canaries(
    path: ReleasePath,
    source: RandomBytes,
    each: int,
    rule: StepRule = RULE,
) -> tuple[FloatArray, FloatArray]:
    canaries = np.eye(_AXES) * _LENGTH

    def release(with_it: NDArray[np.bool_]) -> FloatArray:
        rows = canaries[with_it]
        return path.update(path.steps(rows, rule), len(rows), rule)

    return _gather(release, source, each)


def _look_at_sampling(
    path: ReleasePath, source: RandomBytes, each: int
) -> tuple[FloatArray, FloatArray]:
    return _look_at_canaries(path, source, each, SAMPLED)


def _look_at_histograms(
    path: ReleasePath, source: RandomBytes, each: int
) -> tuple[FloatArray, FloatArray]:
    others = np.repeat(np.arange(_AXES), 3)
    return _gather(
        lambda with_it: path.histogram(np.append(others, np.flatnonzero(with_it))), source, each
    )


def _look_at_sizes(
    path: ReleasePath, _source: RandomBytes, each: int
) -> tuple[FloatArray, FloatArray]:
    """The squared length of a normalised update from 97 rows and from 96."""
    rule = replace(RULE, sample_rate=Fraction(1, 3))
    rows = np.eye(_AXES)[:_LARGE] * _LENGTH
    lengths = []
    for n in (_LARGE, _SMALL):
        steps = path.steps(rows[:n], rule)
        lengths.append(
            np.array(
                [float((path.update(steps, n, rule) ** 2).sum()) for _ in range(_updates(each))]
            )
        )
    return lengths[0], lengths[1]


_LOOKS = {
    "canary": _look_at_canaries,
    "sampling": _look_at_sampling,
    "histogram": _look_at_histograms,
    "size": _look_at_sizes,
}
