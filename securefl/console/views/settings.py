"""Settings: what holds at this hospital, to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securefl.console.view import View
from securefl.node.owner.pages import settings_page
from securefl.node.owner.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.console.view import Asked
    from securefl.node.owner.folder import Site


def _read(site: Site, _: Asked) -> Mapping[str, Any]:
    return {"page": settings_page(read_settings(site))}


VIEWS = (View("/settings", "settings.html", _read, words="Settings"),)
