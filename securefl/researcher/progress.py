"""Progress of a run as it is shown: one line for each opened sum.

On the command line and in a Python session alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.report.run import round_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.federation.round_plan import RoundPlan
    from securefl.federation.round_record import RoundRecord


def round_lines(plan: RoundPlan) -> Callable[[RoundRecord], str]:
    """Return a function that puts each record of this study, in order, into words.

    It remembers who was there before.
    """
    there = set(plan.study.cohort)

    def words(record: RoundRecord) -> str:
        line = round_line(
            plan.step(record.round).words,
            hospitals=len(record.contributions),
            upload_bytes=record.upload_bytes,
            values=plan.length(record.round),
            lost=sorted(there - record.contributions.keys()),
        )
        there.intersection_update(record.contributions)
        return line

    return words
