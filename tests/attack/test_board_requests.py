"""What whoever can write into the store, and a researcher whom the owner trusts, cannot do to a
hospital that takes requests without PySyft. Each attack beside a control in which it succeeds.
"""

import tracemalloc
from datetime import UTC, datetime
from functools import partial

import pytest
from consortium import NAMES, Consortium

from securefl.datasite.quarantine import Quarantine
from securefl.errors import NotApprovedError, StudyError
from securefl.federation.study_board import StudyBoard
from securefl.federation.study_request import StudyRequest
from securefl.identity import Identity
from securefl.node import board_intake
from securefl.node.board_intake import LOOKS, SET_ASIDE, BoardIntake
from securefl.node.owner import requests
from securefl.node.requests import kept_requests
from securefl.researcher.asking import offer_study
from securefl.study.sealed import SealedStudy

ME, OTHER, _ = NAMES


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"), without_pysyft=(ME,))


@pytest.fixture
def site(c):
    found = c.site(ME)
    yield found
    found.ledger.close()


@pytest.fixture
def study(c, request):
    """A study of this test alone, not yet on the board; what a test leaves there is taken away."""
    made = c.new_study(request.node.originalname.replace("_", "-")[5:45])
    yield made
    for name in ("request", "study.toml", "invitation"):
        c.lab.folder.board.erase(f"studies/{made.digest}/{name}")


def on_board(c, study):
    return StudyBoard(c.lab.folder.board, study.digest)


def look(site, intake=None):
    """Lines that one exchange says."""
    lines = []
    (intake or BoardIntake(looks=None)).exchange(site, lines.append)
    return "\n".join(lines)


def came_in(site, study):
    return study.digest in {kept.digest for kept in kept_requests(site)}


def reasons(site, study):
    entries = Quarantine(site.path / SET_ASIDE).entries()
    return [entry.reason for entry in entries if entry.message == study.digest]


def never_parsed(monkeypatch):
    def read(_cls, _text):
        raise AssertionError("a text that nobody signed was parsed")

    monkeypatch.setattr(board_intake.SealedStudy, "read", classmethod(read))


def test_a_signed_request_waits_in_the_inbox(c, site, study):
    offer_study(c.lab.folder, study.plan)
    assert f"a request came in: {study.name}" in look(site)
    (row,) = [r for r in requests.inbox(site) if r.request.digest == study.digest]
    assert row.state is requests.RequestState.WAITING
    assert row.request.sender == "researcher"


def test_a_stranger_and_a_hospital_ask_in_vain(c, site, study, monkeypatch):
    offer_study(c.lab.folder, study.plan)
    said = StudyRequest.of(study.digest, "researcher", study.text)
    stranger = Identity.generate("researcher", "researcher", "Somebody", "a@example.org")
    with monkeypatch.context() as patch:
        never_parsed(patch)
        for signer in (stranger, c.site(OTHER).identity):
            on_board(c, study).request.post(said.dump(signer.sign))
            assert "by nobody on your list" in look(site)
            assert not came_in(site, study)
    assert reasons(site, study) == []  # others' studies on a store are no attack
    # control: the same words, signed by whom they name
    on_board(c, study).request.post(said.dump(c.lab.folder.identity.sign))
    look(site)
    assert came_in(site, study)


def test_the_request_of_another_study_is_none(c, site, study):
    other = c.new_study("moved")
    offer_study(c.lab.folder, other.plan)
    on_board(c, study).text.post(study.text)
    on_board(c, study).request.post(on_board(c, other).request.read())
    assert "set aside" in look(site)
    assert not came_in(site, study)
    assert came_in(site, other)  # control: where it belongs it is taken
    (reason,) = reasons(site, study)
    assert "about another study" in reason
    assert look(site) == look(site)  # told again by another process; written down once
    assert len(reasons(site, study)) == 1


def test_an_altered_text_never_reaches_the_parser(c, site, study, monkeypatch):
    offer_study(c.lab.folder, study.plan)
    on_board(c, study).text.post(study.text.replace(b'"A Univ', b'"B Univ'))
    with monkeypatch.context() as patch:
        never_parsed(patch)
        assert "not the one that researcher signed" in look(site)
    assert not came_in(site, study)
    with monkeypatch.context() as patch:  # control: without the hash the parser gets those bytes
        patch.setattr(StudyRequest, "check_text", lambda *_: None)
        never_parsed(patch)
        with pytest.raises(AssertionError, match="was parsed"):
            look(site)
    on_board(c, study).text.post(study.text)
    look(site)
    assert came_in(site, study)


def test_a_signed_text_that_is_no_study_of_that_digest_is_set_aside(c, site, study):
    other = c.new_study("swapped")
    for text in (other.text, b"schema = 1"):
        on_board(c, study).text.post(text)
        said = StudyRequest.of(study.digest, "researcher", text)
        on_board(c, study).request.post(said.dump(c.lab.folder.identity.sign))
        assert "set aside" in look(site)
    assert not came_in(site, study)
    assert not came_in(site, other)
    assert len(reasons(site, study)) == 2


def test_a_study_of_another_researcher_is_not_taken_for_having_been_signed_by_one(c, site, study):
    """Two trusted researchers: one signs the other's study as its own request."""
    second = Identity.generate("second", "researcher", "Another University", "b@example.org")
    site.book.trust(second.card)
    try:
        on_board(c, study).text.post(study.text)
        for named in ("second", "researcher"):
            said = StudyRequest.of(study.digest, named, study.text)
            on_board(c, study).request.post(said.dump(second.sign))
            assert "set aside" in look(site)
            assert not came_in(site, study)
    finally:
        site.book.distrust("second")


