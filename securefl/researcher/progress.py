"""Progress of a run as it is shown: one line for each opened sum.

On the command line and in a Python session alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.learning.stages.roles import look_rounds
from securefl.report.run import round_line
from securefl.researcher.run_series import run_looks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.round_record import RoundRecord


def round_lines(plan: RoundPlan, folder: Path) -> Callable[[RoundRecord], str]:
    """Return a function that puts each record of this study, in order, into words.

    It remembers who was there before.

    Args:
        plan: the study.
        folder: the study's folder at its researcher, where opened sums are kept.
    """
    there = set(plan.study.cohort)
    looks = look_rounds(plan.programme)

    def words(record: RoundRecord) -> str:
        line = round_line(
            plan.step(record.round).words,
            hospitals=len(record.contributions),
            upload_bytes=record.upload_bytes,
            values=plan.length(record.round),
            lost=sorted(there - record.contributions.keys()),
            figure=_figure(plan, folder, looks.get(record.round)),
        )
        there.intersection_update(record.contributions)
        return line

    return words


def _figure(plan: RoundPlan, folder: Path, after: int | None) -> str:
    """The figure of a look after so many training rounds; empty where there is none to tell."""
    if after is None:
        return ""
    found = run_looks(folder, plan)
    if found is None:
        return ""
    seen = [look for look in found.looks if look.after == after]
    if not seen:
        return ""
    if not seen[0].known:
        return f"the noise leaves nothing to say of the {found.metric}"
    return f"{found.metric} {seen[0].low:.3f} to {seen[0].high:.3f} (95 %)"
