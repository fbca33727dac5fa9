"""What a hospital says after its contribution: durable before it leaves, kept in the house while
the owner wants it, once a round.
"""

from types import SimpleNamespace

import pytest
from boards import is_there
from conftest import SITES
from in_process_federation import Room, announced_context, going_on, sealed_study

from securefl.boards.opening import open_board
from securefl.errors import MessageError, NotApprovedError, RoundError
from securefl.federation import paths
from securefl.federation.checked_round import AnnouncedRound
from securefl.federation.round_strategy import round_strategy_of
from securefl.node.unmasking_sender import UnmaskingSender
from securefl.secagg.holder import Record
from securefl.secagg.survivors import Survivors, write_proposal

DIGEST = "ab" * 32


class Ledger:
    """What the ledger is asked: a pause, an end, the answers."""

    def __init__(self):
        self.paused, self.ended, self.answers = False, False, []

    @property
    def state(self):
        return SimpleNamespace(
            paused=self.paused, study=lambda _: SimpleNamespace(ended=self.ended)
        )

    def answer(self, study, *, round_number, payload):
        if self.paused or self.ended:
            raise NotApprovedError("paused")
        self.answers.append((study, round_number, payload))


class Later:
    """The stages of a hospital: one signature, then an answer once there are enough."""

    def __init__(self, saying):
        self.saying, self.survivors, self.answered, self.enough, self.refused_dealer = (
            saying,
            None,
            False,
            False,
            "",
        )
        self.terms = SimpleNamespace(
            facts=SimpleNamespace(study=DIGEST, round=1, attempt=1, chunks=1), cohort=("A", "B")
        )

    def keep(self, kind, message):
        self.saying.record(self.terms, Record(kind, 1, DIGEST, DIGEST, message))
        return message

    def is_in(self, proposal):
        if proposal == b"junk":
            raise MessageError("not the coordinator's")
        return b"A" in proposal

    def agree(self, proposal, fetch):
        said = self.keep("signature", b"signed " + proposal)
        self.survivors = SimpleNamespace(names=("A", "B"))
        return said

    def answer(self, agreements):
        if set(agreements) != {"A", "B"}:
            return None
        said = self.keep("answer", b"answer")
        self.answered = True
        return said


@pytest.fixture
def here(tmp_path, monkeypatch):
    """(saying, later, ledger, store, paths, lines)."""
    monkeypatch.setattr("securefl.federation.round_board.proposal_limit", lambda _: 1000)
    monkeypatch.setattr("securefl.federation.round_board.answer_limit", lambda *_: 1000)
    monkeypatch.setattr("securefl.node.unmasking_sender.head_limit", lambda _: 1000)

    class Deciding:
        def __enter__(self):
            return None

        def __exit__(self, *_):
            return None

    ledger, store, lines = Ledger(), open_board(str(tmp_path / "store")), []
    site = SimpleNamespace(
        name="A",
        ledger=ledger,
        board=store,
        deciding=Deciding,
        study_folder=lambda _: tmp_path / "study",
    )
    saying = UnmaskingSender(site, SimpleNamespace(digest=DIGEST), lines.append)
    return SimpleNamespace(
        saying=saying,
        later=Later(saying),
        ledger=ledger,
        board=store,
        at=paths.RoundPaths(DIGEST, 1),
        lines=lines,
        said=tmp_path / "study" / "said",
    )


def test_nothing_is_said_before_it_is_asked(here):
    assert not here.saying.step(None)
    assert not here.saying.step(here.later)
    assert here.lines == []


def test_first_a_signature_then_one_answer(here):
    here.board.post(here.at.proposal, b"set")
    assert here.saying.step(here.later)
    assert here.board.read(here.at.agreement("A"), 100) == b"signed set"
    assert not here.saying.step(here.later)  # B has not signed
    here.board.post(here.at.agreement("B"), bytes(1 << 20))  # too long: nobody's word
    assert not here.saying.step(here.later)
    here.board.post(here.at.agreement("B"), b"B too")
    assert here.saying.step(here.later)
    assert here.board.read(here.at.answer("A"), 100) == b"answer"
    assert here.ledger.answers == [(DIGEST, 1, b"answer")]
    assert not here.saying.step(here.later)
    assert sorted(p.name for p in here.said.iterdir()) == ["00001-answer", "00001-signature"]
    assert all(p.stat().st_mode & 0o077 == 0 for p in here.said.iterdir())


def test_a_pause_keeps_it_in_the_house_and_then_it_leaves(here):
    here.board.post(here.at.proposal, b"set")
    here.ledger.paused = True
    assert not here.saying.step(here.later)
    assert not here.said.exists()
    here.ledger.paused = False
    assert here.saying.step(here.later)


def test_a_pause_between_making_and_letting_go_holds_it_back(here):
    here.board.post(here.at.proposal, b"set")
    first = here.later.agree

    def agree(proposal, fetch):
        said = first(proposal, fetch)
        here.ledger.paused = True
        return said

    here.later.agree = agree
    assert not here.saying.step(here.later)
    assert not is_there(here.board, here.at.agreement("A"))
    here.ledger.paused = False
    assert here.saying.step(here.later)
    assert here.board.read(here.at.agreement("A"), 100) == b"signed set"


