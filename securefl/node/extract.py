"""Publication of a study's audit extract at its end (:mod:`securefl.party.audit_extract`), and of the
receipt where no model is awaited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.federation import paths
from securefl.node.study_receipts import give_receipt
from securefl.party.audit_extract import sealed_extract
from securefl.party.outbox import post
from securefl.privacy.audit import extract

if TYPE_CHECKING:
    from securefl.node.site import Site
    from securefl.study.schema import Study


def publish_extract(site: Site, digest: str, study: Study) -> None:
    """Put this study's charges and releases into the store; no other study, no share of the budget."""
    found = extract(site.ledger.events(), digest)
    # the same in two studies, it would tell their researcher whether a single record changed in
    # between
    found["dataset"]["snapshot"] = site.keyed(f"extract/{digest}/{found['dataset']['snapshot']}")
    post(
        site,
        paths.extract(digest, site.name),
        sealed_extract(
            found,
            digest,
            study,
            site.identity,
        ),
    )
    give_receipt(site, digest)
