"""Models that came home: which one is in use, since when, and where it is from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from securefl.console.view import View
from securefl.node.owner.model_lines import models_in_use
from securefl.report.model_versions import site_models_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.console.view import Asked
    from securefl.node.owner.folder import Site


def _read(site: Site, _: Asked) -> Mapping[str, Any]:
    return {"page": site_models_page(models_in_use(site), site.name)}


VIEWS = (View("/models", "page.html", _read, words="Models"),)
