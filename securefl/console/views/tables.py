"""Data: the registered tables, and the budgets of their patients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securefl.console.view import View
from securefl.node.owner.data import registered_tables
from securefl.node.owner.pages import data_page, readiness_page
from securefl.node.owner.readiness import readiness
from securefl.node.owner.requests import request_text
from securefl.node.owner.status import budget_statuses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.console.view import Asked
    from securefl.node.owner.folder import Site


def _read(site: Site, _: Asked) -> Mapping[str, Any]:
    tables = registered_tables(site)
    return {
        "page": data_page(tables, budget_statuses(site)),
        "names": [table.name for table in tables if table.there],
    }


def asked_table(site: Site, asked: Asked) -> tuple[list[str], str]:
    """Names of the tables that are there, and the one that the address names; else the only one,
    or none.
    """
    names = [table.name for table in registered_tables(site) if table.there]
    wanted = asked.query.get("table", "")
    if not wanted and len(names) == 1:
        wanted = names[0]
    return names, wanted


def _read_readiness(site: Site, asked: Asked) -> Mapping[str, Any]:
    """Readiness of the table that is asked for, beside its own columns or those of a request."""
    names, wanted = asked_table(site, asked)
    page = None
    if wanted:
        request = asked.query.get("request", "")
        columns = None
        if request:
            columns = request_text(site, request)
        page = readiness_page(readiness(site, wanted, columns))
    return {"page": page, "names": names}


VIEWS = (
    View("/data", "data.html", _read, words="Data"),
    View("/data/readiness", "readiness.html", _read_readiness),
)
