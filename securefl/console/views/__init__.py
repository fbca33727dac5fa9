"""Pages of the console, a file for each subject, and all of them in the order of the navigation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.console.views import (
    audit,
    budgets,
    checkpoints,
    inbox,
    leaving,
    mapping,
    models,
    notices,
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
    *mapping.VIEWS,
    *budgets.VIEWS,
    *leaving.VIEWS,
    *models.VIEWS,
    *audit.VIEWS,
    *partners.VIEWS,
    *settings.VIEWS,
    *people.VIEWS,
    *policy.VIEWS,
    *notices.VIEWS,
)
ACTS: tuple[Act | Draft, ...] = (
    *inbox.ACTS,
    *requests.ACTS,
    *status.ACTS,
    *budgets.ACTS,
    *leaving.ACTS,
    *partners.ACTS,
    *checkpoints.ACTS,
    *people.ACTS,
    *policy.ACTS,
    *notices.ACTS,
    *mapping.ACTS,
)
