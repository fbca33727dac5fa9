"""Stage ``count``: how many patients train the model in all, from one noised sum; in a study without
a model, how many there are beside those kept aside.

Each hospital counts its training patients by the task's strata, adds its own integer Gaussian noise
to every count (one patient changes one count by 1, so the sensitivity is 1), and only the sum over
hospitals opens. What is decided on it, is decided on that release.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from securefl.learning.preparation import counted, require_enough, stratum_counts
from securefl.learning.stages.list_stage import NoisedCounts
from securefl.learning.stages.release import Release, Words
from securefl.learning.stages.stage import Result, Rows, Stage
from securefl.learning.tasks import task_of
from securefl.privacy.mechanisms import Gaussian, decimal_text
from securefl.study.claims import claim_faults, width_faults
from securefl.study.counts import CountSection
from securefl.study.stages import makes_model
from securefl.study.wire import count_bits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    from securefl.learning.preparation import Counted
    from securefl.learning.steps import Draws
    from securefl.learning.tasks.task import Task
    from securefl.study.consistency import Accountant
    from securefl.study.schema import Study
    from securefl.study.stages import Finding
    from securefl.types import IntArray


@dataclass(frozen=True)
class CountResult(Result):
    """The noised count.

    Attributes:
        counted: the figures.
        train: whether those who were counted train a model.
    """

    counted: Counted
    train: bool = True

    def record(self) -> dict[str, Any]:
        """See :class:`Result`."""
        return asdict(self.counted)

    def rows(self, units: str) -> list[tuple[str, str]]:
        """See :class:`Result`."""
        found = self.counted
        about = f"about {max(found.patients, 0):,} {units}"
        noise = f"the noise on each count is {found.noise_sd:.0f} (standard deviation)"
        label = "counted"
        if self.train:
            label = "trained on"
        return [(label, f"{about}, {found.words}; {noise}")]


class Count(Stage):
    """The count of those who train."""

    Section = CountSection
    short = "count"
    nouns: ClassVar[Mapping[str, tuple[str, str]]] = {
        "preparation": ("preparation statistic", "preparation statistics")
    }
    section: CountSection

    def releases(self) -> Sequence[Release]:
        """See :class:`Stage`."""
        s = self.section
        words = Words(
            "count of patients",
            self._leaves(),
            "to be counted",
            self._once(),
            "count of patients",
        )
        return (
            Release(
                kind="preparation",
                rounds=1,
                mechanism=Gaussian(s.noise_multiplier, shares=self.shares.count),
                length=len(self._task.strata),
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
        return f"count with noise {decimal_text(self.section.noise_multiplier)}"

    def faults(self, accountant: Accountant) -> Iterator[Finding]:
        """See :class:`Stage`."""
        s = self.section
        delta = self.study.privacy.delta
        yield from claim_faults(
            s.epsilon, lambda: accountant.evaluation_epsilon(s.noise_multiplier, delta), delta
        )
        yield from width_faults(s, self.shares, len(self._task.strata))

    def start(self, earlier: Sequence[Result]) -> Counted | None:  # noqa: ARG002
        """See :class:`Stage`."""
        return None

    def local(self, study: Study, site: str, rows: Rows, draws: Draws) -> NoisedCounts:  # noqa: ARG002
        """See :class:`Stage`."""
        units = rows.train.one_row_each(study.privacy.unit)
        numbers = self.shares.numbers(self.section)
        return NoisedCounts(numbers, stratum_counts(units.y, self._task), draws)

    def absorb(self, state: Counted | None, total: IntArray, contributors: int) -> Counted:  # noqa: ARG002
        """See :class:`Stage`; raises where fewer than ``minimum`` were counted."""
        noises = self.shares.in_sum(contributors)
        found = counted(total, self.section, noises, self._task)
        require_enough(found, self.section)
        return found

    def result(self, state: Counted) -> CountResult:
        """See :class:`Stage`."""
        return CountResult(state, train=makes_model(self.study))

    @property
    def _task(self) -> Task:
        return task_of(self.study.data)

    def _leaves(self) -> str:
        least = self.section.minimum
        units = "rows"
        if self.study.privacy.unit == "patient":
            units = "patients"
        end = ""
        if least:
            end = (
                f"; with fewer than {least:,} in all hospitals the study ends there, and its budget"
                " stays charged"
            )
        counted = f"how many {units} there are"
        if makes_model(self.study):
            counted = f"how many {units} train the model"
        return f"{counted}, {self._task.strata_words}{end}"
