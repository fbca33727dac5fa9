"""Audit: what left the house and what it cost, and the whole of it to print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securefl.console.view import View
from securefl.node.owner.audit import read_audit
from securefl.node.owner.pages import audit_overview_page, whole_audit_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.console.view import Asked
    from securefl.node.owner.folder import Site


def _read(site: Site, _: Asked) -> Mapping[str, Any]:
    return {"page": audit_overview_page(read_audit(site.path))}


def _read_alone(site: Site, asked: Asked) -> Mapping[str, Any]:
    at = asked.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"page": whole_audit_page(read_audit(site.path), at)}


VIEWS = (
    View("/audit", "audit.html", _read, words="Audit"),
    View("/audit/print", "alone", _read_alone, alone=True),
)
