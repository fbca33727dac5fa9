"""The aggregator at work: it serves whom its operator trusts, adds complete rounds only, and says a
code when it cannot.
"""

from datetime import timedelta

import numpy as np
import pytest
from boards import FolderBoard
from conftest import fixed_identity
from in_process_federation import NAMES, Room, added, announced_context, in_memory, sealed_study
from secagg_whole import read_sum

from securefl.boards.board import CarriedBoard
from securefl.boards.opening import open_board
from securefl.boards.slot import Slot
from securefl.errors import MessageError, RoundError, StoreError
from securefl.federation import messages, paths
from securefl.federation.aggregator import Aggregator
from securefl.federation.aggregator_service import AggregatorService
from securefl.federation.full_round import FullRound
from securefl.federation.messages import MAX_ANNOUNCEMENT, MAX_SMALL, End, Invitation, Status
from securefl.party.aggregator_events import AggregatorEvents, served_studies
from securefl.party.events import EVENTS, read_events

TEXT, PLAN = sealed_study()


class Book:
    """The coordinators that the operator trusts."""

    def __init__(self, *identities):
        self._cards = {i.card.name: i.card for i in identities}

    def cards(self):
        return self._cards


@pytest.fixture(scope="module")
def room():
    return Room(PLAN)


@pytest.fixture
def store(tmp_path):
    return open_board(str(tmp_path))


@pytest.fixture
def said():
    return []


def service(room, store, said, *trusted):
    return AggregatorService(
        store, room.operator, Book(*(trusted or (room.researcher,))), said.append
    )


def invite(room, store, *, by=None, text=TEXT, digest=PLAN.digest):
    store.post(paths.study_file(digest), text.encode())
    store.post(
        paths.invitation(digest),
        Invitation(digest, "Researcher").dump((by or room.researcher).sign),
    )


def answered(room, store, sites=NAMES):
    """Round 1 announced and answered by these hospitals; returns its facts and the frames."""
    _, given = room.announce()
    at = paths.RoundPaths(PLAN.digest, 1)
    store.post(at.announcement, given.announcement)
    frames = {}
    for seed, site in enumerate(sites):
        values = np.full(PLAN.parameters, seed, dtype=np.int64)
        me = room.participant(site, trainer=lambda *_, v=values: v, keeper=in_memory)
        frames[site] = me.answer(given).read()
        store.post(at.contribution(site), frames[site])
    return announced_context(PLAN, given.announcement), frames


def test_a_complete_round_is_added_and_signed(room, store, said):
    invite(room, store)
    here = service(room, store, said)
    here.look()
    assert here.busy
    assert not here.step()
    facts, frames = answered(room, store)
    assert here.step()
    total = read_sum(
        store.read(paths.RoundPaths(PLAN.digest, 1).sum, 1 << 20),
        facts,
        "Aggregator",
        room.operator.card.verify,
    )
    assert set(total.parts) == set(frames)
    assert not here.step()  # round 2 is not announced


def test_who_looks_on_hears_of_the_study_its_wait_and_its_end(room, store, said, tmp_path):
    now = [PLAN.study.schedule.opens]
    events = AggregatorEvents(tmp_path, lambda: now[0])
    invite(room, store)
    here = AggregatorService(
        store, room.operator, Book(room.researcher), said.append, lambda: now[0], watch=events
    )
    here.look()
    _, frames = answered(room, store, NAMES[:-1])
    assert not here.step()
    begun = now[0]
    now[0] += timedelta(seconds=10)
    assert not here.step()
    (waits,) = served_studies(read_events(tmp_path / EVENTS))
    assert (waits.done, waits.waits_for, waits.since) == (0, NAMES[-1:], begun)
    now[0] = PLAN.study.schedule.closes + timedelta(days=30)
    assert not here.step()
    (over,) = served_studies(read_events(tmp_path / EVENTS))
    assert (over.waits_for, over.code, over.failed) == ((), "closed", False)
    assert len(frames) == len(NAMES) - 1
    events.close()


class KilledError(BaseException):
    """As SIGKILL: no handler of the program's sees it."""


def killing(work, *, after):
    """``work``, by whose beginning or end the process is killed."""

    def killed(*given, **named):
        if after:
            work(*given, **named)
        raise KilledError

    return killed


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("where", "what"),
    [(FullRound, "poll"), (FullRound, "write_sum"), (Aggregator, "add"), (Slot, "post_file")],
)
def test_killed_anywhere_the_next_process_signs_the_same_bytes(
    room, store, said, monkeypatch, where, what, after
):
    invite(room, store)
    answered(room, store)
    first = service(room, store, said)
    first.look()
    with monkeypatch.context() as patched:
        patched.setattr(where, what, killing(getattr(where, what), after=after))
        with pytest.raises(KilledError):
            first.step()
    there = store.read(paths.RoundPaths(PLAN.digest, 1).sum, 1 << 20)
    assert (there is not None) is (after and what == "post_file")

    undisturbed = service(room, store, said)
    undisturbed.look()
    assert undisturbed.step()
    total = store.read(paths.RoundPaths(PLAN.digest, 1).sum, 1 << 20)
    assert there in {None, total}
    again = service(room, store, said)
    again.look()
    assert again.step()
    assert store.read(paths.RoundPaths(PLAN.digest, 1).sum, 1 << 20) == total


