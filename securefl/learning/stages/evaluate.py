"""Stage ``evaluate``: how well the model does on the patients kept aside, from one noised release.

What is counted in a list and what is read off it, the task says (:mod:`securefl.learning.tasks`).
The study says which lists there are (:mod:`securefl.learning.evaluation_lists`): one of all
patients, and where it asks for them one for each hospital and for each subgroup.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from securefl.errors import RoundError
from securefl.learning.counts import release_counts
from securefl.learning.evaluation_lists import HOSPITALS, OwnRows, list_layout, own_lists
from securefl.learning.evaluation_split import figures_of_part, judge_each, worse
from securefl.learning.evaluation_words import leaving_words, split_rows, split_table
from securefl.learning.models import family_of, predict
from securefl.learning.stages.release import Release, Words
from securefl.learning.stages.stage import FigureRow, Result, Rows, Stage, newest_model
from securefl.learning.tasks import task_of
from securefl.privacy.mechanisms import Gaussian, decimal_text
from securefl.study.claims import claim_faults, width_faults
from securefl.study.counts import EvaluateSection, evaluation_of
from securefl.study.noise_shares import evaluation_noises, evaluation_shares
from securefl.study.training import training_of
from securefl.study.wire import count_bits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    from securefl.learning.evaluation_lists import ListLayout
    from securefl.learning.evaluation_split import PartFigures
    from securefl.learning.families.family import Family
    from securefl.learning.features import Prepared
    from securefl.learning.steps import Draws
    from securefl.learning.tasks.task import Task
    from securefl.learning.tasks.told import Told
    from securefl.study.consistency import Accountant
    from securefl.study.noise_shares import NoiseShares
    from securefl.study.schema import Quality, Study, Verdict
    from securefl.study.stages import Finding
    from securefl.types import FloatArray, IntArray


#: Numbers of a release in all.
_MOST_NUMBERS: Final = 1 << 16
#: Key of what was read off the histogram, in :meth:`EvaluateResult.record` and in the result of a
#: study.
FIGURES: Final = "evaluation"


@dataclass(frozen=True)
class EvaluateState:
    """The model under evaluation, and what was read off the release once it is there."""

    model: FloatArray
    released: EvaluateResult | None = None


@dataclass(frozen=True)
class EvaluateResult(Result):
    """The released lists.

    Attributes:
        histogram: int64[h], counts or sums of all hospitals, noised: one list after the other.
        noises: full noises that a sum over all hospitals carries.
        section: the study's section.
        task: the study's task.
        contributors: hospitals in it.
        layout: where each list lies; None where there is one.
    """

    histogram: IntArray
    noises: float
    section: EvaluateSection
    task: Task
    contributors: int = 0
    layout: ListLayout | None = None

    @cached_property
    def evaluation(self) -> Any:  # noqa: ANN401 - each task has figures of its own
        """Figures of the list of all patients."""
        whole = self.histogram
        if self.layout is not None:
            whole = self.layout.overall(whole)
        return self.task.evaluate(whole, self.section, self.noises)

    @cached_property
    def split(self) -> tuple[PartFigures, ...]:
        """Figures of the lists of hospitals and of subgroups."""
        if self.layout is None:
            return ()
        alone = self.noises / self.contributors
        return tuple(
            figures_of_part(
                part,
                self.layout.of(self.histogram, part),
                self.task,
                self.section,
                alone if part.name == HOSPITALS else self.noises,
            )
            for part in self.layout.parts
            if len(part.groups) > 1
        )

    @property
    def told(self) -> Told:
        """The same in words."""
        return self.task.told(self.evaluation)

    def verdict(
        self,
        quality: Quality,
    ) -> Verdict:
        """The study's quality rule, judged on these figures: on all patients', and on the lowest
        hospital's where the rule asks for it.
        """
        overall = self.task.judge(self.evaluation, quality)
        if quality.minimum_each is None:
            return overall
        hospitals = next((part for part in self.split if part.name == HOSPITALS), None)
        each = judge_each(hospitals, float(quality.minimum_each))
        return worse(overall, each)

    def record(self) -> dict[str, Any]:
        """See :class:`Result`."""
        found = {
            "histogram": [int(v) for v in self.histogram],
            FIGURES: asdict(self.evaluation),
        }
        if self.layout is None:
            return found
        split = [part.record() for part in self.split]
        return found | {"contributors": self.contributors, "figures": split}

    def tables(self, units: str) -> list[Told]:  # noqa: ARG002 - a task counts patients
        """See :class:`Result`."""
        return [split_table(part, self.task) for part in self.split]

    def figure_rows(self) -> list[FigureRow]:
        """See :class:`Result`."""
        return [
            FigureRow(part.name, one.group, self.task.metric, one.value, one.low, one.high)
            for part in self.split
            for one in part.groups
        ]

    def card_rows(self) -> dict[str, str]:
        """Label and text of the lowest figure and the gap, for the model card."""
        rows: dict[str, str] = {}
        for part in self.split:
            rows |= split_rows(part, self.task)
        return rows


class Evaluate(Stage):
    """The check of the model on patients who did not train it."""

    Section = EvaluateSection
    short = "check"
    nouns: ClassVar[Mapping[str, tuple[str, str]]] = {
        "evaluation": ("check of the model", "checks of the model"),
        "hospital-evaluation": (
            "check of the model with this hospital's own figures",
            "checks of the model with this hospital's own figures",
        ),
    }
    section: EvaluateSection

    @property
    def shares(self) -> NoiseShares:
        """See :class:`Stage`: each hospital adds all the noise where it has a list of its own."""
        return evaluation_shares(self.study, self.section)

    def releases(self) -> Sequence[Release]:
        """See :class:`Stage`."""
        s = self.section
        numbers = s.split_numbers
        words = Words(
            "check of the model",
            leaving_words(self.task.histogram_words, s),
            "to check it",
            self._once(),
            "evaluation",
        )
        return (
            Release(
                kind="hospital-evaluation" if s.each_participant else "evaluation",
                rounds=1,
                mechanism=Gaussian(
                    s.noise_multiplier,
                    shares=self.shares.count,
                    cells=s.split_cells,
                ),
                length=self.layout.length,
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

    def faults(
        self,
        accountant: Accountant,
    ) -> Iterator[Finding]:
        """See :class:`Stage`."""
        s = self.section
        delta = self.study.privacy.delta
        if not self.study.data.holdout:
            yield (
                ("kind",),
                'checks the model on patients kept aside, and data.holdout keeps none: write "3/10"',
            )
        if not isinstance(s, self.task.EvaluationTable):
            yield ("metric",), f'"{s.metric}" does not judge what the label asks for'
        else:
            yield from self.task.evaluation_faults(s)
            yield from self._list_faults()
        yield from claim_faults(
            s.epsilon,
            lambda: accountant.evaluation_epsilon(s.noise_multiplier, delta, s.split_cells),
            delta,
        )

    def _list_faults(self) -> Iterator[Finding]:
        """Lists that cannot be made, or do not fit a field or a release."""
        wrong = list(self.section.split_faults(self.study.data))
        yield from wrong
        if wrong:
            return
        length = self.layout.length
        yield from width_faults(self.section.split_numbers, self.shares, length)
        if length > _MOST_NUMBERS:
            made = f"makes a release of {length:,} numbers; {_MOST_NUMBERS:,} are the most"
            yield ("by",), f"{made}: split by fewer columns, or into fewer subgroups"

    def sealed(self) -> Mapping[str, Any]:
        """Keys of the metric that a template may leave open."""
        return self.section.sealed()

    @property
    def public_length(self) -> int:
        """Size of the model that is checked."""
        return self.family.parameters

    def start(
        self,
        earlier: Sequence[Result],
    ) -> EvaluateState:
        """See :class:`Stage`."""
        return EvaluateState(newest_model(earlier))

    def broadcast(
        self,
        state: EvaluateState,
    ) -> FloatArray:
        """The model that is checked."""
        return state.model

    def local(
        self,
        study: Study,
        site: str,
        rows: Rows,
        draws: Draws,
    ) -> _Local:
        """See :class:`Stage`."""
        held_out = rows.held_out.one_row_each(study.privacy.unit)
        return _Local(self, study, site, held_out, draws)

    def absorb(
        self,
        state: EvaluateState,
        total: IntArray,
        contributors: int,
    ) -> EvaluateState:
        """See :class:`Stage`; raises where the study's rule ends it here."""
        found = self.read(total, contributors)
        self._go_on(found)
        return EvaluateState(state.model, found)

    def _go_on(
        self,
        found: EvaluateResult,
    ) -> None:
        """End the study before further evaluations where its rule withholds this model.

        Raises:
            RoundError: naming the figure.
        """
        quality = self.study.quality
        if quality is None or self.section is evaluation_of(self.study):
            return
        # what is asked of each hospital is judged where the hospitals are shown
        if not self.section.each_participant:
            quality = quality.model_copy(update={"minimum_each": None})
        if quality.withholds(found.verdict(quality)):
            raise RoundError(
                f"The study ends here, as its quality rule says: the {self.task.metric} is"
                f" {found.told.short}, and at least {decimal_text(quality.minimum)} is asked for.",
                whose="nobody",
                next_step="The model is given to nobody. What was charged stays charged.",
            )

    def read(
        self,
        total: IntArray,
        contributors: int,
    ) -> EvaluateResult:
        """The result of an opened sum of so many hospitals.

        Raises:
            RoundError: the sum has another length.
        """
        layout = None
        if self.section.is_split:
            layout = self.layout
            if total.shape != (layout.length,):
                raise _other_length(total, layout.length)
        noises = evaluation_noises(self.study, self.section, contributors)
        return EvaluateResult(total, noises, self.section, self.task, contributors, layout)

    def result(
        self,
        state: EvaluateState,
    ) -> EvaluateResult:
        """See :class:`Stage`."""
        if state.released is None:
            raise LookupError("the evaluation was not released yet")
        return state.released

    def recalled(
        self,
        record: Mapping[str, Any],
    ) -> EvaluateResult | None:
        """See :class:`Stage`; the record is all there is where nothing was split."""
        if not self.section.is_split:
            return None
        total = np.array(record["histogram"], dtype=np.int64)
        return self.read(total, int(record["contributors"]))

    @cached_property
    def layout(self) -> ListLayout:
        """Places of the lists in the release."""
        return list_layout(self.study, self.section, self.task.histogram_size(self.section))

    @property
    def family(self) -> Family:
        """Family of the model that is checked."""
        return family_of(training_of(self.study).model, self.study.data)

    @property
    def task(self) -> Task:
        """Task of the study."""
        return task_of(self.study.data)


def _other_length(
    total: IntArray,
    due: int,
) -> RoundError:
    return RoundError(
        f"the evaluation sum has shape {list(total.shape)}; {due} values are due.",
        whose="the coordinator",
        next_step="Do not release this round; check the packing that the study names.",
    )


@dataclass(frozen=True)
class _Local:
    stage: Evaluate
    study: Study
    site: str
    held_out: Prepared
    draws: Draws
    clamped: int = 0

    def answer(self, release: Release, public: FloatArray) -> IntArray:  # noqa: ARG002
        stage = self.stage
        task = task_of(self.study.data)
        layout = stage.layout
        predictions = predict(public, stage.family, task, self.held_out.X)
        own = OwnRows(self.site, self.held_out, predictions)
        exact = own_lists(layout, task, self.study, stage.place, own)
        # the lists of other hospitals stay zero: none of these patients is in them
        written = layout.written_by(self.site)
        numbers = stage.shares.numbers(stage.section.split_numbers)
        found = np.zeros(layout.length, dtype=np.int64)
        found[written] = release_counts(exact[written], numbers, self.draws)
        return found
