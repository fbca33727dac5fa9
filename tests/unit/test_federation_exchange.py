"""The store as a carrier: the announcement comes last, unsigned words count for nothing, and a
deadline names who is missing.
"""

import hashlib
import io

import numpy as np
import pytest
from boards import FolderBoard, is_there
from conftest import SITES, fixed_identity
from in_process_federation import (
    INSTANCES,
    NAMES,
    Room,
    added,
    going_on,
    head_in,
    in_memory,
    sealed_study,
)

from securefl.boards.opening import open_board
from securefl.errors import MessageError, RoundError, StoreError
from securefl.federation import paths
from securefl.federation import store_exchange as exchange_module
from securefl.federation.aggregator import Aggregator
from securefl.federation.aggregator_service import AggregatorService, _Serving
from securefl.federation.aggregator_watch import NoWatch
from securefl.federation.exchange import Waiting
from securefl.federation.full_round import FullRound
from securefl.federation.local_exchange import LocalExchange
from securefl.federation.messages import MAX_ANNOUNCEMENT, MAX_SMALL, End, Status
from securefl.federation.status_board import end_of, ending_departure, first_departure, status_of
from securefl.federation.store_exchange import StoreExchange
from securefl.federation.survivor_round import SurvivorRound
from securefl.secagg.streaming import read_survivors_sum
from securefl.secagg.survivors import Survivors, write_proposal
from securefl.study.training import training_of

STRANGER = fixed_identity("Stranger", "hospital")


@pytest.fixture(scope="module")
def room():
    return Room()


@pytest.fixture
def store(tmp_path):
    return open_board(str(tmp_path))


@pytest.fixture
def exchange(room, store):
    return StoreExchange(store, room.plan)


def answer_all(room, store, sites=NAMES):
    """Announce round 1 and put these hospitals' frames and, of all of them, the sum; (keys, facts,
    frames).
    """
    keys, given = room.announce()
    frames = {}
    for site in NAMES:
        ones = np.ones(room.plan.parameters, dtype=np.int64)
        frames[site] = (
            room.participant(site, trainer=lambda *_, v=ones: v, keeper=in_memory)
            .answer(given)
            .read()
        )
        if site in sites:
            store.post(at(room).contribution(site), frames[site])
    if tuple(sites) == tuple(NAMES):
        store.post(at(room).sum, added(room, given.announcement, frames))
    return keys, facts_of(room, keys), frames


def facts_of(room, keys, number=1):
    return room.plan.facts(
        number,
        keys.public.sha256,
        training_of(room.plan.study).model.initial_sha256,
        instances=INSTANCES,
    )


def at(room, number=1):
    return paths.RoundPaths(room.plan.digest, number)


def say(room, store, site, code="data", *, by=None, digest=None):
    by = by or room.identities.get(site, room.operator)
    store.post(
        paths.status(room.plan.digest, site),
        Status(digest or room.plan.digest, site, 1, code).dump(by.sign),
    )


def test_who_sees_an_announcement_finds_the_rest(room, store):
    order = []

    class Watching(FolderBoard):
        def post(self, path, data):
            order.append(path)
            super().post(path, data)

        def post_file_first(self, path, source):
            order.append(path)
            return super().post_file_first(path, source)

    keys, given = room.announce()
    StoreExchange(Watching(store.url), room.plan).broadcast(facts_of(room, keys), given)
    assert order == [at(room).key, at(room).model, at(room).announcement]


def test_a_round_is_announced_in_one_wording(room, exchange):
    keys, given = room.announce()
    exchange.broadcast(facts_of(room, keys), given)
    exchange.broadcast(facts_of(room, keys), given)  # the same bytes, after a crash
    keys, given = room.announce()
    with pytest.raises(RoundError, match="announced before, in other words"):
        exchange.broadcast(facts_of(room, keys), given)


@pytest.mark.parametrize("knows_the_first", [True, False])
def test_of_two_copies_of_a_coordinator_at_once_one_announces(
    room, store, monkeypatch, knows_the_first
):
    """Both had seen that nothing is announced. False is the control: a place that cannot refuse the
    second, as it is between a look and a write.
    """
    other = room.announce()[1].announcement
    keys, given = room.announce()

    class Slow(FolderBoard):
        def post_file_first(self, path, source):
            assert self.read(path, 1 << 20) is None
            store.post(path, other)
            if not knows_the_first:
                self.post_file(path, source)
                return True
            return super().post_file_first(path, source)

    exchange = StoreExchange(Slow(store.url), room.plan)
    if knows_the_first:
        with pytest.raises(RoundError, match="announced before, in other words"):
            exchange.broadcast(facts_of(room, keys), given)
    else:
        exchange.broadcast(facts_of(room, keys), given)
    kept = other if knows_the_first else given.announcement
    assert store.read(at(room).announcement, 1 << 20) == kept


