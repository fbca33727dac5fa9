"""Stage of a list of counts: each hospital counts, noises once, and the opened sum is the result.

Counts of those who train, statistics and survival curves have their own lists and their own words;
how a list is noised, summed and read again is the same for all.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np

from securefl.errors import RoundError
from securefl.learning.counts import release_counts
from securefl.learning.stages.stage import Result, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from securefl.learning.features import Prepared
    from securefl.learning.stages.release import Release
    from securefl.learning.stages.stage import Rows
    from securefl.learning.steps import Draws
    from securefl.study.counts import NoisedNumbers
    from securefl.study.schema import Study
    from securefl.types import FloatArray, IntArray


@dataclass(frozen=True)
class NoisedCounts:
    """Counts of one hospital on their way out; see :class:`securefl.learning.stages.stage.Local`.

    Attributes:
        numbers: the largest count, and the noise on each.
        counts: int64[n], exact: they leave only by :meth:`answer`.
        draws: randomness.
        clamped: none; counts are cut by what the study says beforehand.
    """

    numbers: NoisedNumbers
    counts: IntArray
    draws: Draws
    clamped: int = 0

    def answer(self, release: Release, public: FloatArray) -> IntArray:  # noqa: ARG002
        """Bounded and noised, int64[n]."""
        return release_counts(self.counts, self.numbers, self.draws)


@dataclass(frozen=True)
class ListResult(Result):
    """The released list.

    Attributes:
        total: int64[n], summed and noised.
        contributors: hospitals in it.
        noises: full noises that it carries.
    """

    total: IntArray
    contributors: int
    noises: float

    def variance(self, sigma: Decimal) -> float:
        """Variance of the noise on each number, where a full noise has this deviation."""
        return self.noises * float(sigma) ** 2

    def record_with(self, figures: object) -> dict[str, Any]:
        """The list as JSON values, with what was read off it."""
        return {
            "list": [int(v) for v in self.total],
            "contributors": self.contributors,
            "figures": figures,
        }


ResultT = TypeVar("ResultT", bound=ListResult)


class ListStage(Stage, Generic[ResultT]):
    """A stage whose one release is a list of counts. Its state is its result, or None before.

    Attributes:
        listed: what its sum is called where it has another length than is due.
    """

    listed: ClassVar[str]

    @property
    @abstractmethod
    def length(self) -> int:
        """How many numbers the list has."""

    @property
    @abstractmethod
    def numbers(self) -> NoisedNumbers:
        """The largest count, and the noise that a hospital adds to each."""

    @abstractmethod
    def counted(self, study: Study, rows: Prepared) -> IntArray:
        """Count one hospital's rows, one a unit of privacy: int64[n]."""

    @abstractmethod
    def read(self, total: IntArray, contributors: int, noises: float) -> ResultT:
        """Make the result of a list of the right length."""

    def start(self, earlier: Sequence[Result]) -> ResultT | None:  # noqa: ARG002
        """See :class:`Stage`."""
        return None

    def local(self, study: Study, site: str, rows: Rows, draws: Draws) -> NoisedCounts:  # noqa: ARG002
        """See :class:`Stage`."""
        units = rows.train.one_row_each(study.privacy.unit)
        return NoisedCounts(self.numbers, self.counted(study, units), draws)

    def absorb(self, state: ResultT | None, total: IntArray, contributors: int) -> ResultT:  # noqa: ARG002
        """See :class:`Stage`.

        Raises:
            RoundError: the sum has another length.
        """
        if total.shape != (self.length,):
            raise RoundError(
                f"the sum of {self.listed} has shape {list(total.shape)}; {self.length} values are"
                " due.",
                whose="the coordinator",
                next_step="Do not release this round; check the packing that the study names.",
            )
        noises = self.shares.in_sum(contributors)
        return self.read(total, contributors, noises)

    def result(self, state: ResultT) -> ResultT:
        """See :class:`Stage`."""
        return state

    def recalled(self, record: Mapping[str, Any]) -> ResultT:
        """See :class:`Stage`."""
        total = np.array(record["list"], dtype=np.int64)
        contributors = int(record["contributors"])
        return self.absorb(None, total, contributors)
