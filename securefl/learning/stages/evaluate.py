"""Stage ``evaluate``: how well the model does on the patients kept aside, from one noised list.

What is counted and what is read off it, the task says (:mod:`securefl.learning.tasks`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

from securefl.learning.counts import release_counts
from securefl.learning.models import family_of, predict
from securefl.learning.stages.release import Release, Words
from securefl.learning.stages.stage import Result, Rows, Stage, newest_model
from securefl.learning.tasks import task_of
from securefl.privacy.mechanisms import Gaussian, decimal_text
from securefl.study.claims import claim_faults, width_faults
from securefl.study.counts import EvaluateSection
from securefl.study.training import training_of
from securefl.study.wire import count_bits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    from securefl.learning.families.family import Family
    from securefl.learning.features import Prepared
    from securefl.learning.steps import Draws
    from securefl.learning.tasks.task import Task
    from securefl.learning.tasks.told import Told
    from securefl.study.consistency import Accountant
    from securefl.study.counts import NoisedNumbers
    from securefl.study.schema import Study
    from securefl.study.stages import Finding
    from securefl.types import FloatArray, IntArray


#: Key of what was read off the histogram, in :meth:`EvaluateResult.record` and in the result of a
#: study.
FIGURES: Final = "evaluation"


@dataclass(frozen=True)
class EvaluateState:
    """The model under evaluation, and the released histogram once it is there."""

    model: FloatArray
    histogram: IntArray | None = None
    noises: float = 0


@dataclass(frozen=True)
class EvaluateResult(Result):
    """The released histogram.

    Attributes:
        histogram: int64[h], counts or sums of all hospitals, noised.
        noises: full noises that it carries.
        section: the study's section.
        task: the study's task.
    """

    histogram: IntArray
    noises: float
    section: EvaluateSection
    task: Task

    @cached_property
    def evaluation(self) -> Any:  # noqa: ANN401 - each task has figures of its own
        """What is read off it."""
        return self.task.evaluate(self.histogram, self.section, self.noises)

    @property
    def told(self) -> Told:
        """The same in words."""
        return self.task.told(self.evaluation)

    def record(self) -> dict[str, Any]:
        """See :class:`Result`."""
        return {
            "histogram": [int(v) for v in self.histogram],
            FIGURES: asdict(self.evaluation),
        }


class Evaluate(Stage):
    """The check of the model on patients who did not train it."""

    Section = EvaluateSection
    short = "check"
    nouns: ClassVar[Mapping[str, tuple[str, str]]] = {
        "evaluation": ("check of the model", "checks of the model")
    }
    section: EvaluateSection

    def releases(self) -> Sequence[Release]:
        """See :class:`Stage`."""
        s = self.section
        numbers = s.numbers
        words = Words(
            "check of the model",
            self._task.histogram_words,
            "to check it",
            self._once(),
            "evaluation",
        )
        return (
            Release(
                kind="evaluation",
                rounds=1,
                mechanism=Gaussian(
                    s.noise_multiplier,
                    shares=self.shares.count,
                    cells=s.cells,
                ),
                length=self._task.histogram_size(s),
                bound=numbers.bound,
                bits=count_bits(numbers),
                aside=True,
                words=words,
            ),
        )

    @property
    def epsilon(self) -> Decimal:
        """See :class:`Stage`."""
        return self.section.epsilon

    def figures(self) -> str:
        """See :class:`Stage`."""
        return f"check with noise {decimal_text(self.section.noise_multiplier)}"

    def faults(self, accountant: Accountant) -> Iterator[Finding]:
        """See :class:`Stage`."""
        s, delta = self.section, self.study.privacy.delta
        if not self.study.data.holdout:
            yield (
                ("kind",),
                'checks the model on patients kept aside, and data.holdout keeps none: write "3/10"',
            )
        if not isinstance(s, self._task.EvaluationTable):
            yield ("metric",), f'"{s.metric}" does not judge what the label asks for'
        else:
            yield from self._task.evaluation_faults(s)
            yield from width_faults(s.numbers, self.shares, self._task.histogram_size(s))
        yield from claim_faults(
            s.epsilon,
            lambda: accountant.evaluation_epsilon(s.noise_multiplier, delta, s.cells),
            delta,
        )

    def sealed(self) -> Mapping[str, Any]:
        """Keys of the metric that a template may leave open."""
        return self.section.sealed()

    @property
    def public_length(self) -> int:
        """Size of the model that is checked."""
        return self._family.parameters

    def start(self, earlier: Sequence[Result]) -> EvaluateState:
        """See :class:`Stage`."""
        return EvaluateState(newest_model(earlier))

    def broadcast(self, state: EvaluateState) -> FloatArray:
        """The model that is checked."""
        return state.model

    def local(self, study: Study, site: str, rows: Rows, draws: Draws) -> _Local:  # noqa: ARG002
        """See :class:`Stage`."""
        held_out = rows.held_out.one_row_each(study.privacy.unit)
        numbers = self.shares.numbers(self.section.numbers)
        return _Local(self.section, numbers, self._family, self._task, held_out, draws)

    def absorb(self, state: EvaluateState, total: IntArray, contributors: int) -> EvaluateState:
        """See :class:`Stage`."""
        return EvaluateState(state.model, total, self.shares.in_sum(contributors))

    def result(self, state: EvaluateState) -> EvaluateResult:
        """See :class:`Stage`."""
        if state.histogram is None:
            raise LookupError("the evaluation was not released yet")
        return EvaluateResult(state.histogram, state.noises, self.section, self._task)

    @property
    def _family(self) -> Family:
        return family_of(training_of(self.study).model, self.study.data)

    @property
    def _task(self) -> Task:
        return task_of(self.study.data)


@dataclass(frozen=True)
class _Local:
    section: EvaluateSection
    numbers: NoisedNumbers
    family: Family
    task: Task
    held_out: Prepared
    draws: Draws
    clamped: int = 0

    def answer(self, release: Release, public: FloatArray) -> IntArray:  # noqa: ARG002
        predictions = predict(public, self.family, self.task, self.held_out.X)
        sums = self.task.tally(predictions, self.held_out.y, self.section)
        return release_counts(sums, self.numbers, self.draws)