def test_the_sum_and_its_contributions_come_back(room, store, exchange):
    _, facts, frames = answer_all(room, store)
    store.post(at(room).contribution("Stranger"), b"not asked for")
    arrivals = FullRound(room.plan, facts)
    claimed = exchange.collect(arrivals, 60)
    assert claimed.sha256 == hashlib.sha256(store.read(at(room).sum, 1 << 20)).hexdigest()
    assert (
        claimed.parts
        == arrivals.parts
        == {site: hashlib.sha256(frame).hexdigest() for site, frame in frames.items()}
    )


@pytest.mark.parametrize(
    "junk", [b"the sum", b"", bytes(1 << 20)], ids=["junk", "empty", "oversized"]
)
def test_a_sum_that_the_aggregator_did_not_sign_is_not_there_yet(room, store, exchange, junk):
    _, facts, _ = answer_all(room, store)
    whole = store.read(at(room).sum, 1 << 20)
    store.post(at(room).sum, junk)
    with pytest.raises(RoundError, match="the aggregator"):
        exchange.collect(FullRound(room.plan, facts), 0.05)
    store.post(at(room).sum, whole)
    assert (
        exchange.collect(FullRound(room.plan, facts), 60).sha256
        == hashlib.sha256(whole).hexdigest()
    )


def test_what_somebody_else_put_in_an_announcements_place_is_written_over(room, store, exchange):
    keys, given = room.announce()
    for junk in (
        b"round 1",
        b" " * (MAX_ANNOUNCEMENT + 1),
        room.announce(sign=STRANGER.sign)[1].announcement,
    ):
        store.post(at(room).announcement, junk)
        exchange.broadcast(facts_of(room, keys), given)
        assert store.read(at(room).announcement, MAX_ANNOUNCEMENT) == given.announcement
        store.erase(at(room).announcement)


def test_a_deadline_that_passes_at_once_still_names_only_who_is_missing(room, store, exchange):
    """One contribution is checked at each look; on a slow machine the deadline comes before the
    last of them.
    """
    _, facts, _ = answer_all(room, store, NAMES[1:])
    with pytest.raises(RoundError, match="not complete") as late:
        exchange.collect(FullRound(room.plan, facts), 0)
    assert late.value.whose == NAMES[0]


@pytest.mark.parametrize("missing", [NAMES[:1], NAMES[1:]], ids=str)
def test_a_deadline_names_who_is_missing(room, store, exchange, missing):
    _, facts, _ = answer_all(room, store, [s for s in NAMES if s not in missing])
    with pytest.raises(RoundError, match="not complete") as late:
        exchange.collect(FullRound(room.plan, facts), 0)
    assert late.value.whose == ", ".join(missing)


def test_when_all_hospitals_answered_the_aggregator_is_named(room, store, exchange):
    _, facts, _ = answer_all(room, store)
    store.erase(at(room).sum)
    with pytest.raises(RoundError, match="the aggregator"):
        exchange.collect(FullRound(room.plan, facts), 0)


def test_a_hospitals_code_ends_the_round_at_once_and_names_it(room, store, exchange):
    keys, _ = room.announce()
    say(room, store, NAMES[1], "data")
    with pytest.raises(RoundError, match=f"{NAMES[1]} ended .* 'data'") as over:
        exchange.collect(FullRound(room.plan, facts_of(room, keys)), 60)
    assert over.value.whose == NAMES[1]


def test_the_aggregators_refusal_ends_the_round(room, store, exchange):
    keys, _ = room.announce()
    say(room, store, "Aggregator", "message")
    with pytest.raises(RoundError, match="Aggregator ended"):
        exchange.collect(FullRound(room.plan, facts_of(room, keys)), 60)


