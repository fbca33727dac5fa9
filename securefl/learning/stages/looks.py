"""Looks at a training as the stage ``train`` releases them (:mod:`securefl.learning.looks`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from securefl.learning.stages.release import Release, Words
from securefl.learning.stages.stage import Result
from securefl.learning.tasks import task_of
from securefl.privacy.mechanisms import Gaussian
from securefl.study.claims import claim_faults, width_faults
from securefl.study.looks import look_section
from securefl.study.wire import count_bits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.learning.looks import LookAnswers, Looks
    from securefl.learning.stages.stage import FigureRow
    from securefl.learning.steps import PrivateSteps
    from securefl.learning.tasks.told import Told
    from securefl.study.consistency import Accountant
    from securefl.study.looks import LooksSection
    from securefl.study.noise_shares import NoiseShares
    from securefl.study.schema import Template
    from securefl.study.stages import Finding
    from securefl.types import FloatArray, IntArray

#: Kind of the release.
LOOK: Final = "look"


@dataclass(frozen=True)
class LookedAt(Result):
    """Result of a training that may have been looked at.

    Attributes:
        looks: None where the study asks for none.
    """

    looks: Looks | None = field(default=None, kw_only=True)

    def record(self) -> dict[str, Any]:
        """See :class:`Result`."""
        if self.looks is None:
            return {}
        return self.looks.record()

    def tables(self, units: str) -> list[Told]:  # noqa: ARG002 - a look counts patients
        """See :class:`Result`."""
        if self.looks is None:
            return []
        return [self.looks.told()]

    def figure_rows(self) -> list[FigureRow]:
        """See :class:`Result`."""
        if self.looks is None:
            return []
        return self.looks.figure_rows()


@dataclass(frozen=True)
class LookedAtAnswers:
    """A hospital's end of a training that is looked at.

    Attributes:
        steps: answers the rounds that train.
        looks: answers the looks.
    """

    steps: PrivateSteps
    looks: LookAnswers

    @property
    def clamped(self) -> int:
        """See :class:`~securefl.learning.stages.stage.Local`."""
        return self.steps.clamped

    def answer(self, release: Release, public: FloatArray) -> IntArray:
        """See :class:`~securefl.learning.stages.stage.Local`."""
        if release.kind == LOOK:
            self.steps.clamped = 0
            return self.looks.answer(public)
        return self.steps.update(public)


def look_release(
    study: Template,
    looks: LooksSection,
    rounds: int,
    shares: NoiseShares,
) -> Release:
    """The release of all looks.

    Args:
        study: the study.
        looks: its section.
        rounds: of the training.
        shares: hospitals that add the noise together.
    """
    section = look_section(study, looks)
    numbers = section.split_numbers
    count = looks.count(rounds)
    task = task_of(study.data)
    often = "after every training round but the last"
    if looks.every > 1:
        often = f"after every {looks.every} training rounds"
    words = Words(
        "looks on the way",
        task.histogram_words,
        "to look at it on the way",
        f"{often}, {count:,} times in all",
        noun="look",
    )
    return Release(
        kind=LOOK,
        rounds=count,
        mechanism=Gaussian(
            looks.noise_multiplier,
            shares=shares.count,
            cells=section.split_cells,
        ),
        length=task.histogram_size(section),
        bound=numbers.bound,
        bits=count_bits(numbers),
        aside=True,
        words=words,
    )


def look_faults(
    study: Template,
    looks: LooksSection,
    rounds: int,
    shares: NoiseShares,
    accountant: Accountant,
) -> Iterator[Finding]:
    """Looks that contradict themselves, the training or the study's evaluation.

    Args:
        study: the study.
        looks: its section.
        rounds: of the training.
        shares: hospitals that add the noise together.
        accountant: gives the epsilon that the noise really costs.
    """
    wrong = list(looks.faults(rounds))
    yield from wrong
    section = look_section(study, looks)
    task = task_of(study.data)
    if wrong or not isinstance(section, task.EvaluationTable):
        return  # an evaluation of another task is refused in its own place
    if any(task.evaluation_faults(section)):
        return
    release = look_release(study, looks, rounds, shares)
    yield from width_faults(section.split_numbers, shares, release.length * release.rounds)
    delta = study.privacy.delta
    yield from claim_faults(
        looks.epsilon,
        lambda: accountant.composed_epsilon([release.charge.mechanism], delta),
        delta,
    )
