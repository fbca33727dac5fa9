"""Pages of the console, a file for each subject, and all of them in the order of the navigation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.console.views import (
    audit,
    budgets,
    inbox,
    leaving,
    partners,
    people,
    policy,
    requests,
    settings,
    status,
    tables,
)

if TYPE_CHECKING:
    from securefl.console.view import Act, Draft, View

VIEWS: tuple[View, ...] = (
    *inbox.VIEWS,
    *requests.VIEWS,
    *status.VIEWS,
    *tables.VIEWS,
    *budgets.VIEWS,
    *leaving.VIEWS,
    *audit.VIEWS,
    *partners.VIEWS,
    *settings.VIEWS,
    *people.VIEWS,
    *policy.VIEWS,
)
ACTS: tuple[Act | Draft, ...] = (
    *inbox.ACTS,
    *requests.ACTS,
    *status.ACTS,
    *budgets.ACTS,
    *leaving.ACTS,
    *partners.ACTS,
    *people.ACTS,
    *policy.ACTS,
)