SPOOFS = {
    "another signer": lambda room, store: say(room, store, NAMES[0], by=STRANGER),
    "another hospital": lambda room, store: say(
        room, store, NAMES[0], by=room.identities[NAMES[1]]
    ),
    "another study": lambda room, store: say(room, store, NAMES[0], digest="ab" * 32),
    "not signed": lambda room, store: store.post(
        paths.status(room.plan.digest, NAMES[0]), b"withdrawn"
    ),
    "oversized": lambda room, store: store.post(
        paths.status(room.plan.digest, NAMES[0]), b" " * (MAX_SMALL + 1)
    ),
    "empty": lambda room, store: store.post(paths.status(room.plan.digest, NAMES[0]), b""),
    "no participant": lambda room, store: say(room, store, "Stranger", by=STRANGER),
}


@pytest.mark.parametrize("spoof", SPOOFS)
def test_what_the_stores_operator_writes_in_a_hospitals_name_is_ignored(
    room, store, exchange, spoof
):
    SPOOFS[spoof](room, store)
    assert first_departure(store, room.plan) is None
    _, facts, _ = answer_all(room, store)
    assert exchange.collect(FullRound(room.plan, facts), 60).parts


def test_a_signed_status_is_found_behind_spoofed_ones(room, store):
    SPOOFS["another signer"](room, store)
    say(room, store, NAMES[2], "withdrawn")
    assert first_departure(store, room.plan).site == NAMES[2]
    assert (
        status_of(store, room.plan.digest, NAMES[0], room.identities[NAMES[0]].card.signing_public)
        is None
    )


def test_only_the_coordinator_ends_a_study(room, store):
    end = End(room.plan.digest, "completed", 5)
    for data in (
        end.dump(STRANGER.sign),
        end.dump(room.identities[NAMES[0]].sign),
        b"completed",
        b" " * (MAX_SMALL + 1),
        b"",
    ):
        store.post(paths.ending(room.plan.digest), data)
        assert end_of(store, room.plan) is None
    store.post(paths.ending(room.plan.digest), end.dump(room.researcher.sign))
    assert end_of(store, room.plan) == end


def test_in_one_process_a_round_is_broadcast_before_it_is_collected(room):
    keys, _ = room.announce()
    with pytest.raises(RoundError, match="No round was broadcast"):
        LocalExchange([], room.aggregator).collect(FullRound(room.plan, facts_of(room, keys)), 1)


# --- studies that go on after a loss
# ----------------------------------------------------------------------------------

FIVE = tuple(sorted(SITES))
GOING_ON = going_on(sealed_study(("min_contributors = 5", "min_contributors = 4"), names=FIVE)[1])


@pytest.fixture(scope="module")
def five():
    """(room, terms, participants by name, frames) of round 1."""
    room = Room(GOING_ON)
    keys, given = room.announce()
    people = {p.name: p for p in room.participants()}
    frames = {site: p.answer(given).read() for site, p in people.items()}
    return room, GOING_ON.terms(facts_of(room, keys)), people, frames, given


def place(room, store, frames):
    for site, frame in frames.items():
        store.post(at(room).contribution(site), frame)


def test_who_left_is_not_waited_for_and_who_is_silent_is_until_the_deadline(five, store):
    room, terms, _, frames, _ = five
    lost, *rest = FIVE
    place(room, store, {s: frames[s] for s in rest})
    tally = SurvivorRound(GOING_ON, terms)
    StoreExchange(store, GOING_ON).gather(
        tally, 0.05
    )  # comes back at the deadline, with those that are there
    assert set(tally.state.heads) == set(rest)
    say(room, store, lost, "round")
    StoreExchange(store, GOING_ON).gather(
        SurvivorRound(GOING_ON, terms), 3600
    )  # comes back at once


def test_who_left_after_contributing_is_in_the_sum(five, store):
    room, terms, _, frames, _ = five
    place(room, store, frames)
    say(room, store, FIVE[0], "round")
    tally = SurvivorRound(GOING_ON, terms)
    StoreExchange(store, GOING_ON).gather(tally, 3600)
    assert set(tally.state.heads) == set(FIVE)


def test_a_frame_that_fails_its_checks_is_as_if_it_had_not_come(five, store):
    room, terms, _, frames, _ = five
    place(
        room,
        store,
        {**frames, FIVE[1]: frames[FIVE[1]][:-1], FIVE[2]: bytes(10_000_000), "Stranger": b"x"},
    )
    tally = SurvivorRound(GOING_ON, terms)
    StoreExchange(store, GOING_ON).gather(tally, 0.05)
    assert set(tally.refused) == set(FIVE[1:3])
    place(room, store, frames)  # and is looked at again
    StoreExchange(store, GOING_ON).gather(tally, 3600)
    assert set(tally.state.heads) == set(FIVE)


