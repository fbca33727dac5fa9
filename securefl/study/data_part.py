"""Data part of a study file: all that is needed to look at a table, whatever stands in the rest.

An owner compares a table with a protocol long before its other figures are settled. So this part is
read by itself, and a fault elsewhere in the file is no fault of the table.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from securefl.study.columns import DataSpec
from securefl.study.fields import Section

Unit: TypeAlias = Literal["patient", "record"]


class _Privacy(Section, extra="ignore"):
    """The one field of ``[privacy]`` by which rows are counted."""

    unit: Unit


class DataPart(Section, extra="ignore"):
    """The section ``[data]``, and the unit of privacy: patients or rows are counted."""

    data: DataSpec
    privacy: _Privacy

    @property
    def unit(self) -> Unit:
        """Unit of privacy: whose records count as one."""
        return self.privacy.unit
