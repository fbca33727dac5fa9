"""``securefl study plan``: what a study will cost at every hospital, what its noise will do, what a
longer one would cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.privacy.accounting import pld_epsilon
from securefl.privacy.charges import all_attempts
from securefl.privacy.forecast import budget_shares
from securefl.privacy.planning import epsilon_if_masks_fail, study_epsilon
from securefl.report.page import Page, page
from securefl.report.plan_cost import SitePlan, StudyPlan, cost_sections
from securefl.report.plan_training import TrainedPlan, plan_training, training_sections
from securefl.study.noise_shares import noise_shares
from securefl.study.training import training_if_any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.privacy.charges import Charge
    from securefl.study.schema import Template


def plan_study(
    study: Template,
    charges: Sequence[Charge],
    faults: Sequence[str] = (),
) -> StudyPlan:
    """Compute the plan of a protocol or study.

    Args:
        study: as parsed.
        charges: everything that it releases at one hospital.
        faults: where its figures contradict each other
            (:func:`securefl.study.consistency.contradictions`).
    """
    p = study.privacy
    cost = StudyPlan(
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
        shares=noise_shares(study).count,
        epsilon_if_masks_fail=epsilon_if_masks_fail(
            charges, p.max_attempts, p.delta, disjoint=True
        ),
        faults=tuple(faults),
    )
    if training_if_any(study) is None:
        return cost
    return plan_training(study, cost)


def _sites(study: Template) -> tuple[SitePlan, ...]:
    training = training_if_any(study)
    found = []
    for site in getattr(study, "participants", ()):
        weight = f"{site.weight.numerator}/{site.weight.denominator}"
        patients = None
        if training is not None:
            patients = float(training.normaliser) * float(site.weight)
        found.append(SitePlan(site.name, weight, patients))
    return tuple(found)


def plan_page(plan: StudyPlan) -> Page:
    """The plan as a page."""
    parts = cost_sections(plan)
    if isinstance(plan, TrainedPlan):
        parts += training_sections(plan)
    return page(f"Plan of {plan.study}", *parts)
