"""The store as a carrier: the announcement comes last, unsigned words count for nothing, and a deadline names who is missing."""

import pytest
from conftest import fixed_identity
from federation_room import NAMES, Room

from securefl.errors import MessageError, RoundError
from securefl.federation import paths
from securefl.federation.exchange import LocalExchange, StoreExchange
from securefl.federation.messages import MAX_SMALL, End, Status
from securefl.federation.words import end_of, last_word, status_of
from securefl.store import Store

STRANGER = fixed_identity("Stranger", "hospital")


@pytest.fixture(scope="module")
def room():
    return Room()


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path))


@pytest.fixture
def exchange(room, store):
    return StoreExchange(store, room.plan)


def facts_of(room, keys, number=1):
    return room.plan.facts(number, 1, keys.public.sha256, room.plan.study.model.initial_sha256)


def at(room, number=1):
    return paths.RoundPaths(room.plan.digest, number, 1)


def say(room, store, site, code="data", *, by=None, digest=None):
    by = by or room.identities.get(site, room.operator)
    store.put(paths.status(room.plan.digest, site), Status(digest or room.plan.digest, site, 1, code).dump(by.sign))


def test_who_sees_an_announcement_finds_the_rest(room, store):
    order = []

    class Watching(Store):
        def put(self, path, data):
            order.append(path)
            super().put(path, data)

    keys, given = room.announce()
    StoreExchange(Watching(store.url), room.plan).broadcast(facts_of(room, keys), given)
    assert order == [at(room).key, at(room).model, at(room).announcement]


def test_a_round_is_announced_once(room, exchange):
    keys, given = room.announce()
    exchange.broadcast(facts_of(room, keys), given)
    with pytest.raises(RoundError, match="announced before"):
        exchange.broadcast(facts_of(room, keys), given)


def test_the_sum_and_its_contributions_come_back(room, store, exchange):
    keys, _ = room.announce()
    store.put(at(room).sum, b"the sum")
    for site in NAMES:
        store.put(at(room).contribution(site), site.encode())
    store.put(at(room).contribution("Stranger"), b"not asked for")
    replies = exchange.collect(facts_of(room, keys), 1)
    assert replies.sum == b"the sum"
    assert replies.contributions == {site: site.encode() for site in NAMES}


@pytest.mark.parametrize("missing", [NAMES[:1], NAMES[1:]], ids=str)
def test_a_deadline_names_who_is_missing(room, store, exchange, missing):
    keys, _ = room.announce()
    for site in set(NAMES) - set(missing):
        store.put(at(room).contribution(site), b"here")
    with pytest.raises(RoundError, match="not complete") as late:
        exchange.collect(facts_of(room, keys), 0.05)
    assert late.value.whose == ", ".join(missing)


def test_when_all_hospitals_answered_the_aggregator_is_named(room, store, exchange):
    keys, _ = room.announce()
    for site in NAMES:
        store.put(at(room).contribution(site), b"here")
    with pytest.raises(RoundError, match="the aggregator"):
        exchange.collect(facts_of(room, keys), 0.05)


def test_a_hospitals_code_ends_the_round_at_once_and_names_it(room, store, exchange):
    keys, _ = room.announce()
    say(room, store, NAMES[1], "data")
    with pytest.raises(RoundError, match=f"{NAMES[1]} ended .* 'data'") as over:
        exchange.collect(facts_of(room, keys), 60)
    assert over.value.whose == NAMES[1]


def test_the_aggregators_refusal_ends_the_round(room, store, exchange):
    keys, _ = room.announce()
    say(room, store, "Aggregator", "message")
    with pytest.raises(RoundError, match="Aggregator ended"):
        exchange.collect(facts_of(room, keys), 60)


SPOOFS = {
    "another signer": lambda room, store: say(room, store, NAMES[0], by=STRANGER),
    "another hospital": lambda room, store: say(room, store, NAMES[0], by=room.identities[NAMES[1]]),
    "another study": lambda room, store: say(room, store, NAMES[0], digest="ab" * 32),
    "not signed": lambda room, store: store.put(paths.status(room.plan.digest, NAMES[0]), b"withdrawn"),
    "oversized": lambda room, store: store.put(paths.status(room.plan.digest, NAMES[0]), b" " * (MAX_SMALL + 1)),
    "empty": lambda room, store: store.put(paths.status(room.plan.digest, NAMES[0]), b""),
    "no participant": lambda room, store: say(room, store, "Stranger", by=STRANGER),
}


@pytest.mark.parametrize("spoof", SPOOFS)
def test_what_the_stores_operator_writes_in_a_hospitals_name_is_ignored(room, store, exchange, spoof):
    SPOOFS[spoof](room, store)
    keys, _ = room.announce()
    assert last_word(store, room.plan) is None
    store.put(at(room).sum, b"the sum")
    assert exchange.collect(facts_of(room, keys), 1).sum == b"the sum"


def test_a_signed_status_is_found_behind_spoofed_ones(room, store):
    SPOOFS["another signer"](room, store)
    say(room, store, NAMES[2], "withdrawn")
    assert last_word(store, room.plan).site == NAMES[2]
    assert status_of(store, room.plan.digest, NAMES[0], room.identities[NAMES[0]].card.signing_public) is None


def test_only_the_coordinator_ends_a_study(room, store):
    end = End(room.plan.digest, "completed", 5)
    for data in (end.dump(STRANGER.sign), end.dump(room.identities[NAMES[0]].sign), b"completed", b" " * (MAX_SMALL + 1), b""):
        store.put(paths.ending(room.plan.digest), data)
        assert end_of(store, room.plan) is None
    store.put(paths.ending(room.plan.digest), end.dump(room.researcher.sign))
    assert end_of(store, room.plan) == end


def test_an_oversized_sum_is_not_read(room, store, exchange):
    keys, _ = room.announce()
    store.put(at(room).sum, bytes(1 << 20))
    with pytest.raises(MessageError, match="longer than"):
        exchange.collect(facts_of(room, keys), 1)


def test_in_one_process_a_round_is_broadcast_before_it_is_collected(room):
    keys, _ = room.announce()
    with pytest.raises(RoundError, match="No round was broadcast"):
        LocalExchange([], room.aggregator).collect(facts_of(room, keys), 1)
