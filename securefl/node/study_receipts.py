"""Receipt of this hospital in a completed study, given once nothing more of it is awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.federation import paths
from securefl.federation.study_receipt import Receipt
from securefl.node.model_watch import expected_models
from securefl.party.outbox import post

if TYPE_CHECKING:
    from securefl.node.site import Site


def give_receipt(site: Site, digest: str) -> None:
    """Say that this hospital needs nothing more of a study's bytes, unless its model is awaited.

    Kept until the store takes it.
    """
    awaited = expected_models(site).get(digest)
    if awaited is not None and awaited["until"]:
        return
    word = Receipt(digest, site.name, removed=False)
    post(site, paths.receipt(digest, site.name), word.dump(site.identity.sign))
