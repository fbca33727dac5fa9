"""Course of a training, whether it still moves its model: opened updates beside what noise alone would be.

Charged sums alone are read, so it costs no privacy. For the last ``w`` updates of ``d`` numbers each,
under noise of standard deviation ``s``, the sum of squares over ``s`` squared follows the chi-squared
distribution with ``w * d`` degrees of freedom where there is nothing but noise, and has that mean
plus the signal's own squares otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from securefl.learning.update_lengths import noise_in_update
from securefl.study.wire import sum_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.study.schema import Template
    from securefl.types import IntArray

#: Updates that are looked at together.
WINDOW: Final = 8
#: Standard deviations of the chi-squared sum: noise alone is above this in 1 of 740 windows.
_ABOVE: Final = 3.0
#: A signal that grew to so many times the least one before it goes apart.
_APART: Final = 4.0


class Course(StrEnum):
    """Course of a training, in a word."""

    EARLY = "early"
    MOVING = "moving"
    SETTLED = "settled"
    DIVERGING = "diverging"


@dataclass(frozen=True)
class Settling:
    """Course of a training after its newest round.

    Attributes:
        course: of the training.
        rounds: training rounds that were opened.
        signal: root of the mean square of the last window's updates beyond noise, in standard
            deviations of the noise on one number; 0 where they are no longer than noise.
    """

    course: Course
    rounds: int
    signal: float


@dataclass(frozen=True)
class _Window:
    """Some updates together: squares in units of the noise, and how many numbers."""

    squares: float
    numbers: int

    @property
    def beyond(self) -> float:
        """Mean square beyond noise, in squared standard deviations of the noise; may be below 0."""
        return self.squares / self.numbers - 1.0

    @property
    def margin(self) -> float:
        """How far noise alone takes :attr:`beyond`."""
        return _ABOVE * math.sqrt(2.0 / self.numbers)


def settling(study: Template, totals: Sequence[tuple[IntArray, int]]) -> Settling:
    """Judge a training by its opened sums.

    Args:
        study: one that trains.
        totals: opened sums of its training rounds so far, int64[d] each, and their contributors.
    """
    count = len(totals)
    if count < WINDOW:
        return Settling(Course.EARLY, count, 0.0)
    unit = sum_unit(study)
    squares = []
    for total, contributors in totals:
        noise = noise_in_update(study, contributors)
        squares.append(float(np.sum(np.square(total / (unit * noise)))))
    numbers = totals[0][0].size * WINDOW
    windows = [
        _Window(math.fsum(squares[start : start + WINDOW]), numbers)
        for start in range(count - WINDOW + 1)
    ]
    last = windows[-1]
    signal = math.sqrt(max(last.beyond, 0.0))
    return Settling(_course(windows), count, signal)


def _course(windows: Sequence[_Window]) -> Course:
    last = windows[-1]
    if last.beyond <= last.margin:
        return Course.SETTLED
    # what may have been there before, noise taken at its worst for the claim
    before = min(max(window.beyond, 0.0) + window.margin for window in windows)
    if last.beyond - last.margin > _APART**2 * before:
        return Course.DIVERGING
    return Course.MOVING