def test_a_process_that_begins_late_begins_with_the_round_that_is_going_on(room, store, said):
    invite(room, store)
    answered(room, store)
    second = room.announce(2)[1].announcement
    store.post(paths.RoundPaths(PLAN.digest, 2).announcement, second)
    here = service(room, store, said)
    here.look()
    assert here._serving[PLAN.digest].next_round == 2
    for there in (b"junk", second):  # what somebody else put there makes no round
        store.post(paths.RoundPaths(PLAN.digest, 3).announcement, there)
        another = service(room, store, said)
        another.look()
        assert another._serving[PLAN.digest].next_round == 2


def test_a_round_that_was_given_up_is_not_taken_up_again(room, store, said):
    invite(room, store)
    word = Status(PLAN.digest, "Aggregator", 1, "round")
    store.post(paths.status(PLAN.digest, "Aggregator"), word.dump(room.researcher.sign))
    here = service(room, store, said)
    here.look()
    assert here.busy  # another's word is none of this aggregator's
    store.post(paths.status(PLAN.digest, "Aggregator"), word.dump(room.operator.sign))
    here = service(room, store, said)
    here.look()
    assert not here.busy


def test_an_announcement_is_opened_once(room, store, said, monkeypatch):
    invite(room, store)
    here, opened, honest = service(room, store, said), [], messages.Announcement.open

    def count(data, **how):
        opened.append(data)
        return honest(data, **how)

    here.look()
    answered(room, store, NAMES[:2])
    monkeypatch.setattr(messages.Announcement, "open", count)
    assert not here.step()
    assert not here.step()
    assert len(opened) == 1


def test_nothing_is_added_while_a_hospital_is_missing(room, store, said):
    invite(room, store)
    here = service(room, store, said)
    here.look()
    answered(room, store, NAMES[:2])
    assert not here.step()
    assert store.read(paths.RoundPaths(PLAN.digest, 1).sum, 1 << 20) is None


def test_a_study_of_somebody_who_is_not_trusted_is_not_served(room, store, said):
    invite(room, store)
    here = service(room, store, said, fixed_identity("Another", "researcher"))
    here.look()
    here.look()
    assert not here.busy
    assert (
        len([line for line in said if "nobody in this aggregator's list" in line]) == 1
    )  # once, not at every look


def test_an_invitation_by_a_trusted_coordinator_to_anothers_study_is_refused(room, store, said):
    another = fixed_identity("Another", "researcher")
    invite(room, store, by=another)
    here = service(room, store, said, room.researcher, another)
    here.look()
    assert not here.busy
    assert "not the one of the invitation" in said[0]


def test_a_text_that_has_not_the_invited_digest_is_refused(room, store, said):
    invite(room, store, text=TEXT.replace('title = "A small study"', 'title = "Another study"'))
    here = service(room, store, said)
    here.look()
    assert not here.busy
    assert "not the one of the invitation" in said[0]


@pytest.mark.parametrize("spoil", ["invitation", "text", "nothing"])
def test_junk_in_the_store_is_left_alone(room, store, said, spoil):
    if spoil == "invitation":
        store.post(paths.study_file(PLAN.digest), TEXT.encode())
        store.post(paths.invitation(PLAN.digest), b" " * (MAX_SMALL + 1))
    elif spoil == "text":
        invite(room, store, text="not a study")
    else:
        store.post(paths.approval(PLAN.digest, "x"), b"")
    here = service(room, store, said)
    here.look()
    assert not here.busy


def test_a_study_for_another_aggregator_is_left_alone(room, store, said):
    invite(room, store)
    here = AggregatorService(
        store, fixed_identity("Neighbour", "aggregator"), Book(room.researcher), said.append
    )
    here.look()
    assert not here.busy
    assert said == []


