"""Whoever writes to the store, and signs nothing: no byte, folder or link of theirs ends a study or
leads a party's writes astray.
"""

import io

import pytest
from boards import following_links, is_there
from checkpoint_hospitals import approved, three_hospitals
from conftest import SITES, fixed_identity
from in_process_federation import Room, announced_context, going_on, sealed_study
from ledger_site import digest

from securefl.boards.opening import open_board
from securefl.errors import RoundError
from securefl.federation import paths
from securefl.federation.checked_round import AnnouncedRound
from securefl.federation.local_exchange import LocalExchange
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.store_exchange import StoreExchange
from securefl.federation.transcript import MAX_TRANSCRIPT, Transcript
from securefl.node.checkpoints import collect, hand_out, kept_path
from securefl.secagg.survivors import Survivors, write_proposal

FIVE = tuple(sorted(SITES))
ROUND = 2


class Late:
    """A hospital about to train for round 2 of a study that goes on after a loss."""

    def __init__(self, folder):
        self.room = Room(
            going_on(sealed_study(("min_contributors = 5", "min_contributors = 4"), names=FIVE)[1])
        )
        self.board = open_board(str(folder))
        self.at = paths.RoundPaths(self.room.plan.digest, ROUND)
        _, given = self.room.announce(ROUND)
        self.announcement = given.announcement

    def proposal(self, *, by=None, announcement=None):
        terms = self.room.plan.terms(
            announced_context(self.room.plan, announcement or self.announcement)
        )
        return write_proposal(
            Survivors(terms, dict.fromkeys(terms.cohort[1:], "ab" * 32)),
            "Researcher",
            (by or self.room.researcher).sign,
        )

    def goes_on(self):
        round_strategy_of(self.room.plan).check_in_time(
            self.board, AnnouncedRound.open(self.room.plan, self.announcement)
        )


@pytest.fixture
def late(tmp_path):
    return Late(tmp_path)


def test_the_control_the_coordinators_own_survivor_set_ends_the_study_at_a_late_hospital(late):
    late.goes_on()
    late.board.post(late.at.proposal, late.proposal())
    with pytest.raises(RoundError, match="not there in time"):
        late.goes_on()


@pytest.mark.parametrize(
    "what",
    [
        "a byte",
        "a folder",
        "far too much",
        "signed by another",
        "of another round",
        "of another announcement",
    ],
)
def test_what_the_coordinator_did_not_sign_for_this_round_ends_nothing(late, what):
    if what == "a folder":
        late.board.post(f"{late.at.proposal}/x", b"")
    else:
        late.board.post(late.at.proposal, {
            "a byte": lambda: b"x",
            "far too much": lambda: bytes(1 << 20),
            "signed by another": lambda: late.proposal(by=fixed_identity("Stranger", "researcher")),
            "of another round": lambda: late.proposal(announcement=late.room.announce(1)[1].announcement),
            "of another announcement": lambda: late.proposal(announcement=late.room.announce(ROUND)[1].announcement),
        }[what]())  # fmt: skip
    assert is_there(
        late.board, late.at.proposal
    )  # the attack on a hospital that asks for no more than this
    late.goes_on()


def linked_store(tmp_path, *, follows):
    """A shared folder whose operator put a link to a party's own folder into the place of a
    study's: ``(store, that folder)``.
    """
    own = tmp_path / "own"
    own.mkdir()
    (own / "SVI").write_bytes(b"what the party keeps")
    shared = tmp_path / "shared"
    store = following_links(shared) if follows else open_board(str(shared))
    (tmp_path / "shared" / "studies").mkdir(parents=True)
    (tmp_path / "shared" / "studies" / "status").symlink_to(own)
    return store, own


def test_the_control_a_store_that_follows_links_is_led_out_of_its_folder(tmp_path):
    store, own = linked_store(tmp_path, follows=True)
    assert store.read("studies/status/SVI", 100) == b"what the party keeps"
    store.post("studies/status/SVI", b"word")
    assert (own / "SVI").read_bytes() == b"word"
    store.erase("studies/status/SVI")
    assert list(own.iterdir()) == []


def test_a_link_in_a_shared_folder_leads_no_party_out_of_it(tmp_path):
    store, own = linked_store(tmp_path, follows=False)
    at = "studies/status/SVI"
    store.erase(at)
    assert (
        store.read(at, 100),
        store.read_head(at, 1),
        store.stamp(at),
        is_there(store, at),
        is_there(store, "studies/status"),
    ) == (None, None, None, False, False)
    assert store.names("studies") == store.names("studies/status") == []
    store.post(at, b"word")
    store.post_file("studies/status/SVR", io.BytesIO(b"word"))
    assert (store.read(at, 100), store.names("studies/status")) == (b"word", ["SVI", "SVR"])
    assert [(p.name, p.read_bytes()) for p in own.iterdir()] == [("SVI", b"what the party keeps")]


@pytest.mark.parametrize("follows", [True, False])
def test_a_link_makes_no_hospital_write_over_the_checkpoints_that_it_holds(tmp_path, follows):
    """Who erases what A holds of B lets B go back in its ledger.

    The control, a store that follows links, is overwritten.
    """
    sites, cohort = three_hospitals(tmp_path), ("A", "B", "C")
    approved(sites["B"])
    sites["B"].ledger.start(digest(1))
    hand_out(sites["B"], digest(1), cohort)
    collect(sites["A"], digest(1), cohort)
    held = kept_path(sites["A"], "B").read_bytes()
    link = tmp_path / "store" / "studies" / digest(2) / "checkpoints"
    link.mkdir(parents=True)
    (link / "A").symlink_to(tmp_path / "A" / "checkpoints")
    if follows:
        sites["A"].__dict__["board"] = following_links(tmp_path / "store")
    hand_out(sites["A"], digest(2), cohort)
    assert (kept_path(sites["A"], "B").read_bytes() != held) == follows


@pytest.mark.parametrize("follows", [True, False])
def test_a_folder_in_the_place_of_a_transcript_ends_no_study(tmp_path, follows):
    """Nor does it keep the transcript out.

    The control, a store that takes paths as the file system does, has no place for it.
    """
    room = Room()
    store = following_links(tmp_path) if follows else open_board(str(tmp_path))
    in_store = StoreExchange(store, room.plan)

    class Exchange(LocalExchange):
        def leave(self, number, transcript):
            in_store.leave(number, transcript)

    last, at = room.plan.last_round, paths.RoundPaths(room.plan.digest, ROUND)
    (tmp_path / at.transcript / "x").mkdir(parents=True)
    outcome = room.coordinator(Exchange(room.participants(), room.aggregator)).run()
    assert len(outcome.records) == last
    for number in range(1, last + 1):
        data = store.read(paths.RoundPaths(room.plan.digest, number).transcript, MAX_TRANSCRIPT)
        if follows and number == ROUND:
            assert data is None
            continue
        Transcript.open(
            data, study=room.plan.digest, round=number, verify=room.researcher.card.verify
        )


def test_a_folder_in_the_place_of_a_contribution_keeps_no_hospital_from_sending(tmp_path):
    store, at = open_board(str(tmp_path)), paths.RoundPaths("ab" * 32, 1)
    (tmp_path / at.contribution("SVI") / "x").mkdir(parents=True)
    store.post_file(at.contribution("SVI"), io.BytesIO(b"frame"))
    assert store.read(at.contribution("SVI"), 10) == b"frame"