def test_a_hospital_reads_in_the_proposal_whether_its_very_frame_is_in_it(five):
    room, terms, people, frames, _ = five
    tally = SurvivorRound(GOING_ON, terms)
    for site in FIVE[1:]:
        tally.add_frame(
            site, io.BytesIO(frames[site]) if isinstance(frames[site], bytes) else frames[site]
        )
    hashes = {s: tally.state.heads[s].sha256 for s in FIVE[1:]}

    def proposed(parts, sign=room.researcher.sign):
        return write_proposal(Survivors(terms, parts), "Researcher", sign)

    assert people[FIVE[1]].later.is_in(proposed(hashes))
    assert not people[FIVE[0]].later.is_in(proposed(hashes))
    assert not people[FIVE[1]].later.is_in(proposed({**hashes, FIVE[1]: "0" * 64}))
    assert people[FIVE[1]].later.survivors is None  # it was read, not signed
    with pytest.raises(MessageError):
        people[FIVE[1]].later.is_in(proposed(hashes, STRANGER.sign))


FATAL = {
    "two are gone": lambda room, store: [say(room, store, s, "round") for s in FIVE[:2]],
    "one withdrew": lambda room, store: say(room, store, FIVE[0], "withdrawn"),
    "the aggregator": lambda room, store: say(room, store, "Aggregator", "message"),
}


@pytest.mark.parametrize("why", FATAL)
def test_what_ends_a_study_that_goes_on(five, store, why):
    room, terms, *_ = five
    FATAL[why](room, store)
    with pytest.raises(RoundError, match="ended its part"):
        StoreExchange(store, GOING_ON).gather(SurvivorRound(GOING_ON, terms), 3600)


def test_a_transcript_that_the_store_does_not_take_is_left_with_the_next_and_ends_nothing(
    room, store
):
    class Away(FolderBoard):
        away = True

        def post(self, path, data):
            if self.away:
                raise StoreError("The store is away.")
            super().post(path, data)

    away, warnings = Away(store.url), []
    exchange = StoreExchange(away, room.plan, warnings.append)
    exchange.leave(1, b"first")
    assert [("round 1" in w, "The store is away" in w) for w in warnings] == [(True, True)]
    exchange.catch_up()
    assert len(warnings) == 2
    away.away = False
    exchange.leave(2, b"second")
    assert [store.read(at(room, n).transcript, 10) for n in (1, 2)] == [b"first", b"second"]
    away.away = True
    exchange.catch_up()  # nothing is left to leave
    assert len(warnings) == 2


def test_one_that_is_gone_ends_nothing(five, store):
    room, *_ = five
    say(room, store, FIVE[0], "round")
    assert ending_departure(store, GOING_ON, FIVE) is None
    assert ending_departure(store, GOING_ON, FIVE[:4]).site == FIVE[0]
    assert ending_departure(store, GOING_ON, FIVE[:4], frozenset(FIVE[:1])) is None
    assert StoreExchange(store, GOING_ON).gone() == {FIVE[0]}


class Told(NoWatch):
    """Whom an aggregator said that it waits for, each set once, and what it added."""

    def __init__(self):
        self.waits = []
        self.added = []

    def waiting(self, plan, number, sites, since):
        if (number, sites) not in self.waits:
            self.waits.append((number, sites))

    def summed(self, plan, number, added):
        self.added.append((number, added.contributors, added.frame_bytes, added.waits_for))