def test_an_end_that_the_coordinator_did_not_sign_changes_nothing(room, store, said):
    invite(room, store)
    here = service(room, store, said)
    here.look()
    for junk in (
        b"over",
        b" " * (MAX_SMALL + 1),
        End(PLAN.digest, "completed", 5).dump(fixed_identity("Stranger", "researcher").sign),
    ):
        store.post(paths.ending(PLAN.digest), junk)
        here.step()
        assert here.busy
    store.post(paths.ending(PLAN.digest), End(PLAN.digest, "round", 1).dump(room.researcher.sign))
    here.step()
    assert not here.busy
    again = service(room, store, said)  # after a restart
    again.look()
    assert not again.busy


SPOILED = {
    "oversized announcement": lambda at, frames: (at.announcement, b" " * (MAX_ANNOUNCEMENT + 1)),
    "unsigned announcement": lambda at, frames: (at.announcement, b"round 1 begins"),
    "truncated contribution": lambda at, frames: (at.contribution(NAMES[0]), frames[NAMES[0]][:-1]),
    "malformed contribution": lambda at, frames: (at.contribution(NAMES[0]), b"junk"),
    "empty contribution": lambda at, frames: (at.contribution(NAMES[0]), b""),
    "oversized contribution": lambda at, frames: (
        at.contribution(NAMES[0]),
        frames[NAMES[0]] + bytes(1 << 16),
    ),
    "altered contribution": lambda at, frames: (
        at.contribution(NAMES[0]),
        frames[NAMES[0]][:-1] + bytes([frames[NAMES[0]][-1] ^ 1]),
    ),
    "another's contribution": lambda at, frames: (at.contribution(NAMES[0]), frames[NAMES[1]]),
}


@pytest.mark.parametrize("spoil", SPOILED)
def test_what_is_malformed_is_not_added_and_the_round_waits(room, store, said, spoil):
    invite(room, store)
    here = service(room, store, said)
    here.look()
    _, frames = answered(room, store)
    at = paths.RoundPaths(PLAN.digest, 1)
    announcement = store.read(at.announcement, MAX_ANNOUNCEMENT)
    store.post(*SPOILED[spoil](at, frames))
    assert not here.step()
    assert here.busy  # anybody can write there: the round is not over before its deadline
    assert store.read(paths.RoundPaths(PLAN.digest, 1).sum, 1 << 20) is None
    assert store.read(paths.status(PLAN.digest, "Aggregator"), MAX_SMALL) is None
    store.post(at.announcement, announcement)
    store.post(at.contribution(NAMES[0]), frames[NAMES[0]])
    assert here.step()


def test_a_store_that_is_away_ends_nothing(room, store, said, monkeypatch):
    invite(room, store)
    here = service(room, store, said)
    here.look()
    answered(room, store)

    def away(*_):
        raise StoreError("The store is away.")

    with monkeypatch.context() as during:
        during.setattr(store, "post_file", away)
        with pytest.raises(StoreError):
            here.step()
        during.setattr(store, "read", away)
        with pytest.raises(StoreError):
            service(room, store, said).look()
    assert here.step()


def test_one_studys_objects_that_cannot_be_read_hold_up_no_other_study(
    room, store, said, monkeypatch
):
    other_text, other = sealed_study(('id = "small"', 'id = "other"'))
    invite(room, store)
    invite(room, store, text=other_text, digest=other.digest)
    here = service(room, store, said)
    here.look()
    broken, sound = here._serving
    asked = []

    def get(path, max_bytes):
        asked.append(path)
        if broken in path:
            raise StoreError("This object cannot be read.")
        return CarriedBoard.read(store, path, max_bytes)

    with monkeypatch.context() as during:
        during.setattr(store, "read", get)
        with pytest.raises(StoreError):
            here.step()
    assert any(sound in path for path in asked)
    assert list(here._serving) == [broken, sound]


def test_an_announcement_that_contradicts_the_study_is_refused(room):
    for changes in ({"round_digest": "5" * 64}, {"attempt": 2}):
        with pytest.raises(MessageError, match="contradicts"):
            announced_context(PLAN, room.announce(**changes)[1].announcement)
    with pytest.raises(MessageError, match="contradicts"):
        announced_context(PLAN, room.announce(PLAN.last_round + 1)[1].announcement)


def test_the_aggregator_adds_no_incomplete_cohort(room, store):
    _, frames = answered(room, store)
    announcement = store.read(paths.RoundPaths(PLAN.digest, 1).announcement, 1 << 20)
    with pytest.raises(RoundError, match=NAMES[0]):
        added(room, announcement, {s: f for s, f in frames.items() if s != NAMES[0]})


def test_a_fault_of_ours_ends_one_study_and_not_the_service(room, store, said, monkeypatch):
    invite(room, store)
    here = service(room, store, said)
    here.look()
    answered(room, store)
    monkeypatch.setattr("securefl.federation.full_round.write_sum", lambda *_, **_more: 1 / 0)
    assert not here.step()
    assert not here.busy
    assert any("ZeroDivisionError" in line for line in said)
    data = store.read(paths.status(PLAN.digest, "Aggregator"), MAX_SMALL)
    assert (
        Status.open(
            data, study=PLAN.digest, site="Aggregator", verify=room.operator.card.verify
        ).code
        == "internal"
    )