def test_an_answer_that_the_ledger_did_not_take_is_not_said(here):
    here.board.post(here.at.proposal, b"set")
    here.saying.step(here.later)
    here.board.post(here.at.agreement("B"), b"B too")
    first = here.later.answer

    def answer(agreements):
        here.ledger.paused = True
        return first(agreements)

    here.later.answer = answer
    assert not here.saying.step(here.later)
    assert not is_there(here.board, here.at.answer("A"))
    here.later.answer, here.ledger.paused = first, False
    assert here.saying.step(here.later)
    assert len(here.ledger.answers) == 1


def test_a_refusal_of_the_ledger_for_another_reason_is_no_pause(here):
    here.board.post(here.at.proposal, b"set")

    def agree(_proposal, _fetch):
        raise NotApprovedError("never approved")

    here.later.agree = agree
    with pytest.raises(NotApprovedError):
        here.saying.step(here.later)


def test_another_message_of_that_kind_in_that_round_is_refused(here):
    here.later.keep("answer", b"answer")
    here.later.keep("answer", b"answer")  # the same again
    with pytest.raises(RoundError, match="Another answer was made in round 1"):
        here.later.keep("answer", b"another")
    assert {p for *_, p in here.ledger.answers} == {b"answer"}


def test_nothing_is_trained_for_a_round_whose_survivors_are_proposed(tmp_path):
    room = Room(
        going_on(
            sealed_study(
                ("min_contributors = 5", "min_contributors = 4"), names=tuple(sorted(SITES))
            )[1]
        )
    )
    store = open_board(str(tmp_path))
    _, given = room.announce()
    terms = room.plan.terms(announced_context(room.plan, given.announcement))
    announced = AnnouncedRound.open(room.plan, given.announcement)
    round_strategy_of(room.plan).check_in_time(store, announced)
    left = Survivors(terms, dict.fromkeys(terms.cohort[1:], DIGEST))
    store.post(
        paths.RoundPaths(room.plan.digest, 1).proposal,
        write_proposal(left, "Researcher", room.researcher.sign),
    )
    with pytest.raises(RoundError, match="go on without this hospital"):
        round_strategy_of(room.plan).check_in_time(store, announced)
    _, wrong = room.announce(round_digest="5" * 64)
    # whoever answers it names what is wrong with it
    round_strategy_of(room.plan).check_in_time(
        store, AnnouncedRound.open(room.plan, wrong.announcement)
    )


def test_what_is_refused_in_its_senders_name_is_not_there_yet(here):
    here.board.post(here.at.proposal, b"junk")
    first = here.later.agree

    def agree(proposal, fetch):
        if proposal == b"junk":
            raise MessageError("not signed")
        return first(proposal, fetch)

    here.later.agree = agree
    assert not here.saying.step(here.later)
    assert not here.saying.step(here.later)
    assert here.lines == ["waiting: not signed"]  # once
    here.board.post(here.at.proposal, b"x" * 1001)  # longer than any
    assert not here.saying.step(here.later)
    here.board.post(here.at.proposal, b"set")
    assert here.saying.step(here.later)


def test_only_the_head_of_a_frame_is_read_and_a_refused_one_once_until_it_changes(
    here, monkeypatch
):
    """The hospital waits for its turn a hundred times a second: what it does not take is not
    fetched so often.
    """
    read, path = [], here.at.contribution("B")
    head_of = here.board.read_head
    monkeypatch.setattr(
        here.board, "read_head", lambda p, size: read.append((p, size)) or head_of(p, size)
    )
    first = here.later.agree

    def agree(proposal, fetch):
        fetch("B")
        return first(proposal, fetch)

    def parse(site, head):
        if head != b"good":
            raise MessageError(f"the frame of {site} is refused")

    here.later.agree, here.later.read = agree, parse
    here.board.post(here.at.proposal, b"set")
    here.board.post(path, b"junk")
    for _ in range(3):
        assert not here.saying.step(here.later)
    assert [found for found in read if found[0] == path] == [(path, 1000)]
    assert here.lines == ["waiting: the frame of B is refused"]
    here.board.post(path, b"good")
    assert here.saying.step(here.later)


# --- after the end
# ----------------------------------------------------------------------------------------------------


def test_who_is_in_the_last_rounds_set_was_counted(here):
    here.board.post(here.at.proposal, b"A, B")
    assert here.saying.was_counted(here.later)
    assert not here.said.exists()  # it is only read: nothing is signed after the end
    assert not is_there(here.board, here.at.agreement("A"))


def test_who_signed_the_set_was_counted_whatever_the_store_shows_now(here):
    here.board.post(here.at.proposal, b"set")
    here.saying.step(here.later)
    here.board.erase(here.at.proposal)
    assert here.saying.was_counted(here.later)


@pytest.mark.parametrize(
    "shown", [None, b"junk", b"x" * 2000], ids=["nothing", "junk", "oversized"]
)
def test_while_the_store_does_not_show_the_set_nobody_knows(here, shown):
    if shown:
        here.board.post(here.at.proposal, shown)
    assert not here.saying.was_counted(here.later)


def test_who_is_not_in_the_last_rounds_set_is_told_so(here):
    here.board.post(here.at.proposal, b"B, C")
    with pytest.raises(
        RoundError, match="went on without this hospital in round 1, the last one"
    ) as lost:
        here.saying.was_counted(here.later)
    assert lost.value.whose == "this hospital"
    assert "earlier rounds is in the model" in lost.value.next_step
