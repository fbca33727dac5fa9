"""Stage ``statistics``: histograms of columns and cross tables, from one noised list of counts.

A patient counts in one number for each column and table asked for, so m of them move by 1 and the
L2 sensitivity is sqrt(m). Each hospital adds integer Gaussian noise of the multiplier times sqrt(m)
to every number, and only the sum over hospitals opens.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from securefl.learning.counts import row_counts
from securefl.learning.stages.list_stage import ListResult, ListStage
from securefl.learning.stages.release import Release, Words
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

    from securefl.learning.features import Prepared
    from securefl.learning.stages.stage import FigureRow
    from securefl.learning.statistics.blocks import Block
    from securefl.learning.statistics.estimates import BlockFigures
    from securefl.learning.tasks.told import Told
    from securefl.study.consistency import Accountant
    from securefl.study.counts import NoisedNumbers
    from securefl.study.schema import Study
    from securefl.study.stages import Finding
    from securefl.types import IntArray


@dataclass(frozen=True)
class StatisticsResult(ListResult):
    """The released list.

    Attributes:
        blocks: its parts.
        section: the stage's table of the study file.
    """

    blocks: tuple[Block, ...]
    section: StatisticsSection

    @cached_property
    def figures(self) -> tuple[BlockFigures, ...]:
        """What is read off it, for each column and cross table."""
        return estimates(self.blocks, self.total, self.variance(self.section.sigma))

    def record(self) -> dict[str, Any]:
        """See :class:`Result`."""
        return self.record_with([asdict(figures) for figures in self.figures])

    def tables(self, units: str) -> list[Told]:
        """See :class:`Result`."""
        return [told(figures, units) for figures in self.figures]

    def figure_rows(self) -> list[FigureRow]:
        """See :class:`Result`."""
        return [row for figures in self.figures for row in figure_rows(figures)]


class Statistics(ListStage[StatisticsResult]):
    """Counts of columns, before or without a model."""

    Section = StatisticsSection
    short = "statistics"
    listed = "statistics"
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
                length=self.length,
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
            yield from s.size_fault(self.length)
            yield from width_faults(s, self.shares, self.length)
        yield from claim_faults(
            s.epsilon,
            lambda: accountant.evaluation_epsilon(s.noise_multiplier, delta, s.cells),
            delta,
        )

    @property
    def numbers(self) -> NoisedNumbers:
        """See :class:`ListStage`."""
        return self.shares.numbers(self.section)

    def counted(self, study: Study, rows: Prepared) -> IntArray:
        """See :class:`ListStage`."""
        return row_counts(places(self.section, study.data, rows), self.length)

    def read(self, total: IntArray, contributors: int, noises: float) -> StatisticsResult:
        """See :class:`ListStage`."""
        return StatisticsResult(total, contributors, noises, self._blocks, self.section)

    @cached_property
    def _blocks(self) -> tuple[Block, ...]:
        return blocks_of(self.section, self.study.data)

    @property
    def length(self) -> int:
        """See :class:`ListStage`."""
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