# --- months of old studies
# ------------------------------------------------------------------------------------------


class Counting(FolderBoard):
    """Counts what is read."""

    reads = 0

    def read(self, path, max_bytes):
        self.reads += 1
        return super().read(path, max_bytes)


class Clock:
    """A clock that a test moves."""

    time = 1000.0

    def __call__(self):
        return self.time


@pytest.fixture
def counted(tmp_path):
    return Counting(str(tmp_path))


@pytest.fixture
def clock():
    return Clock()


def watched(room, store, said, clock, *trusted, now=None):
    here = service(room, store, said, *trusted)
    return AggregatorService(store, room.operator, here.book, said.append, now or here.now, clock)


def an_hour(here, clock, seconds=3600.0):
    """What the process does in that time; how often it woke up."""
    end, turns = clock.time + seconds, 0
    while clock.time < end:
        here.turn()
        clock.time += max(here.remaining, 0.001)
        turns += 1
    return turns


def end_it(room, store):
    store.post(
        paths.ending(PLAN.digest), End(PLAN.digest, "completed", 5).dump(room.researcher.sign)
    )


def test_a_study_that_is_over_is_read_once_and_never_again(room, counted, said, clock):
    invite(room, counted)
    end_it(room, counted)
    here = watched(room, counted, said, clock)
    here.turn()
    before = counted.reads
    an_hour(here, clock)
    assert counted.reads == before
    assert not here.busy


def test_another_aggregators_study_is_read_once_and_never_again(room, counted, said, clock):
    invite(room, counted)
    here = watched(room, counted, said, clock)
    here.identity = fixed_identity("Another", "aggregator")
    here.turn()
    before = counted.reads
    an_hour(here, clock)
    assert counted.reads == before
    assert said == []


def test_a_study_that_never_began_is_dropped_when_its_time_is_over(room, counted, said, clock):
    invite(room, counted)
    closes = PLAN.study.schedule.closes
    times = [closes - timedelta(days=1)]
    here = watched(room, counted, said, clock, now=lambda: times[0])
    here.turn()
    assert here.busy
    times[0] = closes + timedelta(days=1)
    clock.time += 60
    here.turn()
    assert not here.busy
    assert said[-1].endswith("is over")
    before = counted.reads
    an_hour(here, clock)
    again = watched(
        room, counted, said, clock, now=lambda: times[0]
    )  # nor does the next process serve it
    again.turn()
    assert not again.busy
    assert counted.reads <= before + 3


def test_what_was_sent_before_its_time_was_over_is_still_added(room, store, said, clock):
    invite(room, store)
    closes = PLAN.study.schedule.closes
    here = watched(
        room,
        store,
        said,
        clock,
        now=lambda: closes + timedelta(seconds=PLAN.study.schedule.round_deadline - 1),
    )
    here.turn()
    answered(room, store)
    clock.time += 60
    assert here.turn()


def test_a_study_that_cannot_be_served_is_read_less_and_less_often_and_at_once_when_its_coordinator_is_trusted(
    room, counted, said, clock
):
    invite(room, counted)
    here = watched(room, counted, said, clock, fixed_identity("Another", "researcher"))
    an_hour(here, clock)
    assert 2 * 60 <= counted.reads < 2 * 110  # two objects, once a minute in the end
    here.book = Book(room.researcher)
    clock.time += here.remaining
    here.turn()
    assert here.busy


def test_a_study_that_waits_for_its_first_round_costs_less_than_a_read_a_second_and_its_first_sum_comes_soon(
    room, counted, said, clock
):
    invite(room, counted)
    here = watched(room, counted, said, clock)
    turns = an_hour(here, clock)
    assert turns < 3600
    assert counted.reads < 3600
    facts, _ = answered(room, counted)
    began = clock.time
    while not here.turn():
        clock.time += max(here.remaining, 0.001)
    assert clock.time - began <= 3.501  # a twentieth of its round deadline
    assert here.remaining == pytest.approx(0.01)  # the next round is looked for often
    assert facts.round == 1


def test_an_announcement_is_noticed_before_anything_comes_and_the_round_is_looked_at_often(
    room, store, said, clock
):
    invite(room, store)
    here = watched(room, store, said, clock)
    an_hour(here, clock)
    store.post(paths.RoundPaths(PLAN.digest, 1).announcement, room.announce()[1].announcement)
    clock.time += 3.5
    here.turn()
    assert here.remaining == pytest.approx(0.01)
