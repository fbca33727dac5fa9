"""Scale of a number: its public range laid onto -1 to 1, evenly or evenly in the logarithm.

Everything is learnt and summed on that scale and said in the number's own unit. On a logarithmic
scale a distance is a ratio, so a mean distance is said as a factor: the geometric mean of how many
times too large or too small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from decimal import Decimal

    from securefl.learning.portable.program import Value
    from securefl.types import FloatArray


@dataclass(frozen=True)
class Scale:
    """A public range.

    Attributes:
        low: its lower end, in the unit.
        high: its upper end.
        unit: of the number; "" where it has none.
        logarithmic: whether steps are even in the logarithm.
    """

    low: float
    high: float
    unit: str = ""
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """The place of a value of the range on the scale.

        >>> Scale(0, 200).place(150), Scale(1, 100, logarithmic=True).place(10)
        (0.5, 0.0)
        """
        left, right = self._ends
        return 2.0 * (self._turned(value) - left) / (right - left) - 1.0

    def places(self, values: FloatArray) -> FloatArray:
        """Places of values, float64[m]; m is a multiple of whole vectors, where the last bit counts
        (:mod:`securefl.learning.whole_vectors`).
        """
        left, right = self._ends
        turned = values
        if self.logarithmic:
            turned = np.log(np.clip(values, self.low, self.high))
        return 2.0 * (turned - left) / (right - left) - 1.0

    def values(self, places: FloatArray) -> FloatArray:
        """Values at places, float64[m], cut to the range; m as above."""
        left, right = self._ends
        turned = left + (np.clip(places, -1.0, 1.0) + 1.0) / 2.0 * (right - left)
        if self.logarithmic:
            turned = np.exp(turned)
        return np.clip(turned, self.low, self.high)

    def portable(self, places: Value) -> Value:
        """:meth:`values` in steps that other runtimes have."""
        left, right = self._ends
        turned = (places.clip(-1.0, 1.0) + 1.0) * ((right - left) / 2.0) + left
        if self.logarithmic:
            turned = turned.exp()
        return turned.clip(self.low, self.high)

    def value(self, place: float) -> float:
        """The value at one place."""
        return float(self.values(np.array([place]))[0])

    def distance(self, apart: float) -> float:
        """A distance on the scale in the unit; on a logarithmic scale as a factor.

        >>> Scale(0, 200).distance(0.1), Scale(1, math.e**2, logarithmic=True).distance(0)
        (10.0, 1.0)
        """
        left, right = self._ends
        turned = apart * (right - left) / 2.0
        if self.logarithmic:
            return math.exp(turned)
        return turned

    def apart(self, distance: Decimal) -> float:
        """The inverse of :meth:`distance`."""
        left, right = self._ends
        return 2.0 * self._spread(float(distance)) / (right - left)

    def words(self, value: float) -> str:
        """A value with its unit, three digits."""
        return f"{value:.3g} {self.unit}".strip()

    def distance_words(
        self,
        low: float,
        high: float,
    ) -> str:
        """Two distances of the scale as a range.

        >>> Scale(0, 200, "mmHg").distance_words(0.1, 0.2)
        '10 to 20 mmHg'
        >>> Scale(1, math.e**2, logarithmic=True).distance_words(0.1, 0.2)
        'a factor of 1.11 to 1.22'
        """
        first = self.distance(low)
        last = self.distance(high)
        if self.logarithmic:
            return f"a factor of {first:.3g} to {last:.3g}"
        return f"{first:.3g} to {last:.3g} {self.unit}".strip()

    @property
    def _ends(self) -> tuple[float, float]:
        return self._turned(self.low), self._turned(self.high)

    def _turned(self, value: float) -> float:
        if self.logarithmic:
            return math.log(value)
        return value

    def _spread(self, distance: float) -> float:
        if self.logarithmic:
            return math.log(distance)
        return distance
