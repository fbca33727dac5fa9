"""``securefl study plan``: what a study will cost at every hospital, what its noise will do, what a
longer one would cost.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from securefl.learning.stages.programme import Programme
from securefl.learning.stages.roles import trained
from securefl.learning.tasks import task_of
from securefl.privacy.accounting import pld_epsilon
from securefl.privacy.charges import all_attempts
from securefl.privacy.explain import explain_epsilon, percent
from securefl.privacy.forecast import (
    BudgetShare,
    Longer,
    NoiseEffect,
    Training,
    budget_shares,
    noise_effect,
)
from securefl.privacy.planning import study_epsilon
from securefl.report.explain_study import hospitals
from securefl.report.fields import Fields, fields_json, fields_table, fields_words, plan_fields
from securefl.report.page import (
    Gap,
    Page,
    Paragraph,
    Section,
    Table,
    Tone,
    bullets,
    facts,
    page,
    section,
)
from securefl.report.plan_picture import plan_picture
from securefl.report.told import plan_section
from securefl.report.words import decimal_words, plural
from securefl.study.training import training_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from securefl.learning.tasks.told import Told
    from securefl.privacy.charges import Charge
    from securefl.report.page import Block, Facts
    from securefl.study.schema import Template


@dataclass(frozen=True)
class SitePlan:
    """One hospital: the patients that a step is expected to draw there, and the noise it adds
    against their longest sum.
    """

    name: str
    weight: str
    patients_per_step: float


@dataclass(frozen=True)
class StudyPlan:
    """Everything ``securefl study plan`` tells; :meth:`to_json` gives it to programs."""

    study: str
    unit: str
    delta: Decimal
    parts: tuple[tuple[str, str, int, Decimal], ...]
    epsilon: Decimal
    sites: tuple[SitePlan, ...]
    budgets: tuple[BudgetShare, ...]
    effect: NoiseEffect
    parameters: int
    rounds: int
    longer: tuple[Longer, ...]
    curve: tuple[tuple[int, Decimal], ...]
    fields: Fields
    field_words: tuple[str, ...]
    evaluation: Any | None
    told: Told
    faults: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The plan as plain JSON values."""
        return {
            "study": self.study,
            "faults": list(self.faults),
            "unit": self.unit,
            "delta": float(self.delta),
            "epsilon": float(self.epsilon),
            "charges": [
                {"kind": kind, "releases": count, "epsilon": float(epsilon)}
                for kind, _, count, epsilon in self.parts
            ],
            "hospitals": [
                {
                    "name": s.name,
                    "weight": s.weight,
                    "patients_per_step": s.patients_per_step,
                    "epsilon": float(self.epsilon),
                }
                for s in self.sites
            ],
            "budgets": [
                {
                    "epsilon": float(b.epsilon),
                    "share": None if b.part is None else float(b.part),
                    "studies": b.room,
                }
                for b in self.budgets
            ],
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
            "evaluation": None if self.evaluation is None else asdict(self.evaluation),
        }


