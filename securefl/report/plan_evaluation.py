"""A plan's section on the check of the model: the interval to expect, in words and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from securefl.report.page import Paragraph, Section, Table, Tone, bullets, section

if TYPE_CHECKING:
    from securefl.learning.tasks.binary.expected import EvaluationPlan

NO_PREVALENCE = (
    "This file names no prevalence, so the interval to expect cannot be worked out. "
    "Write the published share of positives into [evaluation], with its prevalence_source."
)


def evaluation_section(plan: EvaluationPlan | None) -> Section:
    """The section of the page, from :func:`securefl.learning.tasks.binary.expected.plan_evaluation`."""
    heading = "What the check of the model will be able to say"
    if plan is None:
        return section(heading, Paragraph(NO_PREVALENCE, Tone.QUIET))
    rows = []
    for row in plan.expected:
        chance = "" if row.told else ", which holds .5: no figure"
        interval = f"{row.low:.2f} to {row.high:.2f}{chance}"
        rows.append((f"{row.auc:.2f}", interval, f"{row.lost:.3f}"))
    expected = Table(
        ("true AUC", "interval to expect", "lost to the bands"),
        tuple(rows),
        right=frozenset({0, 2}),
    )
    return section(heading, bullets(evaluation_words(plan)), expected)


def evaluation_words(plan: EvaluationPlan) -> list[str]:
    """The interval to expect, in sentences."""
    known = [row for row in plan.expected if (row.low, row.high) != (0.0, 1.0)]
    sizes = (
        f"By the published figures about {plan.patients:,.0f} patients are kept aside to check the"
        f" model, about {plan.positives:,.0f} of them positive, and their scores are counted in"
        f" {plan.bins} bands."
    )
    lines = [sizes]
    if not known:
        return [
            *lines,
            "The noise hides them all: whatever the model is worth, nothing can be said about it.",
            "More patients, fewer bands or a larger epsilon would change that.",
        ]
    example = min(known, key=lambda row: abs(row.auc - 0.8))
    lines.append(
        f"If the model's true AUC is {example.auc:.2f}, expect an interval from about"
        f" {example.low:.2f} to {example.high:.2f}."
    )
    if plan.least_told is None:
        lines.append(
            "No model is expected to be told from chance with so few patients and so much noise."
        )
    else:
        told = (
            "A model is expected to be told from chance from a true AUC of"
            f" {plan.least_told:.2f} on"
        )
        lines.append(f"{told}; below that no single figure is likely to be given.")
    rule = f"The quality rule, at least {plan.minimum:g} on the interval's lower end"
    if plan.least_met is None:
        lines.append(f"{rule}, is not expected to be met by any model.")
    elif plan.minimum:
        lines.append(f"{rule}, is expected to be met from a true AUC of {plan.least_met:.2f} on.")
    return lines


def evaluation_json(plan: EvaluationPlan | None) -> dict[str, Any] | None:
    """The plan as plain JSON values; None where there is none."""
    return None if plan is None else asdict(plan)
