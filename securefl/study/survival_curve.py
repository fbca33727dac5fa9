"""Section of the study file for a stage that draws survival curves, by group where asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.study.columns import NumericColumn
from securefl.study.counts import OnceCountedSection
from securefl.study.survival_label import TimeToEventLabel
from securefl.study.texts import ColumnName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from securefl.study.columns import DataSpec
    from securefl.study.stages import Finding


class SurvivalCurveSection(OnceCountedSection):
    """Curves of the label's time to an event, one for each level of the column ``by`` or one for
    all. A patient counts in one number, whatever is asked.
    """

    by: ColumnName | None = None

    def faults(self, data: DataSpec) -> Iterator[Finding]:
        """A label without a time, or groups by a column that is not there or has no levels."""
        if not isinstance(data.label, TimeToEventLabel):
            yield (
                ("kind",),
                'needs a time: write kind = "time-to-event" in [data.label], with its columns',
            )
        if self.by is None:
            return
        declared = {column.name: column for column in data.columns}
        if self.by not in declared:
            missing = f"the study's data have no column {self.by}"
            yield ("by",), f"{missing}; add it to [data] columns or remove it here"
        elif isinstance(declared[self.by], NumericColumn):
            yield ("by",), f"the column {self.by} is a number and has no levels to split by"
