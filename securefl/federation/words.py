"""Last words in the store: anybody can write there, so only what a party of the study signed counts; the rest is as if it were not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.errors import MessageError
from securefl.federation import paths
from securefl.federation.messages import MAX_SMALL, End, Status, open_end, open_status
from securefl.identity import verify

if TYPE_CHECKING:
    from securefl.federation.rounds import Plan
    from securefl.store import Store


def last_word(store: Store, plan: Plan) -> Status | None:
    """The first signed status of a hospital or the aggregator, in the order of their names; None when none ended its part."""
    aggregator = plan.study.aggregator
    keys = {**plan.signing_keys(), aggregator.name: aggregator.signing_public}
    for site in store.list(paths.status_folder(plan.digest)):
        if site in keys and (said := status_of(store, plan.digest, site, keys[site])):
            return said
    return None


def status_of(store: Store, digest: str, site: str, signing_public: str) -> Status | None:
    """What that party signed about its own end of the study; None when it said nothing."""
    try:
        data = store.get(paths.status(digest, site), MAX_SMALL)
        return open_status(data, study=digest, site=site, verify=lambda s, m: verify(signing_public, s, m)) if data else None
    except MessageError:
        return None


def end_of(store: Store, plan: Plan) -> End | None:
    """The end that the coordinator signed; None while it has not ended the study."""
    key = plan.study.coordinator.signing_public
    try:
        data = store.get(paths.ending(plan.digest), MAX_SMALL)
        return open_end(data, study=plan.digest, verify=lambda s, m: verify(key, s, m)) if data else None
    except MessageError:
        return None
