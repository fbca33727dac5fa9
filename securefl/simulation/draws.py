"""Randomness of a simulation: a real run's samplers on a stream that follows from a seed.

Noise that can be repeated hides nobody. It exists in this room alone, which no module of a real run
imports (an import contract).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from securefl.privacy.noise import IntegerGaussian, poisson_sample, stochastic_quotient
from securefl.privacy.randomness import ChaChaStream

if TYPE_CHECKING:
    from decimal import Decimal
    from fractions import Fraction

    from securefl.privacy.randomness import RandomBytes
    from securefl.types import BoolArray, IntArray


class Samplers:
    """Tables of integer Gaussians, one a sigma, shared by all virtual hospitals: a table takes
    longer to make than thousands of draws.
    """

    def __init__(self) -> None:
        self._tables: dict[Decimal, IntegerGaussian] = {}
        self._stream: RandomBytes = ChaChaStream(bytes(32))

    def draw(
        self,
        sigma: Decimal,
        count: int,
        stream: RandomBytes,
    ) -> IntArray:
        """Noise of standard deviation ``sigma`` grid units from ``stream``: int64[count]."""
        if sigma not in self._tables:
            self._tables[sigma] = IntegerGaussian(sigma, self._bytes)
        self._stream = stream
        return self._tables[sigma].draw(count)

    def _bytes(self, size: int, /) -> bytes:
        return self._stream(size)


class SeededDraws:
    """Draws of one virtual hospital: the same for the same key
    (:class:`securefl.learning.steps.Draws`).

    Args:
        key: 32 bytes, as :func:`key_of` makes them.
        samplers: shared tables.
    """

    def __init__(
        self,
        key: bytes,
        samplers: Samplers,
    ) -> None:
        self._stream = ChaChaStream(key)
        self._samplers = samplers

    def poisson_sample(
        self,
        n: int,
        rate: Fraction,
    ) -> BoolArray:
        """Each of ``n`` with probability ``rate``, independently: bool[n]."""
        return poisson_sample(n, rate, self._stream)

    def gaussian(
        self,
        sigma: Decimal,
        count: int,
    ) -> IntArray:
        """Integer Gaussian noise: int64[count]; raises ``StudyError`` below 2 grid units."""
        return self._samplers.draw(sigma, count, self._stream)

    def quotient(
        self,
        values: IntArray,
        step: int,
    ) -> IntArray:
        """Values in steps, rounded by lot."""
        return stochastic_quotient(values, step, self._stream)


def key_of(
    use: str,
    seed: int,
    repeat: int,
    site: str = "",
) -> bytes:
    """Derive the 32 bytes of one use in one repeat: "noise" or "split" of a site, "division"."""
    text = f"securefl/simulation/1/{use}/{seed}/{repeat}/{site}"
    return hashlib.sha256(text.encode()).digest()
