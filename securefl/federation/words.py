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


def all_words(store: Store, plan: Plan) -> dict[str, Status]:
    """Everybody of the study who ended its part, with what was signed about it."""
    aggregator = plan.study.aggregator
    keys = {**plan.signing_keys(), aggregator.name: aggregator.signing_public}
    found = ((site, status_of(store, plan.digest, site, keys[site])) for site in store.list(paths.status_folder(plan.digest)) if site in keys)
    return {site: said for site, said in found if said is not None}


def final_word(store: Store, plan: Plan, cohort: tuple[str, ...], keeps: frozenset[str] = frozenset()) -> Status | None:
    """The word that ends the study for all; None when there is none.

    Where the study ends with a loss, anybody's. Where it goes on: the aggregator's, a withdrawal where the study says that it
    ends then, or the one with which too few hospitals are left.

    Args:
        store: the store.
        plan: the study.
        cohort: who is still in it.
        keeps: who counts as there whatever they said, since nothing more is needed of them in this round.
    """
    if not plan.goes_on:
        return last_word(store, plan)
    said = all_words(store, plan)
    for name, word in sorted(said.items()):
        if name == plan.study.aggregator.name or (name in cohort and word.code == "withdrawn" and plan.study.exit.on_withdrawal == "study-ends"):
            return word
    gone = [word for name, word in sorted(said.items()) if name in cohort and name not in keeps]
    return gone[-1] if len(cohort) - len(gone) < plan.study.secagg.min_contributors else None


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