def test_survivors_sign_answer_and_the_aggregator_adds_through_the_store(store):
    room = Room(GOING_ON)
    keys, given = room.announce()
    people = {p.name: p for p in room.participants()}
    exchange, here = StoreExchange(store, GOING_ON), at(room)
    exchange.broadcast(facts_of(room, keys), given)
    told = Told()
    serving = AggregatorService(store, room.operator, None, lambda _: None, watch=told)
    serving._serving[GOING_ON.digest] = _Serving(Aggregator(GOING_ON, room.operator), store)
    assert not serving.step()
    room_frames = {s: people[s].answer(given).read() for s in FIVE[1:]}
    place(room, store, room_frames)
    assert not serving.step()
    assert told.waits == [(1, FIVE), (1, FIVE[:1])]
    tally = SurvivorRound(GOING_ON, GOING_ON.terms(facts_of(room, keys)))
    exchange.gather(tally, 0.05)
    survivors = Survivors(tally.terms, {s: tally.state.heads[s].sha256 for s in FIVE[1:]})
    proposal = write_proposal(survivors, "Researcher", room.researcher.sign)
    tally.state.adopt(survivors)
    assert not serving.step()
    with pytest.raises(
        RoundError, match="no signature under the survivor set came from " + ", ".join(FIVE[1:])
    ):
        exchange.conclude(tally, proposal, 0.05)
    assert not serving.step()
    said = {
        s: people[s].later.agree(proposal, head_in(room_frames)(people[s].later)) for s in FIVE[1:]
    }
    for site, data in said.items():
        store.post(here.agreement(site), data)
    store.post(here.agreement("Stranger"), b"x")
    store.post(here.answer(FIVE[1]), b"junk")  # as if it were not there
    with pytest.raises(RoundError, match="no unmasking answer came from " + ", ".join(FIVE[1:])):
        exchange.conclude(tally, proposal, 0.05)
    for site in FIVE[1:]:
        store.post(here.answer(site), people[site].later.answer(said))
    with pytest.raises(RoundError, match="no sum came from the aggregator"):
        exchange.conclude(tally, proposal, 0.05)
    assert serving.step()
    size = max(len(frame) for frame in room_frames.values())
    assert told.waits[2:] == [(1, FIVE[1:])]  # signatures, then answers of the survivors
    assert told.added == [(1, FIVE[1:], size, ())]
    claimed = exchange.conclude(tally, proposal, 60)
    assert all(
        np.array_equal(a, b) for a, b in zip(claimed.blocks(), tally.sum_blocks(), strict=True)
    )
    data = store.read(here.sum, 1 << 20)
    whole = read_survivors_sum(io.BytesIO(data), survivors, "Aggregator", room.operator.card.verify)
    assert all(np.array_equal(a, b) for a, b in zip(whole, tally.sum_blocks(), strict=True))
    assert not serving.step()  # round 2 is not announced


def test_an_aggregator_waits_where_a_signed_frame_was_exchanged_and_adds_when_it_is_back(store):
    room = Room(GOING_ON)
    keys, given = room.announce()
    people = {p.name: p for p in room.participants()}
    frames = {site: p.answer(given).read() for site, p in people.items()}
    serving = AggregatorService(store, room.operator, None, lambda _: None)
    serving._serving[GOING_ON.digest] = _Serving(Aggregator(GOING_ON, room.operator), store)
    store.post(at(room).announcement, b"x" * (MAX_ANNOUNCEMENT + 1))
    assert not serving.step()
    store.post(at(room).announcement, b"junk")
    assert not serving.step()
    store.post(at(room).announcement, given.announcement)
    place(room, store, {**frames, FIVE[0]: frames[FIVE[1]]})
    tally = SurvivorRound(GOING_ON, GOING_ON.terms(facts_of(room, keys)))
    for site, frame in frames.items():
        tally.add_frame(site, io.BytesIO(frame))
    survivors = Survivors(tally.terms, {s: tally.state.heads[s].sha256 for s in FIVE})
    proposal = write_proposal(survivors, "Researcher", room.researcher.sign)
    store.post(at(room).proposal, b"x" * (1 << 20))
    assert not serving.step()
    store.post(at(room).proposal, proposal)
    said = {s: people[s].later.agree(proposal, head_in(frames)(people[s].later)) for s in FIVE}
    for site in FIVE:
        store.post(at(room).answer(site), people[site].later.answer(said))
    assert not serving.step()
    place(room, store, frames)
    assert serving.step()
    assert is_there(store, at(room).sum)


def test_whom_a_round_waits_for_is_told_with_the_time(room, store, monkeypatch):
    monkeypatch.setattr(exchange_module, "_TELL", 0.0)
    told = []
    watched = StoreExchange(store, room.plan, waiting=told.append)
    _, facts, _ = answer_all(room, store, NAMES[:2])
    with pytest.raises(RoundError):
        watched.collect(FullRound(room.plan, facts), 0.3)
    assert told[0].names == NAMES
    assert told[-1].names == NAMES[2:]
    assert all(0 <= one.seconds <= one.deadline == 0.3 for one in told[:-1])
    _, facts, _ = answer_all(room, store, NAMES)
    store.erase(at(room).sum)
    del told[:]
    with pytest.raises(RoundError):
        watched.collect(FullRound(room.plan, facts), 0.3)
    assert told[-1].names == ("Aggregator",)
    assert str(Waiting(("Nord", "Sued"), 41.2, 120.0)) == "waiting for Nord, Sued (41 s of 120)"
