"""Programme of a study: its stages, and which round is which release of which stage.

Public and fixed beforehand: every party derives the same programme from the study for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, cast

from securefl.study.stages import STAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.learning.stages.release import Release
    from securefl.learning.stages.stage import Stage
    from securefl.privacy.charges import Charge
    from securefl.registry import Registry
    from securefl.study.schema import Template

S = TypeVar("S", bound="Stage")


@dataclass(frozen=True)
class Step:
    """A round of a study.

    Attributes:
        number: of the round, from 1.
        stage: whose round it is.
        release: what leaves in it.
        turn: which of the release's rounds it is, from 1.
        first: whether it is its stage's first round.
    """

    number: int
    stage: Stage
    release: Release
    turn: int
    first: bool

    @property
    def words(self) -> str:
        """Which round it is, for people: "round 7 of 40"."""
        words = self.release.words
        return words.round or f"{words.noun} {self.turn} of {self.release.rounds}"


@dataclass(frozen=True)
class Programme:
    """The stages of a study, or of its template, and their rounds."""

    study: Template

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """In the order of the file."""
        kinds = cast("Registry[type[Stage]]", STAGES)
        return tuple(
            kinds[section.kind](self.study, place)
            for place, section in enumerate(self.study.stages)
        )

    @cached_property
    def releases(self) -> tuple[tuple[Stage, Release], ...]:
        """What leaves each hospital, in order, each with its stage."""
        return tuple((stage, release) for stage in self.stages for release in stage.releases())

    @cached_property
    def _steps(self) -> tuple[Step, ...]:
        """All rounds, in order."""
        steps: list[Step] = []
        for stage in self.stages:
            steps += _steps_of(stage, after=len(steps))
        return tuple(steps)

    @property
    def last_round(self) -> int:
        """Number of rounds of the whole study."""
        return len(self._steps)

    def at(self, number: int) -> Step:
        """The round of that number.

        Raises:
            LookupError: the study has no such round.
        """
        if not 1 <= number <= self.last_round:
            raise LookupError(f"the study has the rounds 1 to {self.last_round}, and none {number}")
        return self._steps[number - 1]

    def rounds_of(self, stage: Stage) -> Iterator[Step]:
        """The rounds of one stage."""
        for step in self._steps:
            if step.stage is stage:
                yield step

    @cached_property
    def charges(self) -> tuple[Charge, ...]:
        """Everything that the study releases at one hospital, in one attempt."""
        return tuple(release.charge for _, release in self.releases)

    def stages_of(self, kind: type[S]) -> tuple[S, ...]:
        """The stages of a class, in order."""
        return tuple(stage for stage in self.stages if isinstance(stage, kind))


def _steps_of(stage: Stage, *, after: int) -> list[Step]:
    """Rounds of a stage.

    Args:
        stage: the stage.
        after: number of the last round before it; 0 where it is the first.

    Raises:
        ValueError: its schedule is not its releases' rounds: what leaves would not be what is
            charged.
    """
    releases = stage.releases()
    turns = [0] * len(releases)
    steps: list[Step] = []
    for place in stage.schedule():
        turns[place] += 1
        number = after + len(steps) + 1
        steps.append(Step(number, stage, releases[place], turns[place], first=not steps))
    if turns != [release.rounds for release in releases]:
        raise ValueError(f"the schedule of stage {stage.place} is not the rounds of its releases")
    return steps


def charges_of(study: Template) -> tuple[Charge, ...]:
    """Everything that a study releases at one hospital, in one attempt."""
    return Programme(study).charges
