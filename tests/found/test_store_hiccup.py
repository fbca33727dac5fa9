"""A store that is away for a while ends no study, whoever cannot reach it; one that stays away ends
it with a clear word.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
from boards import FolderBoard
from consortium import consortium
from in_process_federation import Room, sealed_study

from securefl.backoff import persist
from securefl.boards.opening import open_board
from securefl.errors import StoreError
from securefl.federation import paths
from securefl.federation.aggregator_service import AggregatorService
from securefl.federation.checked_round import Broadcast
from securefl.federation.coordinator import Coordinator
from securefl.federation.messages import MAX_ANNOUNCEMENT, Invitation, Ready
from securefl.federation.readiness import call_of
from securefl.federation.run_memory import NoMemory
from securefl.federation.store_exchange import StoreExchange
from securefl.secagg.survivor_contribution import head_limit

pytestmark = pytest.mark.slow

TIMES = 2


class Flaky(FolderBoard):
    """A store whose every call fails the first times that it is made with a path."""

    def __init__(self, url: str, methods: frozenset[str]) -> None:
        super().__init__(url)
        self.methods, self.failed = methods, Counter()

    def _perhaps(self, method: str, path: str) -> None:
        if method in self.methods and self.failed[method, path] < TIMES:
            self.failed[method, path] += 1
            raise StoreError(f"The store {self.url} cannot be {method}.")

    def post(self, path, data):
        self._perhaps("post", path)
        super().post(path, data)

    def post_file(self, path, source):
        self._perhaps("post", path)
        source.read(10)  # what is tried again begins at its beginning
        self._perhaps("post in the middle", path)
        source.seek(0)
        super().post_file(path, source)

    def post_file_first(self, path, source):
        begin = source.tell()
        self._perhaps("post", path)
        source.read(10)
        self._perhaps("post in the middle", path)
        source.seek(begin)
        return super().post_file_first(path, source)

    def read_head(self, path, size):
        self._perhaps("read", path)
        return super().read_head(path, size)

    @contextmanager
    def open(self, path, max_bytes):
        self._perhaps("read", path)
        with super().open(path, max_bytes) as file:
            if (
                file is not None
                and "read on" in self.methods
                and self.failed["read on", path] < TIMES
            ):
                file.read(100)
                self._perhaps("read on", path)
            yield file

    def names(self, folder=""):
        self._perhaps("names", folder)
        return super().names(folder)

    def stamp(self, path):
        self._perhaps("stamp", path)
        return super().stamp(path)


EVERYTHING = frozenset({"post", "read", "read on", "names", "stamp"})


def theta_of(tmp_path, plan, text, coordinator_fails=frozenset(), aggregator_fails=frozenset()):
    """The model of a study whose hospitals answer with ones, and how often each store failed;
    coordinator and aggregator poll a folder.
    """
    room = Room(plan)
    plain = open_board(str(tmp_path / "store"))
    stores = Flaky(plain.url, coordinator_fails), Flaky(plain.url, aggregator_fails)
    plain.post(paths.study_file(plan.digest), text.encode())
    plain.post(
        paths.invitation(plan.digest),
        Invitation(plan.digest, "Researcher").dump(room.researcher.sign),
    )

    class Book:
        def cards(self):
            return {"Researcher": room.researcher.card}

    service = AggregatorService(stores[1], room.operator, Book(), lambda _: None)
    over = threading.Event()
    faults = []

    def ones(_kind, _model, length, _largest):
        return np.ones(length, dtype=np.int64)

    def others():
        people = [room.participant(site, trainer=ones) for site in plan.study.cohort]
        for one in people:
            persist(partial(answer_call, plan, room, plain, one), 60.0)
        while not over.is_set():
            try:
                for one in people:
                    hospital(plan, plain, one)
                service.turn()
            except StoreError:  # as both processes do: at the next turn
                pass
            except Exception as error:  # noqa: BLE001 - it is for the test to see
                faults.append(error)
                return
            time.sleep(0.002)

    thread = threading.Thread(target=others)
    thread.start()
    try:
        outcome = Coordinator(
            plan, room.researcher, StoreExchange(stores[0], plan), room.cipher, NoMemory()
        ).run()
    finally:
        over.set()
        thread.join()
    assert not faults
    return outcome.theta, [store.failed for store in stores]


def answer_call(plan, room, store, one):
    """Wait for the coordinator's call, and say that this hospital is ready."""
    while (call := call_of(store, plan)) is None:
        time.sleep(0.002)
    word = Ready(plan.digest, one.name, one.instance, call.nonce)
    store.post(paths.ready(plan.digest, one.name), word.dump(room.identities[one.name].sign))


