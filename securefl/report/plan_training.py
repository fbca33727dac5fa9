"""Training of a planned study: what its noise does to the model, what other rounds would cost, how
the update travels, and what the check of the model will be able to say.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from securefl.learning.stages.evaluate import FIGURES
from securefl.learning.stages.programme import Programme
from securefl.learning.stages.roles import trained
from securefl.learning.tasks import task_of
from securefl.privacy.forecast import Longer, NoiseEffect, Training, noise_effect
from securefl.report.explain_study import hospitals
from securefl.report.fields import Fields, fields_json, fields_table, fields_words, plan_fields
from securefl.report.page import Paragraph, Section, Table, Tone, bullets, section
from securefl.report.plan_cost import StudyPlan
from securefl.report.plan_picture import plan_picture
from securefl.report.told import plan_section, told_table
from securefl.report.words import decimal_words
from securefl.study.counts import evaluation_of
from securefl.study.looks import as_looked_at, looks_count
from securefl.study.noise_shares import evaluation_noises, noise_shares
from securefl.study.training import training_of

if TYPE_CHECKING:
    from decimal import Decimal

    from securefl.learning.tasks.told import Told
    from securefl.study.schema import Template


@dataclass(frozen=True)
class PlannedLooks:
    """Looks on the way of a planned study.

    Attributes:
        count: how many.
        every: training rounds between two.
        patience: looks after which no gain is told.
        ends: whether the study ends at a look that is worse than one before.
        evaluation: figures to expect of one; None where the study's public figures do not tell.
        told: the same in words.
    """

    count: int
    every: int
    patience: int
    ends: bool
    evaluation: Any | None
    told: Told

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "planned": self.count,
            "every": self.every,
            "patience": self.patience,
            "ends": self.ends,
            FIGURES: None if self.evaluation is None else asdict(self.evaluation),
        }


@dataclass(frozen=True, kw_only=True)
class TrainedPlan(StudyPlan):
    """Plan of a study that trains a model and judges it."""

    effect: NoiseEffect
    parameters: int
    rounds: int
    longer: tuple[Longer, ...]
    curve: tuple[tuple[int, Decimal], ...]
    fields: Fields
    field_words: tuple[str, ...]
    evaluation: Any | None
    told: Told
    at_one_hospital: Told | None
    looks: PlannedLooks | None

    def to_json(self) -> dict[str, Any]:
        """See the base class."""
        return {
            **super().to_json(),
            "noise": {
                "in_one_direction": self.effect.in_one_direction,
                "in_all": self.effect.in_all,
                "after_all_rounds": self.effect.after_all_rounds,
                "parameters": self.parameters,
            },
            "fields": fields_json(self.fields),
            "longer": [
                {
                    "rounds": r.rounds,
                    "epsilon": float(r.epsilon),
                    "noise_for_same_epsilon": (
                        None if r.noise_for_same is None else decimal_words(r.noise_for_same)
                    ),
                }
                for r in self.longer
            ],
            "curve": [{"rounds": n, "epsilon": float(e)} for n, e in self.curve],
            FIGURES: None if self.evaluation is None else asdict(self.evaluation),
            "looks": None if self.looks is None else self.looks.to_json(),
        }


def plan_training(study: Template, cost: StudyPlan) -> TrainedPlan:
    """Add the training to what a study costs.

    Args:
        study: one that trains a model.
        cost: its plan so far.
    """
    p = study.privacy
    t = training_of(study)
    count = hospitals(study)
    parameters = trained(Programme(study)).parameters
    training = Training(
        t.noise_multiplier,
        t.sample_rate,
        p.delta,
        t.epsilon,
        t.rounds,
        t.local_steps,
        p.max_attempts,
    )
    fields = plan_fields(study)
    task = task_of(study.data)
    noises = noise_shares(study).in_sum(count)
    evaluation = task.plan(study, evaluation_noises(study, evaluation_of(study), count))
    return TrainedPlan(
        **vars(cost),
        effect=noise_effect(
            noise_multiplier=t.noise_multiplier,
            normaliser=t.normaliser,
            noises=noises,
            parameters=parameters,
            local_steps=t.local_steps,
            rounds=t.rounds,
        ),
        parameters=parameters,
        rounds=t.rounds,
        longer=training.longer(),
        curve=training.curve(),
        fields=fields,
        field_words=tuple(fields_words(study, fields)),
        evaluation=evaluation,
        told=task.told_plan(evaluation),
        at_one_hospital=_at_one_hospital(study, count),
        looks=_planned_looks(study, count),
    )


def _planned_looks(study: Template, count: int) -> PlannedLooks | None:
    """Expectation of one look; None where the study asks for none, or for none that it can have.

    Args:
        study: the study.
        count: its hospitals.
    """
    training = training_of(study)
    if training.looks is None or not looks_count(training):
        return None
    seen = as_looked_at(study, training.looks)
    task = task_of(study.data)
    evaluation = task.plan(seen, evaluation_noises(seen, evaluation_of(seen), count))
    return PlannedLooks(
        looks_count(training),
        training.looks.every,
        training.looks.patience,
        training.looks.ends,
        evaluation,
        task.told_plan(evaluation),
    )


def _at_one_hospital(study: Template, count: int) -> Told | None:
    """Expectation of one hospital's own list; None where hospitals have none.

    It is that of a study of one hospital of average size.

    Args:
        study: the study.
        count: its hospitals.
    """
    section = evaluation_of(study)
    training = training_of(study)
    if not section.each_participant:
        return None
    smaller = training.model_copy(update={"normaliser": training.normaliser / count})
    stages = tuple(smaller if kept is training else kept for kept in study.stages)
    alone = study.model_copy(update={"stages": stages})
    task = task_of(study.data)
    return task.told_plan(task.plan(alone, evaluation_noises(study, section, 1)))


def training_sections(plan: TrainedPlan) -> list[Section]:
    """Noise, evaluation, other lengths and the wire."""
    return [
        section("What the noise does", bullets(effect_words(plan))),
        plan_section(plan.told),
        *_own_section(plan.at_one_hospital),
        *_looks_section(plan.looks),
        section("Longer and shorter studies", _longer(plan), plan_picture(plan)),
        section("How the update travels", fields_table(plan.fields), bullets(plan.field_words)),
    ]


def _own_section(told: Told | None) -> list[Section]:
    """The section on each hospital's own figures, where the study shows them."""
    if told is None:
        return []
    heading = "What it will be able to say of each hospital"
    size = "Of a hospital of average size, whose list carries its own noise alone."
    if not told.header:
        return [section(heading, Paragraph(told.note, Tone.QUIET))]
    return [section(heading, size, told_table(told))]


