"""Stage ``statistics``: histograms of columns and cross tables, from one noised list of counts.

A patient counts in one number for each column and table asked for, so m of them move by 1 and the
L2 sensitivity is sqrt(m). Each hospital adds integer Gaussian noise of the multiplier times sqrt(m)
to every number, and only the sum over hospitals opens.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from securefl.errors import RoundError
from securefl.learning.counts import release_counts, row_counts
from securefl.learning.stages.release import Release, Words
from securefl.learning.stages.stage import Result, Rows, Stage
from securefl.learning.statistics.blocks import blocks_of, places
from securefl.learning.statistics.estimates import estimates
from securefl.learning.statistics.spreadsheet import figure_rows
from securefl.learning.statistics.words import told
from securefl.privacy.mechanisms import Gaussian, decimal_text
from securefl.study.claims import claim_faults, width_faults
from securefl.study.statistics import StatisticsSection
from securefl.study.wire import count_bits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    from securefl.learning.stages.stage import FigureRow
    from securefl.learning.statistics.blocks import Block
    from securefl.learning.statistics.estimates import BlockFigures
    from securefl.learning.steps import Draws
    from securefl.learning.tasks.told import Told
    from securefl.study.consistency import Accountant
    from securefl.study.counts import NoisedNumbers
    from securefl.study.schema import Study
    from securefl.study.stages import Finding
    from securefl.types import FloatArray, IntArray


@dataclass(frozen=True)
class StatisticsResult(Result):
    """The released list.

    Attributes:
        total: int64[n], summed and noised.
        contributors: hospitals in it.
        blocks: its parts.
        section: the stage's table of the study file.
        noises: full noises that it carries.
    """

    total: IntArray
    contributors: int
    blocks: tuple[Block, ...]
    section: StatisticsSection
    noises: float

    @cached_property
    def figures(self) -> tuple[BlockFigures, ...]:
        """What is read off it, for each column and cross table."""
        noise = self.noises * float(self.section.sigma) ** 2
        return estimates(self.blocks, self.total, noise)

    def record(self) -> dict[str, Any]:
        """See :class:`Result`."""
        return {
            "list": [int(v) for v in self.total],
            "contributors": self.contributors,
            "figures": [asdict(figures) for figures in self.figures],
        }

    def tables(self, units: str) -> list[Told]:
        """See :class:`Result`."""
        return [told(figures, units) for figures in self.figures]

    def figure_rows(self) -> list[FigureRow]:
        """See :class:`Result`."""
        return [row for figures in self.figures for row in figure_rows(figures)]


class Statistics(Stage):
    """Counts of columns, before or without a model."""

    Section = StatisticsSection
    short = "statistics"
    nouns: ClassVar[Mapping[str, tuple[str, str]]] = {
        "statistics": ("table of statistics", "tables of statistics")
    }
    section: StatisticsSection

    def releases(self) -> Sequence[Release]:
        """See :class:`Stage`."""
        s = self.section
        words = Words("statistics", self._leaves(), "to be counted", self._once(), "statistics")
        return (
            Release(
                kind="statistics",
                rounds=1,
                mechanism=Gaussian(
                    s.noise_multiplier,
                    shares=self.shares.count,
                    cells=s.cells,
                ),
                length=self._length,
                bound=s.bound,
                bits=count_bits(s),
                aside=False,
                words=words,
            ),
        )

    @property
    def epsilon(self) -> Decimal:
        """See :class:`Stage`."""
        return self.section.epsilon

    def figures(self) -> str:
        """See :class:`Stage`."""
        s = self.section
        return (
            f"statistics with noise {decimal_text(s.noise_multiplier)} for all"
            f" {s.cells} numbers of a patient together"
        )

    def faults(self, accountant: Accountant) -> Iterator[Finding]:
        """See :class:`Stage`."""
        s = self.section
        delta = self.study.privacy.delta
        wrong = list(s.faults(self.study.data))
        yield from wrong
        if not wrong:
            yield from s.size_fault(self._length)
            yield from width_faults(s, self.shares, self._length)
        yield from claim_faults(
            s.epsilon,
            lambda: accountant.evaluation_epsilon(s.noise_multiplier, delta, s.cells),
            delta,
        )

    def start(self, earlier: Sequence[Result]) -> StatisticsResult | None:  # noqa: ARG002
        """See :class:`Stage`."""
        return None

    def local(self, study: Study, site: str, rows: Rows, draws: Draws) -> _Local:  # noqa: ARG002
        """See :class:`Stage`."""
        units = rows.train.one_row_each(study.privacy.unit)
        counts = row_counts(places(self.section, study.data, units), self._length)
        return _Local(self.shares.numbers(self.section), counts, draws)

    def absorb(
        self,
        state: StatisticsResult | None,  # noqa: ARG002
        total: IntArray,
        contributors: int,
    ) -> StatisticsResult:
        """See :class:`Stage`.

        Raises:
            RoundError: the sum has another length.
        """
        if total.shape != (self._length,):
            raise RoundError(
                f"the sum of statistics has shape {list(total.shape)}; {self._length} values are"
                " due.",
                whose="the coordinator",
                next_step="Do not release this round; check the packing that the study names.",
            )
        noises = self.shares.in_sum(contributors)
        return StatisticsResult(total, contributors, self._blocks, self.section, noises)

    def result(self, state: StatisticsResult) -> StatisticsResult:
        """See :class:`Stage`."""
        return state

    def recalled(self, record: Mapping[str, Any]) -> StatisticsResult:
        """See :class:`Stage`."""
        total = np.array(record["list"], dtype=np.int64)
        return self.absorb(None, total, int(record["contributors"]))

    @cached_property
    def _blocks(self) -> tuple[Block, ...]:
        return blocks_of(self.section, self.study.data)

    @property
    def _length(self) -> int:
        return sum(block.size for block in self._blocks)

    def _leaves(self) -> str:
        s = self.section
        units = "patients" if self.study.privacy.unit == "patient" else "rows"
        split = ""
        if s.by is not None:
            split = f", each split by {s.by}"
        if s.by_outcome:
            split = ", each split by what is to be predicted"
        tables = ""
        if s.tables:
            tables = f"; and of {'; '.join(' with '.join(pair) for pair in s.tables)}"
        return (
            f"how many {units} fall into each band or level of {', '.join(s.columns)}"
            f"{split}{tables}; one of them counts in {s.cells} of the numbers"
        )


@dataclass(frozen=True)
class _Local:
    numbers: NoisedNumbers
    counts: IntArray
    draws: Draws
    clamped: int = 0

    def answer(self, release: Release, public: FloatArray) -> IntArray:  # noqa: ARG002
        return release_counts(self.counts, self.numbers, self.draws)