def test_fifty_megabytes_are_not_read(c, site, study):
    offer_study(c.lab.folder, study.plan)
    huge = bytes(50_000_000)
    on_board(c, study).text.post(huge)

    def peak(work):
        tracemalloc.start()
        work()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(partial(look, site)) < 8_000_000
    assert not came_in(site, study)
    assert len(reasons(site, study)) == 1
    # control: whoever reads without a cap holds all of it
    path = f"studies/{study.digest}/study.toml"
    assert peak(lambda: c.lab.folder.board.read(path, len(huge))) > 40_000_000


def test_a_flood_holds_up_neither_a_round_nor_an_honest_request(c, site, study, monkeypatch):
    board = c.lab.folder.board
    flood = [f"{number:064x}" for number in range(300)]
    for digest in flood:
        board.post(f"studies/{digest}/request", b"x" * 100)
    offer_study(c.lab.folder, study.plan)
    looked = []
    real = board_intake.read_request

    def counted(board, digest, researchers):
        looked.append(digest)
        return real(board, digest, researchers)

    monkeypatch.setattr(board_intake, "read_request", counted)
    intake, lines, exchanges = BoardIntake(), [], 0
    while not came_in(site, study):
        looked.clear()
        before = intake.news(site)
        intake.exchange(site, lines.append)
        exchanges += 1
        assert len(looked) <= LOOKS
        assert exchanges <= len(flood) // LOOKS + 2
        assert intake.news(site) != before  # so the agent looks again, soon
    assert len(lines) < 30
    assert (site.path / "agent.log").exists() is False
    # control: an exchange without that bound reads the whole flood
    looked.clear()
    BoardIntake(looks=None).exchange(site, lines.append)
    assert len(looked) >= len(flood)
    for digest in flood:
        board.erase(f"studies/{digest}/request")


def test_more_than_the_cap_of_one_researcher_is_set_aside(c, site, study, monkeypatch):
    offer_study(c.lab.folder, study.plan)
    there = sum(kept.sender == "researcher" for kept in kept_requests(site))
    monkeypatch.setattr(board_intake, "MAX_JOBS_PER_SENDER", there)
    assert "requests here already" in look(site)
    assert not came_in(site, study)
    monkeypatch.setattr(board_intake, "MAX_JOBS_PER_SENDER", there + 1)  # control
    look(site)
    assert came_in(site, study)


def test_a_replay_changes_nothing_that_was_decided(c, site, study):
    offer_study(c.lab.folder, study.plan)
    look(site)
    (before,) = [kept for kept in kept_requests(site) if kept.digest == study.digest]
    requests.refuse(site, study.digest, "not here")
    offer_study(c.lab.folder, study.plan)
    assert "came in" not in look(site)
    assert [kept for kept in kept_requests(site) if kept.digest == study.digest] == [before]
    assert requests.request_state(site, study.digest) is requests.RequestState.REFUSED
    with pytest.raises(NotApprovedError, match="decided here before"):
        requests.plan_approval(site, study.digest, datetime.now(UTC))


def test_a_study_that_names_another_hospital_of_this_name_is_left_alone(c, site, study):
    impostor = Identity.generate(ME, "hospital", "Another", "c@example.org").card.signing_public
    mine = site.identity.card.signing_public
    for key, comes in ((impostor, False), (mine, True)):  # the second is the control
        sealed = SealedStudy.read(study.text.replace(mine.encode(), key.encode()))
        there = StudyBoard(c.lab.folder.board, sealed.digest)
        there.text.post(sealed.text)
        said = StudyRequest.of(sealed.digest, "researcher", sealed.text)
        there.request.post(said.dump(c.lab.folder.identity.sign))
        look(site)
        assert came_in(site, sealed) is comes
        assert reasons(site, sealed) == []


def test_what_lies_in_the_store_of_a_data_set_is_shown_as_it_was_signed_or_not_at_all(c, site):
    look(site)
    board = c.lab.folder.board

    def shown():
        (found,) = [d for d in c.lab.datasets() if d.site == ME]
        return found

    assert shown().without_pysyft
    assert len(shown().mock()) == 20
    path = f"datasets/{ME}/records/mock.csv"
    mock = board.read(path, 1 << 20)
    board.post(path, mock.replace(b"\n", b"\n1", 1))
    assert "not the one that the hospital signed" in shown().fault
    board.erase(f"datasets/{ME}/records/statement")
    assert "did not sign it" in shown().fault  # hidden, and its absence is seen
    look(site)  # control: what the hospital signed is shown again
    assert len(shown().mock()) == 20


def test_a_text_that_cannot_be_parsed_is_told_on_lines_of_its_own(c, site, study):
    forged = "\u3164 2026-01-01T00:00:00Z all is well " * 20
    text = f'schema = "securefl-study/2"\n"{forged}" = 1\n'.encode()
    with pytest.raises(StudyError):
        SealedStudy.read(text)
    on_board(c, study).text.post(text)
    said = StudyRequest.of(study.digest, "researcher", text)
    on_board(c, study).request.post(said.dump(c.lab.folder.identity.sign))
    first, *more = look(site).split("\n")
    assert first.endswith("was set aside:")
    assert all(len(line) <= 76 and "\u3164" not in line for line in more)
