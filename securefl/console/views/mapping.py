"""A table's mapping, a column at a time: its name, spellings and unit in the table.

A form changes one column; the others of the mapping stay. What it does to the table is counted
before the yes, for this screen alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from securefl.console.view import Act, Draft, Planned, View
from securefl.console.views.tables import asked_table
from securefl.errors import UsageError
from securefl.node.owner import mapping
from securefl.node.owner.pages import mapping_page, table_page
from securefl.report.table_mapping import no_mapping_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.console.view import Asked
    from securefl.node.owner.folder import Site
    from securefl.node.owner.mapping import MappingPlan

_PLACE: Final = "data/mapping"
#: Fields of the form that a page before the yes carries on.
_CARRIED: Final = ("table", "column", "from", "times", "values", "missing")


def _read(site: Site, asked: Asked) -> Mapping[str, Any]:
    """The table that is asked for, its mapping, and the columns that can be translated."""
    names, wanted = asked_table(site, asked)
    facts: dict[str, Any] = {"page": None, "names": names, "table": wanted}
    if wanted:
        found = mapping.shown_table(site, wanted)
        facts["page"] = table_page(found)
        facts["mapped"] = found.mapping is not None
        facts["columns"] = mapping.translatable(site, wanted)
    return facts


def _planned(site: Site, asked: Asked) -> MappingPlan:
    form = asked.form
    return mapping.plan_column(site, form.get("table", ""), form.get("column", ""), _column(asked))


def _column(asked: Asked) -> dict[str, Any]:
    """A column of the form, as mapping.toml would have it; empty where it translates nothing."""
    form = asked.form
    column: dict[str, Any] = {}
    for name in ("from", "times"):
        text = form.get(name, "").strip()
        if text:
            column[name] = text
    values = dict(_pair(line) for line in _lines(form.get("values", "")))
    if values:
        column["values"] = values
    missing = _lines(form.get("missing", ""))
    if missing:
        column["missing"] = missing
    return column


def _lines(text: str) -> list[str]:
    """Lines that say anything."""
    return [line for line in text.splitlines() if line.strip()]


def _pair(line: str) -> tuple[str, str]:
    """The table's text and the study's, of a line.

    Raises:
        UsageError: there is no equals sign between two texts.
    """
    theirs, sign, ours = line.rpartition("=")
    if not sign or not theirs.strip() or not ours.strip():
        raise UsageError(
            f"This line is no pair: {line.strip()!r}.",
            next_step="Write the table's text, an equals sign, the study's text: w = female",
        )
    return theirs.strip(), ours.strip()


def _plan(site: Site, asked: Asked) -> Planned:
    plan = _planned(site, asked)
    return Planned(
        mapping_page(plan),
        act=f"{_PLACE}/sign",
        button="Sign this mapping",
        busy="Signing",
        fields={name: asked.form.get(name, "") for name in _CARRIED},
    )


def _sign(site: Site, asked: Asked) -> str:
    plan = _planned(site, asked)
    mapping.set_mapping(site, plan)
    return f"{_PLACE}?table={plan.dataset}"


def _plan_unmap(site: Site, asked: Asked) -> Planned:
    table = asked.form.get("table", "")
    mapping.check_unmapping(site, table)
    return Planned(
        no_mapping_page(table),
        act=f"{_PLACE}/drop",
        button="Take the mapping away",
        busy="Removing",
        fields={"table": table},
    )


def _unmap(site: Site, asked: Asked) -> str:
    mapping.unmap(site, asked.form.get("table", ""))
    return "data"


VIEWS = (View("/data/mapping", "mapping.html", _read),)
ACTS = (
    Draft("/data/mapping/plan", _plan, _PLACE),
    Act("/data/mapping/sign", _sign, _PLACE),
    Draft("/data/mapping/plan-drop", _plan_unmap, _PLACE),
    Act("/data/mapping/drop", _unmap, _PLACE),
)
