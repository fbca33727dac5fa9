"""Pages of the console, a file for each subject, and all of them in the order of the navigation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.console.views import (
    audit,
    inbox,
    partners,
    requests,
    settings,
    status,
    tables,
)

if TYPE_CHECKING:
    from securefl.console.view import Act, View

VIEWS: tuple[View, ...] = (
    *inbox.VIEWS,
    *requests.VIEWS,
    *status.VIEWS,
    *tables.VIEWS,
    *audit.VIEWS,
    *partners.VIEWS,
    *settings.VIEWS,
)
ACTS: tuple[Act, ...] = (*inbox.ACTS, *requests.ACTS, *status.ACTS)
