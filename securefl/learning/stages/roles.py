"""Stages that others look for: the one that makes the model, and the one that judges it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.learning.stages.evaluate import Evaluate, EvaluateResult
from securefl.learning.stages.looks import LOOK
from securefl.learning.stages.train import UPDATE, Train, TrainResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from securefl.learning.looks import OpenedLook
    from securefl.learning.stages.programme import Programme, Step
    from securefl.learning.stages.stage import Result, Stage
    from securefl.types import IntArray


def trained(programme: Programme) -> Train:
    """The stage that makes the study's model."""
    return programme.stages_of(Train)[0]


def judged(programme: Programme) -> Evaluate:
    """The stage whose figures the quality rule is judged on and the model card names: the last
    evaluation.
    """
    return programme.stages_of(Evaluate)[-1]


def judges(programme: Programme, stage: Stage) -> bool:
    """True if this stage is the one of :func:`judged`; never in a study that makes no model."""
    return isinstance(stage, Evaluate) and stage is judged(programme)


def moves_model(step: Step) -> bool:
    """Tell whether the sum of this round moves the study's model: a stage that trains may release
    other things beside its updates.
    """
    return isinstance(step.stage, Train) and step.release.kind == UPDATE


def look_rounds(programme: Programme) -> dict[int, int]:
    """Rounds that look at the training: number of the round → training rounds before it."""
    found: dict[int, int] = {}
    for stage in programme.stages_of(Train):
        looks = stage.section.looks
        for step in programme.rounds_of(stage):
            if looks is not None and step.release.kind == LOOK:
                found[step.number] = step.turn * looks.every
    return found


def opened_looks(
    programme: Programme,
    totals: Iterable[tuple[int, IntArray, int]],
) -> list[tuple[int, OpenedLook]]:
    """Looks among opened sums, each with the number of its round.

    Args:
        programme: of the study.
        totals: number of the round, sum, and how many hospitals are in it.
    """
    after = look_rounds(programme)
    return [
        (number, (after[number], total, contributors))
        for number, total, contributors in totals
        if number in after
    ]


def training_result(results: Sequence[Result]) -> TrainResult:
    """The trained model among a study's results."""
    return next(result for result in results if isinstance(result, TrainResult))


def judged_result(results: Sequence[Result]) -> EvaluateResult:
    """The released figures that the quality rule is judged on."""
    return [result for result in results if isinstance(result, EvaluateResult)][-1]
