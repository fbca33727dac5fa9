"""Stage ``survival-curve``: Kaplan-Meier curves by group, from one noised list of counts.

A patient counts in one number of the list: its group, the interval of its event or of its last
observation, and whether the event came. So the L2 sensitivity is 1, however many groups and
intervals there are. What is read off the sum: :mod:`securefl.learning.survival`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from securefl.learning.counts import row_counts
from securefl.learning.stages.list_stage import ListResult, ListStage
from securefl.learning.stages.release import Release, Words
from securefl.learning.statistics.blocks import ALL, bin_names, bins_of
from securefl.learning.survival.figures import figures_of
from securefl.learning.survival.words import figure_rows, told
from securefl.privacy.mechanisms import Gaussian, decimal_text
from securefl.study.claims import claim_faults, width_faults
from securefl.study.statistics import column_of
from securefl.study.survival_curve import SurvivalCurveSection
from securefl.study.wire import count_bits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    from securefl.learning.features import Prepared
    from securefl.learning.stages.stage import FigureRow
    from securefl.learning.survival.figures import SurvivalFigures
    from securefl.learning.tasks.told import Told
    from securefl.study.consistency import Accountant
    from securefl.study.counts import NoisedNumbers
    from securefl.study.schema import Study
    from securefl.study.stages import Finding
    from securefl.study.survival_label import TimeToEventLabel
    from securefl.types import IntArray


@dataclass(frozen=True)
class SurvivalCurveResult(ListResult):
    """The released list.

    Attributes:
        groups: their names.
        section: the stage's table of the study file.
        label: the study's time to an event.
    """

    groups: tuple[str, ...]
    section: SurvivalCurveSection
    label: TimeToEventLabel

    @cached_property
    def figures(self) -> SurvivalFigures:
        """What is read off it."""
        edges = [float(edge) for edge in self.label.edges]
        return figures_of(
            self.total,
            self.groups,
            edges,
            self.variance(self.section.sigma),
        )

    def record(self) -> dict[str, Any]:
        """See :class:`Result`."""
        return self.record_with(asdict(self.figures))

    def tables(
        self,
        units: str,
    ) -> list[Told]:
        """See :class:`Result`."""
        return [
            told(
                self.figures,
                self.label,
                self.section.by,
                units,
            )
        ]

    def figure_rows(self) -> list[FigureRow]:
        """See :class:`Result`."""
        return list(figure_rows(self.figures, self.label))


class SurvivalCurve(ListStage[SurvivalCurveResult]):
    """Curves of the share without an event."""

    Section = SurvivalCurveSection
    short = "curve"
    listed = "the survival curve"
    nouns: ClassVar[Mapping[str, tuple[str, str]]] = {
        "survival-curve": ("survival curve", "survival curves")
    }
    section: SurvivalCurveSection

    def releases(self) -> Sequence[Release]:
        """See :class:`Stage`."""
        s = self.section
        words = Words(
            "survival curve", self._leaves(), "to be counted", self._once(), "survival curve"
        )
        return (
            Release(
                kind="survival-curve",
                rounds=1,
                mechanism=Gaussian(s.noise_multiplier, shares=self.shares.count),
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
        return f"survival curve with noise {decimal_text(self.section.noise_multiplier)}"

    def faults(
        self,
        accountant: Accountant,
    ) -> Iterator[Finding]:
        """See :class:`Stage`."""
        s = self.section
        delta = self.study.privacy.delta
        wrong = list(s.faults(self.study.data))
        yield from wrong
        if not wrong:
            yield from width_faults(s, self.shares, self.length)
        yield from claim_faults(
            s.epsilon, lambda: accountant.evaluation_epsilon(s.noise_multiplier, delta), delta
        )

    @property
    def numbers(self) -> NoisedNumbers:
        """See :class:`ListStage`."""
        return self.shares.numbers(self.section)

    def counted(self, study: Study, rows: Prepared) -> IntArray:  # noqa: ARG002
        """See :class:`ListStage`."""
        places = self._groups_of(rows) * self._cells + rows.y.astype(np.int64)
        return row_counts(places, self.length)

    def read(self, total: IntArray, contributors: int, noises: float) -> SurvivalCurveResult:
        """See :class:`ListStage`."""
        return SurvivalCurveResult(
            total,
            contributors,
            noises,
            self._groups,
            self.section,
            self._label,
        )

    @property
    def _label(self) -> TimeToEventLabel:
        return cast("TimeToEventLabel", self.study.data.label)

    @cached_property
    def _groups(self) -> tuple[str, ...]:
        if self.section.by is None:
            return (ALL,)
        return bin_names(column_of(self.study.data, self.section.by), ())

    def _groups_of(
        self,
        rows: Prepared,
    ) -> IntArray:
        if self.section.by is None:
            return np.zeros(len(rows.y), dtype=np.int64)
        return bins_of(
            self.study.data,
            self.section.by,
            1,
            rows,
        )

    @property
    def _cells(self) -> int:
        """Numbers of a group: those of the label's targets, 2 T + 1."""
        return 2 * len(self._label.edges) + 1

    @property
    def length(self) -> int:
        """See :class:`ListStage`."""
        return len(self._groups) * self._cells

    def _leaves(self) -> str:
        units = "rows"
        if self.study.privacy.unit == "patient":
            units = "patients"
        split = ""
        if self.section.by is not None:
            split = f", split by {self.section.by}"
        return (
            f"how many {units} had the event ({self._label.event_name}) in each of"
            f" {len(self._label.edges)} intervals of time, and how many were last seen in each"
            f" without it{split}; one of them counts in 1 of the numbers"
        )
