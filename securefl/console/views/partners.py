"""Partners: whose cards are trusted here, with the groups to compare by telephone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securefl.console.view import View
from securefl.node.owner.pages import partners_page
from securefl.node.owner.partners import own_card, partners

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.console.view import Asked
    from securefl.node.owner.folder import Site


def _read(site: Site, _: Asked) -> Mapping[str, Any]:
    return {"page": partners_page(own_card(site), partners(site))}


VIEWS = (View("/partners", "page.html", _read, words="Partners"),)
