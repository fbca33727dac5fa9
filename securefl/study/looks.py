"""Section of the study file for looks: noised evaluations of a training on its way.

After every so many training rounds one round releases the list of the study's evaluation, for the
model as it then stands, with noise of its own. A look moves nothing, and no model is chosen by it:
the last one is judged by the stage ``evaluate``, or there is none.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from securefl.study.counts import EvaluateSection, check_epsilon, check_noise, evaluation_of
from securefl.study.fields import DecimalText, Section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.study.schema import Template
    from securefl.study.stages import Finding
    from securefl.study.training import TrainSection


class LooksSection(Section):
    """Looks at a training on its way: ``[stages.looks]`` below the stage that trains.

    ``every`` is the number of training rounds between two looks; none follows the last round.
    ``noise_multiplier`` is the noise of one look, ``epsilon`` what all of them cost one patient kept
    aside, by themselves. ``patience`` is the number of looks after which no gain is told. With
    ``ends`` the study ends, without a model, at a look that is worse than one before.
    """

    every: Annotated[int, Field(ge=1, le=10_000)]
    noise_multiplier: DecimalText
    epsilon: DecimalText
    patience: Annotated[int, Field(ge=1, le=1_000)]
    ends: bool = False

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        check_epsilon(self.epsilon)
        check_noise(
            self.noise_multiplier,
            Decimal(2),
            "a look counts patients, and integer noise needs two units",
        )
        return self

    def count(self, rounds: int) -> int:
        """Number of looks at a training of so many rounds."""
        return (rounds - 1) // self.every

    def follows(self, done: int, rounds: int) -> bool:
        """Tell whether a look follows the training round ``done`` of ``rounds``."""
        return done < rounds and done % self.every == 0

    def faults(self, rounds: int) -> Iterator[Finding]:
        """Figures that leave nothing to compare.

        Args:
            rounds: of the training.
        """
        count = self.count(rounds)
        if count < 2:
            left = "one look" if count else "no look"
            said = f"leaves {left} in {rounds} rounds, and the course shows from two"
            if rounds < 3:
                yield ("every",), f"{said}; delete the looks, or train longer"
                return
            yield ("every",), f"{said}; write at most {(rounds - 1) // 2}"
        elif self.patience >= count:
            yield (
                ("patience",),
                f"says {self.patience}, and there are {count} looks; write at most {count - 1}",
            )


def looks_count(training: TrainSection) -> int:
    """Number of looks at a training; 0 where its study asks for none."""
    if training.looks is None:
        return 0
    return training.looks.count(training.rounds)


def look_section(study: Template, looks: LooksSection) -> EvaluateSection:
    """Evaluation that one look releases: the study's own, with the noise of a look and the list of
    all patients alone. Lists of hospitals and subgroups stay with the last evaluation.
    """
    changes = {
        "noise_multiplier": looks.noise_multiplier,
        "epsilon": looks.epsilon,
        "by": (),
        "each_participant": False,
    }
    return evaluation_of(study).model_copy(update=changes)


def as_looked_at(study: Template, looks: LooksSection) -> Template:
    """The study with a look in the place of its evaluation: what can be expected of one."""
    judged = evaluation_of(study)
    one = look_section(study, looks)
    stages = tuple(one if section is judged else section for section in study.stages)
    return study.model_copy(update={"stages": stages})
