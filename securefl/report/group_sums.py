"""Sentences for the owner on a study that trains by groups: what opens, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.report.words import plural
from securefl.study.groups import group_count, group_rule

if TYPE_CHECKING:
    from securefl.study.schema import Template


def group_sentences(study: Template) -> list[str]:
    """Which sums open in a study that trains by groups, and what colluding parties see.

    Raises:
        LookupError: the study sums all hospitals together.
    """
    rule = group_rule(study)
    together = "nobody else"
    if study.secagg.colluders != 0:
        together = plural(study.secagg.colluders, "other hospital")
    return [
        lot_sentence(group_count(study), study.secagg.min_contributors),
        combined_sentence(rule),
        (
            "All other totals are of all hospitals. If one is missing, the round fails and nothing is"
            " opened."
        ),
        (
            f"Should researcher, aggregator and {together} work together, they see no more than the"
            " noised total of the rest of a group."
        ),
    ]


def lot_sentence(groups: int, least: int) -> str:
    """How the groups come about, and what opens of them."""
    return (
        "For the training a lot that nobody can choose puts the hospitals into"
        f" {groups} groups of at least {least}, the same in all rounds. The researcher can open only"
        " the total of each group, never of fewer hospitals."
    )


def combined_sentence(rule: str) -> str:
    """How the groups' totals move the model, and what that is good for."""
    if rule == "median":
        return (
            "The model goes by the middle one of the groups' totals, number by number: a hospital"
            " that sends wild numbers cannot bend it at will. Wrong labels it hardly stops."
        )
    return (
        "The model goes by the mean of the groups' totals without the largest and the smallest,"
        " number by number: a hospital that sends wild numbers cannot bend it at will. Wrong labels"
        " it hardly stops."
    )