def _looks_section(looks: PlannedLooks | None) -> list[Section]:
    """The section on looks at the training on its way, where the study asks for them."""
    if looks is None:
        return []
    often = "round of training but the last"
    if looks.every > 1:
        often = f"{looks.every} rounds of training"
    lines = [
        (
            f"{looks.count} looks, one after every {often}. Each is charged, whatever comes of it,"
            " and moves nothing in the model."
        ),
        (
            f"Each is compared with the one {looks.patience} before it. Intervals are widened so that"
            f" all {looks.count} hold at once."
        ),
    ]
    if looks.ends:
        lines.append(
            "The study ends, without a model, at a look that is worse than one before. That saves"
            " time and no budget: how far it came depends on the data."
        )
    heading = "What each look on the way will be able to say"
    told = looks.told
    if not told.header:
        return [section(heading, bullets(lines), Paragraph(told.note, Tone.QUIET))]
    return [section(heading, bullets([*lines, *told.sentences]), told_table(told))]


def effect_words(plan: TrainedPlan) -> list[str]:
    """Effect of the noise on the update, in sentences."""
    effect = plan.effect
    whole = f"{effect.in_all:.0f} times"
    if effect.in_all < 10:
        whole = f"{effect.in_all * 100:.0f} %"
    single = (
        f"In a round the noise of all hospitals together is about {whole} of the longest update"
        " that is possible (all patients pulling the same way); along any one direction it is"
        f" {effect.in_one_direction * 100:.1f} % (standard deviation)."
    )
    lines = [
        single,
        (
            f"Over all {plan.rounds} rounds it averages out to {effect.after_all_rounds * 100:.0f}"
            " %, if they pull the same way."
        ),
    ]
    if effect.after_all_rounds > 1:
        lines.append(
            "That is more than there is to learn: take fewer weights, more patients (a larger"
            " published normaliser) or a larger epsilon."
        )
    elif effect.in_all > 1:
        lines.append(
            "Single rounds are mostly noise; momentum and many rounds are what the model learns"
            " from."
        )
    return lines


#: Charges of a study in which no patient meets two stages: those who train, and those kept aside.
_ONE_OF_EACH = 2


def _longer(plan: TrainedPlan) -> Table:
    shared = len(plan.parts) > _ONE_OF_EACH
    rows = []
    for row in plan.longer:
        mark = " (as planned)" if row.rounds == plan.rounds else ""
        same = "none"
        if row.noise_for_same is not None:
            same = decimal_words(row.noise_for_same)
        rows.append((f"{row.rounds}{mark}", decimal_words(row.epsilon), same))
    heads = (
        "rounds",
        "epsilon of training alone" if shared else "epsilon with this noise",
        "noise multiplier for the same epsilon",
    )
    return Table(heads, tuple(rows), right=frozenset({0, 1, 2}))
