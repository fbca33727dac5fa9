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

from securefl.errors import RoundError
from securefl.learning.counts import release_counts, row_counts
from securefl.learning.stages.release import Release, Words
from securefl.learning.stages.stage import Result, Rows, Stage
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
    from securefl.learning.steps import Draws
    from securefl.learning.survival.figures import SurvivalFigures
    from securefl.learning.tasks.told import Told
    from securefl.study.consistency import Accountant
    from securefl.study.counts import NoisedNumbers
    from securefl.study.schema import Study
    from securefl.study.stages import Finding
    from securefl.study.survival_label import TimeToEventLabel
    from securefl.types import FloatArray, IntArray


@dataclass(frozen=True)
class SurvivalCurveResult(Result):
    """The released list.

    Attributes:
        total: int64[n], summed and noised.
        contributors: hospitals in it.
        groups: their names.
        section: the stage's table of the study file.
        label: the study's time to an event.
        noises: full noises that it carries.
    """

    total: IntArray
    contributors: int
    groups: tuple[str, ...]
    section: SurvivalCurveSection
    label: TimeToEventLabel
    noises: float

    @cached_property
    def figures(self) -> SurvivalFigures:
        """What is read off it."""
        noise = self.noises * float(self.section.sigma) ** 2
        edges = [float(edge) for edge in self.label.edges]
        return figures_of(
            self.total,
            self.groups,
            edges,
            noise,
        )

    def record(self) -> dict[str, Any]:
        """See :class:`Result`."""
        return {
            "list": [int(v) for v in self.total],
            "contributors": self.contributors,
            "figures": asdict(self.figures),
        }

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


class SurvivalCurve(Stage):
    """Curves of the share without an event."""

    Section = SurvivalCurveSection
    short = "curve"
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
            yield from width_faults(s, self.shares, self._length)
        yield from claim_faults(
            s.epsilon, lambda: accountant.evaluation_epsilon(s.noise_multiplier, delta), delta
        )

    def start(
        self,
        earlier: Sequence[Result],  # noqa: ARG002
    ) -> SurvivalCurveResult | None:
        """See :class:`Stage`."""
        return None

    def local(
        self,
        study: Study,
        site: str,  # noqa: ARG002
        rows: Rows,
        draws: Draws,
    ) -> _Local:
        """See :class:`Stage`."""
        units = rows.train.one_row_each(study.privacy.unit)
        places = self._groups_of(units) * self._cells + units.y.astype(np.int64)
        return _Local(
            self.shares.numbers(self.section),
            row_counts(places, self._length),
            draws,
        )

    def absorb(
        self,
        state: SurvivalCurveResult | None,  # noqa: ARG002
        total: IntArray,
        contributors: int,
    ) -> SurvivalCurveResult:
        """See :class:`Stage`.

        Raises:
            RoundError: the sum has another length.
        """
        if total.shape != (self._length,):
            raise RoundError(
                f"the sum of the survival curve has shape {list(total.shape)}; {self._length}"
                " values are due.",
                whose="the coordinator",
                next_step="Do not release this round; check the packing that the study names.",
            )
        return SurvivalCurveResult(
            total,
            contributors,
            self._groups,
            self.section,
            self._label,
            self.shares.in_sum(contributors),
        )

    def result(
        self,
        state: SurvivalCurveResult,
    ) -> SurvivalCurveResult:
        """See :class:`Stage`."""
        return state

    def recalled(
        self,
        record: Mapping[str, Any],
    ) -> SurvivalCurveResult:
        """See :class:`Stage`."""
        total = np.array(record["list"], dtype=np.int64)
        return self.absorb(
            None,
            total,
            int(record["contributors"]),
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
    def _length(self) -> int:
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


@dataclass(frozen=True)
class _Local:
    numbers: NoisedNumbers
    counts: IntArray
    draws: Draws
    clamped: int = 0

    def answer(
        self,
        release: Release,  # noqa: ARG002
        public: FloatArray,  # noqa: ARG002
    ) -> IntArray:
        return release_counts(
            self.counts,
            self.numbers,
            self.draws,
        )
