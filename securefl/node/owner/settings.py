"""Settings of a hospital, as they may stand on a screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.boards.url import without_password
from securefl.environment import version
from securefl.node.own_policy import kept_policy
from securefl.node.worker_rules import site_isolation

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.node.site import Site
    from securefl.report.isolation import Isolation


@dataclass(frozen=True)
class OwnSettings:
    """What holds at this hospital until its owner changes it.

    Attributes:
        name: as in studies.
        legal_name: the full one.
        email: on the card.
        store: where messages pass, without a password.
        folder: where keys and ledger lie.
        isolation: what the machine enforces on the worker.
        version: securefl's.
        rules: of the owner's policy, label and value; None where there is none.
        has_pysyft: whether requests come through PySyft.
    """

    name: str
    legal_name: str
    email: str
    store: str
    folder: Path
    isolation: Isolation
    version: str
    rules: list[tuple[str, str]] | None
    has_pysyft: bool = True


def read_settings(site: Site) -> OwnSettings:
    """Read the settings; nothing secret is among them.

    Raises:
        UnreadableError: the policy is not signed by this hospital.
    """
    kept = site.settings
    policy = kept_policy(site)
    return OwnSettings(
        name=kept.name,
        legal_name=kept.legal_name,
        email=kept.email,
        store=without_password(kept.store),
        folder=site.path,
        isolation=site_isolation(site),
        version=version(),
        rules=None if policy is None else policy.rows(),
        has_pysyft=site.has_pysyft,
    )
