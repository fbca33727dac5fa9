"""Cost of a study at every hospital, as ``securefl study plan`` tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from securefl.privacy.explain import explain_epsilon, percent
from securefl.report.page import Gap, Paragraph, Section, Table, Tone, bullets, facts, section
from securefl.report.words import decimal_words, plural

if TYPE_CHECKING:
    from decimal import Decimal

    from securefl.privacy.forecast import BudgetShare
    from securefl.report.page import Block, Facts


@dataclass(frozen=True)
class SitePlan:
    """One hospital: its weight, and the patients that a step is expected to draw there.

    None of them where nothing is trained.
    """

    name: str
    weight: str
    patients_per_step: float | None


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """Everything that ``securefl study plan`` tells of any study; :meth:`to_json` gives it to
    programs.
    """

    study: str
    unit: str
    delta: Decimal
    parts: tuple[tuple[str, str, int, Decimal], ...]
    epsilon: Decimal
    sites: tuple[SitePlan, ...]
    budgets: tuple[BudgetShare, ...]
    shares: int
    epsilon_if_masks_fail: Decimal | None
    faults: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The plan as plain JSON values."""
        return {
            "study": self.study,
            "faults": list(self.faults),
            "unit": self.unit,
            "delta": float(self.delta),
            "epsilon": float(self.epsilon),
            "noise_shares": self.shares,
            "epsilon_if_masks_fail": (
                None if self.epsilon_if_masks_fail is None else float(self.epsilon_if_masks_fail)
            ),
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
        }


def cost_sections(plan: StudyPlan) -> list[Section | None]:
    """Faults of the file, and what it costs a patient, a hospital and a budget."""
    whom = "one row of the table"
    if plan.unit == "patient":
        whom = "one patient"
    return [
        _faults(plan),
        section(f"What it costs {whom}", *_cost(plan)),
        _hospitals(plan),
        section("What it takes from a hospital's budget", _budgets(plan)),
    ]


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
        facts(
            [*rows, ("for one patient", f"epsilon {decimal_words(plan.epsilon)}"), *_alone(plan)]
        ),
        Gap(),
        explain_epsilon(plan.epsilon, plan.delta),
        "The same at every hospital. A patient known to two of them pays twice.",
    ]


def _alone(plan: StudyPlan) -> list[tuple[str, str]]:
    """The figure of one share of the noise, where hospitals share it."""
    if plan.epsilon_if_masks_fail is None:
        return []
    alone = decimal_words(plan.epsilon_if_masks_fail)
    words = f"epsilon {alone}: each hospital adds one of {plan.shares} shares of the noise"
    return [("if masks fail", words)]


def _hospitals(plan: StudyPlan) -> Section:
    if not plan.sites:
        return section(
            "Hospitals",
            Paragraph(
                "A protocol names none yet: the figures hold for each one that takes part.",
                Tone.QUIET,
            ),
        )
    heads = ["hospital", "weight", "epsilon"]
    if plan.sites[0].patients_per_step is not None:
        heads.append("patients in a step, as planned")
    rows = Table(
        tuple(heads),
        tuple(_site(plan, s) for s in plan.sites),
        right=frozenset(range(1, len(heads))),
        least=16,
    )
    return section("At every hospital", rows)


def _site(plan: StudyPlan, site: SitePlan) -> tuple[str, ...]:
    row = (site.name, site.weight, decimal_words(plan.epsilon))
    if site.patients_per_step is None:
        return row
    return (*row, f"{site.patients_per_step:.0f}")


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
