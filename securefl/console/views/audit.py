"""Audit: what left the house and what it cost, and the whole of it to print."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from securefl.console.view import View, sheet_number
from securefl.errors import SecureFLError
from securefl.node.owner.audit import Sheet, read_audit
from securefl.node.owner.pages import audit_overview_page, whole_audit_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.console.view import Asked
    from securefl.node.owner.folder import Site


#: Studies and refusals on one sheet, the newest ones first.
ROWS: Final = 50


def _read(site: Site, asked: Asked) -> Mapping[str, Any]:
    number = sheet_number(asked)
    sheet = Sheet(number, ROWS)
    found = read_audit(site.path, sheet=sheet, memory=site.ledger_memory)
    return {
        "page": audit_overview_page(found),
        "number": number,
        "last": found.sheets,
    }


def _read_alone(site: Site, asked: Asked) -> Mapping[str, Any]:
    return {"page": whole_audit_page(read_audit(site.path, memory=site.ledger_memory), asked.at)}


def read_audit_ahead(site: Site) -> None:
    """Check the whole ledger once: the page then checks only what is new.

    A fault of it is for the page to tell.
    """
    with suppress(SecureFLError):
        read_audit(site.path, sheet=Sheet(1, ROWS), memory=site.ledger_memory)


VIEWS = (
    View("/audit", "audit.html", _read, words="Audit"),
    View("/audit/print", "alone", _read_alone, alone=True),
)
