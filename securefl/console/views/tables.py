"""Data: the registered tables, and the budgets of their patients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securefl.console.view import View
from securefl.node.owner.data import registered_tables
from securefl.node.owner.pages import data_page
from securefl.node.owner.status import budget_statuses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.console.view import Asked
    from securefl.node.owner.folder import Site


def _read(site: Site, _: Asked) -> Mapping[str, Any]:
    return {"page": data_page(registered_tables(site), budget_statuses(site))}


VIEWS = (View("/data", "page.html", _read, words="Data"),)