def hospital(plan, store, one):
    """What a hospital does when it looks: answer the next round, and say what is still to be said
    in the last one.
    """
    at = paths.RoundPaths(plan.digest, one.done + 1)
    announcement = store.read(at.announcement, MAX_ANNOUNCEMENT)
    if announcement is not None:
        given = Broadcast(announcement, store.read(at.key, 1 << 24), store.read(at.model, 1 << 24))
        with one.answer(given) as frame:
            store.post_file(at.contribution(one.name), frame)
    later = one.later
    if later is None or later.answered:
        return
    before = paths.RoundPaths(plan.digest, one.done)
    if later.survivors is None:
        proposal = store.read(before.proposal, 1 << 24)
        if proposal is not None:
            limit = head_limit(later.terms)
            signed = later.agree(
                proposal,
                lambda site: later.read(site, store.read_head(before.contribution(site), limit)),
            )
            store.post(before.agreement(one.name), signed)
        return
    found = {site: store.read(before.agreement(site), 1 << 24) for site in later.survivors.names}
    answer = later.answer({site: data for site, data in found.items() if data is not None})
    if answer is not None:
        store.post(before.answer(one.name), answer)


@pytest.mark.parametrize("method", sorted(EVERYTHING))
@pytest.mark.parametrize(
    "goes_on", [False, True], ids=["all must be there", "goes on after a loss"]
)
def test_every_call_to_the_store_may_fail_for_a_while_and_the_model_is_the_same(
    tmp_path, monkeypatch, method, goes_on
):
    monkeypatch.setattr("securefl.backoff._LONGEST_PAUSE", 0.05)
    text, plan = sealed_study(
        *([('on_dropout = "fail"', 'on_dropout = "continue"')] if goes_on else [])
    )
    wanted, _ = theta_of(tmp_path / "quiet", plan, text)
    found, failed = theta_of(
        tmp_path / "flaky", plan, text, frozenset({method}), frozenset({method})
    )
    assert all(sum(counter.values()) >= TIMES for counter in failed), failed
    np.testing.assert_array_equal(found, wanted)


def test_a_store_that_stays_away_ends_the_round_at_its_deadline_with_a_clear_word(tmp_path):
    _, plan = sealed_study(("round_deadline = 60", "round_deadline = 1"))
    room, told = Room(plan), []

    class Gone(FolderBoard):
        def post(self, path, data):
            raise StoreError(
                f"The store {self.url} cannot be written: no space left.",
                next_step="Check its free space.",
            )

    exchange = StoreExchange(Gone(str(tmp_path)), plan, told.append)
    with pytest.raises(StoreError, match="no space left"):
        Coordinator(plan, room.researcher, exchange, room.cipher, NoMemory()).run()
    assert len(told) == 1
    assert "tried again until the round's deadline" in told[0]


# --- real processes: each of them loses its way to the store for a while
# ---------------------------------------------


@contextmanager
def lost(way):
    """The link over which one party reaches the store leads nowhere (ELOOP at every call)."""
    target = way.readlink()
    way.unlink()
    way.symlink_to(way)
    try:
        yield
    finally:
        way.unlink()
        way.symlink_to(target)


def test_researcher_aggregator_and_hospital_may_each_lose_the_store_for_a_while(tmp_path):
    ways = {}

    def way_of(name):
        ways[name] = tmp_path / f"way of {name}"
        ways[name].symlink_to(tmp_path / "store")
        return ways[name]

    (tmp_path / "store").mkdir()
    with consortium(tmp_path, way_of=way_of) as c:
        study = c.new_study("hiccups")
        c.ready(study)
        victims = ["researcher", "sums", c.names[0]]
        threads = []

        def lose(name):
            with lost(ways[name]):
                time.sleep(3)

        def watch(_record):
            if victims:
                threads.append(threading.Thread(target=lose, args=(victims.pop(0),)))
                threads[-1].start()

        result = c.run(study, watch)
        for thread in threads:
            thread.join()
        assert len(result.outcome.records) == study.plan.last_round
        c.ended(study, *c.names, status="completed")
        assert set(study.report()["extracts"]) == set(c.names)
        for name in c.names:
            assert "failed" not in c.log(name)
            assert "Who can mend it: researcher" not in c.log(name)
        assert "cannot be" in c.log(c.names[0])  # it was seen, and ridden out
