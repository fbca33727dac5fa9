"""Description of a table: columns with ranges and levels, as hospitals publish them.

Descriptions of several hospitals become one: columns that all of them have, each with the widest
range and all levels that any of them declares. Nothing of a private table is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from securefl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.learning.table import Table

#: Keys of a numeric column that hospitals may state differently.
_ENDS: Final = {"low": min, "high": max}


@dataclass(frozen=True)
class Description:
    """A table as a study declares it, before the question.

    Attributes:
        dataset: name under which hospitals register it.
        population: whose patients.
        patient: column that tells patients apart.
        columns: as in ``[data].columns``, TOML values.
        most_rows: rows of one patient that are used.
        origin: where the columns come from, in words.
        label: declared with the data set; None where none is.
        notes: column to the reason why it is declared so.
        left_out: column to the reason why it is none of the features.
        table: rows that the researcher may see; None where there are none.
    """

    dataset: str
    population: str
    patient: str
    columns: tuple[Mapping[str, Any], ...]
    most_rows: int
    origin: str
    label: Mapping[str, Any] | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    table: Table | None = None

    def column(self, name: str) -> Mapping[str, Any] | None:
        """The declared column of that name."""
        return next((c for c in self.columns if c["name"] == name), None)


def published(descriptions: Mapping[str, Mapping[str, Any]]) -> Description:
    """Join hospitals' descriptions of one data set.

    Args:
        descriptions: hospital to the fields of ``[data]`` that it signed, ``population`` among them.

    Raises:
        UsageError: there is none, they are of several data sets, or have no column in common.
    """
    found = list(descriptions.values())
    if not found:
        raise UsageError(
            "No data set is described there.",
            next_step="Name a CSV file, a study file, or what `securefl study datasets --json` wrote.",
        )
    names = sorted({str(one.get("dataset", "")) for one in found})
    if len(names) > 1:
        raise UsageError(
            f"Several data sets are described: {', '.join(names)}.",
            next_step="Give the description of one of them.",
        )
    columns = _common_columns([one.get("columns", ()) for one in found])
    if not columns:
        raise UsageError(
            "The hospitals' descriptions have no column in common.",
            next_step="Agree on names of columns first, or take fewer hospitals.",
        )
    first = found[0]
    return Description(
        dataset=names[0],
        population=str(first.get("population", names[0])),
        patient=str(first.get("patient", "patient_id")),
        columns=columns,
        most_rows=min(int(one.get("max_rows_per_patient", 1)) for one in found),
        origin=f"as declared by {', '.join(sorted(descriptions))}",
        label=first.get("label"),
    )


def _common_columns(
    described: Sequence[Sequence[Mapping[str, Any]]],
) -> tuple[Mapping[str, Any], ...]:
    """Columns that all have with one kind, in the order of the first."""
    kept: list[Mapping[str, Any]] = []
    for column in described[0]:
        same = [one for columns in described for one in columns if one["name"] == column["name"]]
        kinds = {one["kind"] for one in same}
        if len(same) == len(described) and len(kinds) == 1:
            kept.append(_widest(same))
    return tuple(kept)


def _widest(same: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """One column that holds whatever any of these declares."""
    made: dict[str, Any] = {
        key: value for key, value in same[0].items() if value not in ((), [], "", None)
    }
    for key, widest in _ENDS.items():
        if key in made:
            made[key] = str(widest(Decimal(str(one[key])) for one in same))
    for key in ("levels", "missing_codes"):
        listed = [str(text) for one in same for text in one.get(key, ())]
        if listed:
            made[key] = list(dict.fromkeys(listed))
    if any(one.get("missing") == "flag" for one in same):
        made["missing"] = "flag"
    if any(one.get("transform") == "linear" for one in same):
        made.pop("transform", None)
    return made