def plan_study(study: Template, charges: Sequence[Charge], faults: Sequence[str] = ()) -> StudyPlan:
    """Compute the plan of a protocol or study.

    Args:
        study: as parsed.
        charges: everything that it releases at one hospital.
        faults: where its figures contradict each other
            (:func:`securefl.study.consistency.contradictions`).
    """
    p, t = study.privacy, training_of(study)
    count, parameters = (
        hospitals(study),
        trained(Programme(study)).parameters,
    )
    training = Training(
        t.noise_multiplier,
        t.sample_rate,
        p.delta,
        t.epsilon,
        t.rounds,
        t.local_steps,
        p.max_attempts,
    )
    fields, task = plan_fields(study), task_of(study.data)
    evaluation = task.plan(study, count)
    return StudyPlan(
        study=study.study.id,
        unit=p.unit,
        delta=p.delta,
        parts=tuple(
            (
                c.purpose,
                c.label,
                c.mechanism.count * p.max_attempts,
                pld_epsilon(all_attempts([c], p.max_attempts), p.delta),
            )
            for c in charges
        ),
        epsilon=study_epsilon(charges, p.max_attempts, p.delta, disjoint=True),
        sites=_sites(study),
        budgets=budget_shares(charges, p.max_attempts, p.delta),
        effect=noise_effect(
            noise_multiplier=t.noise_multiplier,
            normaliser=t.normaliser,
            hospitals=count,
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
        faults=tuple(faults),
    )


def _sites(study: Template) -> tuple[SitePlan, ...]:
    named = getattr(study, "participants", ())
    normaliser = float(training_of(study).normaliser)
    return tuple(
        SitePlan(
            s.name, f"{s.weight.numerator}/{s.weight.denominator}", normaliser * float(s.weight)
        )
        for s in named
    )


def plan_page(plan: StudyPlan) -> Page:
    """The plan as a page."""
    return page(
        f"Plan of {plan.study}",
        _faults(plan),
        section(
            (
                "What it costs one patient"
                if plan.unit == "patient"
                else "What it costs one row of the table"
            ),
            *_cost(plan),
        ),
        _hospitals(plan),
        section("What it takes from a hospital's budget", _budgets(plan)),
        section("What the noise does", bullets(effect_words(plan))),
        plan_section(plan.told),
        section("Longer and shorter studies", _longer(plan), plan_picture(plan)),
        section("How the update travels", fields_table(plan.fields), bullets(plan.field_words)),
    )


def _faults(plan: StudyPlan) -> Section | None:
    """At the head of the page: a plan of figures that no hospital would be asked for."""
    if not plan.faults:
        return None
    return section(
        "This file is not valid yet",
        Paragraph(
            "`securefl study check` refuses it. What follows is computed from the noise that"
            " the file names, not from the epsilons it claims.",
            Tone.BAD,
        ),
        bullets(plan.faults),
    )


#: Charges of a study in which no patient meets two stages: those who train, and those kept aside.
_ONE_OF_EACH = 2


def _cost(plan: StudyPlan) -> list[Block | str]:
    rows = [
        (
            label,
            (
                f"epsilon {decimal_words(epsilon)} at delta {decimal_words(plan.delta)},"
                f" {plural(count, 'noised release')}"
            ),
        )
        for _, label, count, epsilon in plan.parts
    ]
    return [
        facts([*rows, ("for one patient", f"epsilon {decimal_words(plan.epsilon)}")]),
        Gap(),
        explain_epsilon(plan.epsilon, plan.delta),
        "The same at every hospital. A patient whom two of them treated pays twice.",
    ]


def _hospitals(plan: StudyPlan) -> Section:
    if not plan.sites:
        return section(
            "Hospitals",
            Paragraph(
                "A protocol names none yet: the figures hold for each one that takes part.",
                Tone.QUIET,
            ),
        )
    epsilon = decimal_words(plan.epsilon)
    rows = Table(
        ("hospital", "weight", "epsilon", "patients in a step, as planned"),
        tuple((s.name, s.weight, epsilon, f"{s.patients_per_step:.0f}") for s in plan.sites),
        right=frozenset({1, 2, 3}),
        least=16,
    )
    return section("At every hospital", rows)


def _budgets(plan: StudyPlan) -> Facts:
    lines = []
    for budget in plan.budgets:
        grant = f"epsilon {decimal_words(budget.epsilon)}"
        if budget.part is None:
            lines.append((grant, "cannot pay for one such study"))
        else:
            lines.append(
                (
                    grant,
                    (
                        f"{percent(budget.part)} of it; it pays for"
                        f" {plural(budget.room, 'study', 'studies')} like this"
                    ),
                )
            )
    return facts(lines)


def effect_words(plan: StudyPlan) -> list[str]:
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


def _longer(plan: StudyPlan) -> Table:
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
