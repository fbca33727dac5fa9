"""Lists of an evaluation: one for all patients or one for each hospital, and one for each subgroup.

A task says what a patient adds to a list (:meth:`~securefl.learning.tasks.task.Task.tally`). Here is
in which lists a patient counts: in that of all patients or of its own hospital, and in one list of
each split. With s splits that is 1 + s lists, so what one patient adds to the whole release is
sqrt(1 + s) times as long as what it adds to one (L2).

Where hospitals have lists of their own, a hospital adds noise to its own list alone and leaves those
of the others zero: nothing of its patients is in them. A hospital that was lost leaves its list
zero in the sum, which tells no more than that it was lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from securefl.learning.encoding import encoder
from securefl.learning.statistics.blocks import (
    NOT_RECORDED,
    bin_names,
    bins_of,
    recorded_features,
)
from securefl.study.columns import NumericColumn
from securefl.study.groups import least_hospitals
from securefl.study.statistics import column_of
from securefl.study.subgroups import band_names

if TYPE_CHECKING:
    from securefl.learning.features import Prepared
    from securefl.learning.tasks.task import Task
    from securefl.study.columns import DataSpec
    from securefl.study.counts import EvaluateSection
    from securefl.study.schema import Template
    from securefl.study.subgroups import Subgroups
    from securefl.types import BoolArray, FloatArray, IntArray

#: Name of the part for all patients.
ALL: Final = "all"
#: Name of the part with a list for each hospital. No column has it: those lists come first.
HOSPITALS: Final = "hospital"


@dataclass(frozen=True)
class Part:
    """Lists into which each patient is sorted once.

    Attributes:
        name: what sorts them: :data:`ALL`, :data:`HOSPITALS`, or a column.
        groups: names of its lists, in order.
        start: its first list among all.
    """

    name: str
    groups: tuple[str, ...]
    start: int


@dataclass(frozen=True)
class ListLayout:
    """Places of the lists in the release.

    Attributes:
        parts: that of all patients or of the hospitals first, then one for each split.
        size: numbers of a list.
    """

    parts: tuple[Part, ...]
    size: int

    @property
    def length(self) -> int:
        """Numbers in all."""
        return self.size * sum(len(part.groups) for part in self.parts)

    @property
    def hospitals(self) -> tuple[str, ...]:
        """Hospitals that have lists of their own; none where all patients share one."""
        first = self.parts[0]
        return first.groups if first.name == HOSPITALS else ()

    def of(
        self,
        released: IntArray,
        part: Part,
    ) -> IntArray:
        """A part's lists, int64[groups, size]."""
        lists = released.reshape(-1, self.size)
        return lists[part.start : part.start + len(part.groups)]

    def overall(
        self,
        released: IntArray,
    ) -> IntArray:
        """The list of all patients, int64[size]: the hospitals' lists added up where each has one."""
        found: IntArray = self.of(released, self.parts[0]).sum(axis=0)
        return found

    def written_by(
        self,
        site: str,
    ) -> BoolArray:
        """Numbers that a hospital counts in and adds noise to, bool[length].

        Raises:
            LookupError: the hospital takes no part in the study.
        """
        lists = np.ones(self.length // self.size, dtype=bool)
        if self.hospitals:
            lists[: len(self.hospitals)] = False
            lists[_place(self.hospitals, site)] = True
        return np.repeat(lists, self.size)


def list_layout(
    study: Template,
    section: EvaluateSection,
    size: int,
) -> ListLayout:
    """The lists of a study's evaluation.

    Args:
        study: the study; a template stands for as many hospitals as it needs at least.
        section: the evaluation.
        size: numbers of one list.
    """
    parts = [Part(ALL, (ALL,), 0)]
    if section.each_participant:
        parts = [Part(HOSPITALS, _hospitals(study), 0)]
    for subgroups in section.by:
        before = parts[-1]
        start = before.start + len(before.groups)
        parts.append(Part(subgroups.column, subgroup_names(study.data, subgroups), start))
    return ListLayout(tuple(parts), size)


@dataclass(frozen=True)
class OwnRows:
    """Rows that a hospital keeps aside.

    Attributes:
        site: the hospital.
        rows: one row a patient.
        predictions: of these rows.
    """

    site: str
    rows: Prepared
    predictions: FloatArray


def own_lists(
    layout: ListLayout,
    task: Task,
    study: Template,
    place: int,
    own: OwnRows,
) -> IntArray:
    """A hospital's lists without noise, int64[length]. Private: never released without noise.

    Args:
        layout: where each list lies.
        task: what a patient adds to a list.
        study: the study.
        place: of the evaluation among its stages.
        own: the hospital's rows.
    """
    section: Any = study.stages[place]
    found = []
    for number, part in enumerate(layout.parts):
        places = np.zeros(len(own.rows.y), dtype=np.int64)
        if number > 0:
            places = subgroup_places(study.data, section.by[number - 1], own.rows)
        elif layout.hospitals:
            places += _place(layout.hospitals, own.site)
        for group in range(len(part.groups)):
            chosen = places == group
            found.append(task.tally(own.predictions[chosen], own.rows.y[chosen], section))
    return np.concatenate(found)


def subgroup_names(
    data: DataSpec,
    subgroups: Subgroups,
) -> tuple[str, ...]:
    """Names of a split's subgroups; "not recorded" last where the column may be missing."""
    column = column_of(data, subgroups.column)
    if not isinstance(column, NumericColumn):
        return bin_names(column, ())
    names = band_names(column, subgroups)
    if column.missing == "flag":
        return (*names, NOT_RECORDED)
    return names


def subgroup_places(
    data: DataSpec,
    subgroups: Subgroups,
    rows: Prepared,
) -> IntArray:
    """The subgroup of each row, int64[m], from that row alone."""
    column = column_of(data, subgroups.column)
    if not isinstance(column, NumericColumn):
        return bins_of(data, subgroups.column, 1, rows)
    # Edges go through the very encoding that the cells went through: a value that equals an edge
    # is equal to it as a feature, to the last bit. As an edge, a missing code is a number, and all
    # edges lie within the range: each has a place.
    encode = encoder(column.model_copy(update={"missing_codes": ()}), ".")
    edges = np.zeros(len(subgroups.edges), dtype=np.float32)
    for place, edge in enumerate(subgroups.edges):
        encoded = encode(format(edge, "f"))
        if not isinstance(encoded, str):
            edges[place] = encoded[1]
    features, missing = recorded_features(data, subgroups.column, rows)
    bands = np.searchsorted(edges.astype(np.float64), features[:, 0], side="right")
    return np.where(missing, len(subgroups.edges) + 1, bands).astype(np.int64)


def _place(
    hospitals: tuple[str, ...],
    site: str,
) -> int:
    if site not in hospitals:
        raise LookupError(f"{site} takes no part in this study")
    return hospitals.index(site)


def _hospitals(study: Template) -> tuple[str, ...]:
    named = tuple(sorted(party.name for party in getattr(study, "participants", ())))
    if named:
        return named
    return tuple(f"hospital {n}" for n in range(1, least_hospitals(study) + 1))
