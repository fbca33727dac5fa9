"""Judgement of a worker's answers to the trial, beside answers that are broken on purpose."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from securefl.privacy.draw_checks import Draws, draw_faults, noise_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from securefl.privacy.float_draws import Floats
    from securefl.types import FloatArray


@dataclass(frozen=True)
class Answers:
    """A worker's answers, with what is known taken off and in promised standard deviations.

    Attributes:
        noise: float64[releases, parameters], of updates that are nothing but noise.
        histogram: float64[releases, 2 · bins], of the evaluation.
        count: float64[releases, 2], of the count before training.
        drawn: of updates that tell who was drawn.
    """

    noise: FloatArray
    histogram: FloatArray
    count: FloatArray
    drawn: Draws


@dataclass(frozen=True)
class WorkerFinding:
    """Finding on a worker's answers.

    Attributes:
        faults: the tests that convict, in words; none is a pass.
        deviation: of the updates' noise, 1 where it is as promised.
        missed: broken workers that the same tests would not have convicted; with one, a pass says
            nothing.
    """

    faults: tuple[str, ...]
    deviation: float
    missed: tuple[str, ...] = ()


def judge_answers(answers: Answers) -> WorkerFinding:
    """Try every test on a worker's answers."""
    kinds = (
        ("the update", answers.noise),
        ("the evaluation", answers.histogram),
        ("the count", answers.count),
    )
    faults = [
        f"noise of {kind}: {name}" for kind, releases in kinds for name in noise_faults(releases)
    ]
    faults += [f"choice of patients: {name}" for name in draw_faults(answers.drawn)]
    return WorkerFinding(tuple(faults), float(answers.noise.std()))


def judge_with_controls(answers: Answers, draws: Floats) -> WorkerFinding:
    """:func:`judge_answers`, with the broken workers that the same tests would have missed."""
    broken = broken_answers(answers, draws)
    missed = tuple(name for name, told in broken.items() if not judge_answers(told).faults)
    return replace(judge_answers(answers), missed=missed)


def broken_answers(like: Answers, draws: Floats) -> Mapping[str, Answers]:
    """Make answers of broken workers from normal numbers, as many as in ``like``.

    Each must be convicted.
    """
    sound = _sound(like, draws)
    drawn = sound.drawn
    shape = drawn.values.shape

    def noisy(batches: FloatArray) -> Answers:
        values = batches * -drawn.weight + draws.normal(0, math.sqrt(drawn.steps), shape)
        return replace(sound, drawn=replace(drawn, values=values))

    def with_noise(change: Callable[[FloatArray], FloatArray]) -> Answers:
        return replace(sound, noise=change(sound.noise))

    def in_rounds(size: tuple[int, int]) -> FloatArray:
        return drawn.steps * (draws.random(size) < drawn.rate).astype(np.float64)

    return {
        "the same noise every time": with_noise(_first_again),
        "noise that comes again later": with_noise(
            lambda noise: np.concatenate([noise[: len(noise) // 2]] * 2)
        ),
        "one draw of noise for all steps": with_noise(lambda noise: noise * math.sqrt(drawn.steps)),
        "half the noise": with_noise(lambda noise: noise / 2),
        "no noise": with_noise(np.zeros_like),
        "the same noise at every check": replace(sound, histogram=_first_again(sound.histogram)),
        "bounded noise at every check": replace(
            sound, histogram=math.sqrt(12) * (draws.random(sound.histogram.shape) - 0.5)
        ),
        "the same noise at every count": replace(sound, count=_first_again(sound.count)),
        "the same patients every time": noisy(
            np.repeat(in_rounds((1, shape[1])), shape[0], axis=0)
        ),
        "the same patients in all steps of a round": noisy(in_rounds(shape)),
    }


def _first_again(releases: FloatArray) -> FloatArray:
    """Repeat the first release in the place of all others."""
    return np.repeat(releases[:1], len(releases), axis=0)


def _sound(like: Answers, draws: Floats) -> Answers:
    """Make answers as a sound worker gives them."""
    drawn = like.drawn
    # Each step of a release brings noise of deviation 1.
    deviation = math.sqrt(drawn.steps)
    batches = draws.binomial(drawn.steps, drawn.rate, drawn.values.shape) * -drawn.weight
    values = batches + draws.normal(0, deviation, batches.shape)
    totals = batches.sum(axis=1) + draws.normal(0, deviation, len(batches))
    return Answers(
        noise=draws.normal(size=like.noise.shape),
        histogram=draws.normal(size=like.histogram.shape),
        count=draws.normal(size=like.count.shape),
        drawn=replace(drawn, values=values, totals=totals),
    )
