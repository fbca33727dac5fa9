"""Training by groups: what must hold in a study whose hospitals are summed by disjoint groups.

A lot draws the groups of a study (:mod:`securefl.secagg.group_draw`). Each group is summed and
opened by itself, and the sums are combined number by number
(:mod:`securefl.learning.robust_sums`). Only training is done so: counts and evaluations are sums of
all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from securefl.study.training import training_if_any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.study import schema
    from securefl.study.stages import Finding

#: With fewer groups one hospital that poisons decides.
LEAST_GROUPS: Final = 3
_WHERE: Final = ("secagg", "groups")


def group_rule(study: schema.Template) -> Literal["median", "trimmed"]:
    """How the groups' sums are combined.

    Raises:
        LookupError: the study has no groups.
    """
    if study.secagg.groups is None:
        raise LookupError("the study sums all hospitals together")
    return study.secagg.groups


def group_count(study: schema.Template) -> int:
    """Number of groups in a round of training; for a template, the least."""
    hospitals = len(getattr(study, "participants", ()))
    return max(hospitals // study.secagg.min_contributors, LEAST_GROUPS)


def least_hospitals(study: schema.Template) -> int:
    """The fewest hospitals with which a study of this template can be made."""
    least = study.secagg.min_contributors
    if study.secagg.groups is None:
        return least
    return LEAST_GROUPS * least


def group_faults(study: schema.Template) -> Iterator[Finding]:
    """What in a study does not go with groups."""
    if study.secagg.groups is None:
        return
    participants = getattr(study, "participants", ())
    least = study.secagg.min_contributors
    if participants and len(participants) < least_hospitals(study):
        yield _WHERE, too_few(len(participants), least)
    if len({one.weight for one in participants}) > 1:
        yield (
            _WHERE,
            (
                "compares hospitals as equals, and their weights differ; give all the same weight, or"
                " delete this"
            ),
        )
    if study.schedule.on_dropout != "fail":
        yield (
            ("schedule", "on_dropout"),
            (
                'must be "fail" with secagg.groups: a group that loses a hospital would be smaller'
                " than was drawn"
            ),
        )
    if training_if_any(study) is None:
        yield _WHERE, "is about the training, and no stage trains; delete it"


def too_few(hospitals: int, least: int) -> str:
    """The fault of a study with too few hospitals for groups, with what helps instead."""
    return (
        f"needs {LEAST_GROUPS * least} hospitals while {least} must be in a sum, and the study has"
        f" {hospitals}: with fewer than {LEAST_GROUPS} groups one hospital that poisons decides."
        " Delete it; each_participant in the evaluation shows each hospital's own figures, and the"
        " next study can do without the one that stands out"
    )
