"""An idle hospital reads little, however many partners it has: one listing tells who asks something
new, and it is looked at less and less often.
"""

from __future__ import annotations

import signal
import threading
from collections import Counter
from itertools import pairwise

import pytest
from kinds_of_models import some_model
from model_facts import DETAILS

from securefl.boards.folder import FolderCarrier
from securefl.federation import checkpoints as said
from securefl.federation.party_board import PartyBoard
from securefl.federation.study_board import StudyBoard
from securefl.identity import Identity
from securefl.learning.artefact import load_model, save_model
from securefl.learning.model_notices import Recall
from securefl.node import agent as agents
from securefl.node import board_intake
from securefl.node.checkpoints import Question
from securefl.node.site import Site
from securefl.party.folder import WITH_PYSYFT, WITHOUT_PYSYFT

PARTNERS = 67


@pytest.fixture(params=[WITH_PYSYFT, WITHOUT_PYSYFT])
def site(tmp_path, request):
    made = Site.init(
        tmp_path / "site",
        name="SVI",
        legal_name="A",
        email="a@b.example",
        store=str(tmp_path / "s"),
        requests=request.param,
    )
    for number in range(PARTNERS):
        card = Identity.generate(f"H{number}", "hospital", "A hospital", "a@b.example").card
        made.book.trust(card)
    yield made
    made.ledger.close()


@pytest.fixture
def reads(monkeypatch):
    found = Counter()
    for name in ("open", "names", "stamp"):
        act = getattr(FolderCarrier, name)

        def counted(self, path, *more, _act=act, _name=name):
            if path != "securefl-store":
                found[_name] += 1
            return _act(self, path, *more)

        monkeypatch.setattr(FolderCarrier, name, counted)
    return found


def test_an_idle_hospital_asks_67_partners_for_news_by_one_listing_a_minute(site, reads):
    now = [1_000.0]
    agent = agents.Agent(site, lambda: now[0])
    others = {f"H{n}" for n in range(PARTNERS)}
    try:
        agent._ask_and_answer()
        agent._question._agreed |= others  # all have answered this run's own question
        for _ in range(60):
            now[0] += 30.0
            agent._ask_and_answer()
        reads.clear()
        for _ in range(10 * 60):
            now[0] += 1.0
            agent._ask_and_answer()
        assert sum(reads.values()) <= 11  # in ten minutes
    finally:
        agent._presence.leave()
        agent._log.close()


def test_an_idle_hospital_with_models_reads_six_objects_a_minute(site, reads):
    """Requests, news of 67 partners, and recalls of thirty models, of which one was recalled by many;
    all that a turn does, PySyft's exchanges included.
    """
    now = [1_000.0]
    names = tuple(f"R{number}" for number in range(PARTNERS))
    owners = [Identity.generate(name, "hospital", "A hospital", "a@b.example") for name in names]
    keys = {owner.card.name: owner.card.signing_public for owner in owners}
    for number in range(30):
        digest = f"{number:02x}" * 32
        folder = site.path / "models" / f"study{number}-{digest[:12]}"
        details = {"study_digest": digest, "participants": names, "owners": keys}
        model = some_model("binary", "linear")
        facts = DETAILS.model_copy(update=details)
        save_model(folder, model.theta, model.spec, model.data, facts)
    made = load_model(site.path / "models" / f"study29-{digest[:12]}")
    for owner in owners:
        said = Recall(digest, made.digest, owner.card.name, "No.", "2026-05-30T12:00:00Z")
        StudyBoard(site.board, digest).recall(owner.card.name).post(said.dump(owner.sign))
    agent = agents.Agent(site, lambda: now[0])
    try:
        agent._ask_and_answer()
        agent._question._agreed |= {f"H{n}" for n in range(PARTNERS)}
        for _ in range(60):
            now[0] += 30.0
            agent._turn()
        assert len(made.standing().recalls) == PARTNERS
        reads.clear()
        for _ in range(10 * 60):
            now[0] += 1.0
            agent._turn()
        assert sum(reads.values()) <= 60  # in ten minutes
    finally:
        agent._presence.leave()
        agent._log.close()


def test_an_idle_agent_looks_once_a_second_and_five_times_after_an_event(site, monkeypatch):
    now = [1_000.0]
    monkeypatch.setattr(agents.Agent, "_sync_when_due", lambda _: None)  # PySyft's part is its own
    agent = agents.Agent(site, lambda: now[0])
    try:
        agent._turn()
        assert agent._until_due() == pytest.approx(0.2)
        now[0] += 60.0
        agent._turn()
        assert agent._until_due() == pytest.approx(1.0)
        site.ledger.pause("a holiday")
        now[0] += 1.0
        agent._turn()
        assert agent._until_due() == pytest.approx(0.2)
    finally:
        agent._presence.leave()
        agent._log.close()


def test_an_agent_that_is_asked_to_stop_rests_no_longer(site):
    agent = agents.Agent(site)
    try:
        threading.Timer(0.1, agent._stop_asked.put, (None,)).start()
        agent._rest(3600.0)
        agent._stop(signal.SIGTERM, None)
        agent._rest(3600.0)
    finally:
        agent._presence.leave()
        agent._log.close()


def test_a_marked_question_is_read_and_answered_once(site, reads):
    asker = Identity.generate("ASKS", "hospital", "A", "a@b.example")
    site.book.trust(asker.card)
    question = Question(lambda _: None)
    question.turn(site)
    question._agreed |= {"ASKS", *(f"H{n}" for n in range(PARTNERS))}
    nonce = "ab" * 32
    place = PartyBoard(site.board, "ASKS")
    place.checkpoint_question.post(said.Ask("ASKS", nonce).dump(asker.sign))
    site.board.post(f"{said.ASKED}/{said.asked_mark('ASKS', nonce)}", b"")
    reads.clear()
    question.turn(site)
    assert place.checkpoint_answer("SVI").read() is not None
    question.turn(site)
    reads.clear()
    question.turn(site)
    assert dict(reads) == {"names": 1}


def test_a_mark_that_is_there_before_its_question_is_looked_at_again(site):
    asker = Identity.generate("ASKS", "hospital", "A", "a@b.example")
    site.book.trust(asker.card)
    question = Question(lambda _: None)
    question.turn(site)
    nonce = "cd" * 32
    site.board.post(f"{said.ASKED}/{said.asked_mark('ASKS', nonce)}", b"")
    question.turn(site)
    place = PartyBoard(site.board, "ASKS")
    place.checkpoint_question.post(said.Ask("ASKS", nonce).dump(asker.sign))
    question.turn(site)
    assert place.checkpoint_answer("SVI").read() is not None


def test_a_study_that_becomes_a_request_late_is_found_within_a_minute_and_a_half(
    tmp_path, reads, monkeypatch
):
    """A hospital without PySyft, idle for long; what lies on the board for days is of strangers."""
    site = Site.init(
        tmp_path / "site",
        name="SVI",
        legal_name="A",
        email="a@b.example",
        store=str(tmp_path / "s"),
        requests=WITHOUT_PYSYFT,
    )
    found = []
    real = board_intake.read_request

    def read(board, digest, researchers):
        found.append((now[0], digest))
        return real(board, digest, researchers)

    monkeypatch.setattr(board_intake, "read_request", read)
    now = [1_000.0]
    agent = agents.Agent(site, lambda: now[0])
    waiting = [f"{number:064x}" for number in range(2)]

    def turns(seconds):
        for _ in range(seconds):
            now[0] += 1.0
            agent._turn()

    try:
        for digest in waiting:
            site.board.post(f"studies/{digest}/study.toml", b"x")
        turns(3600)
        found.clear()
        reads.clear()
        turns(600)
        for digest in waiting:
            times = [at for at, one in found if one == digest]
            apart = [after - before for before, after in pairwise(times)]
            assert max(apart) <= 91  # two of them, in turn
        assert sum(reads.values()) <= 60  # in ten minutes
        site.board.post(f"studies/{'f' * 64}/study.toml", b"x")
        turns(50)  # what is new is seen by the listing, and looked at soon and often
        found.clear()
        turns(10)
        assert [digest for _, digest in found].count("f" * 64) >= 2
    finally:
        agent._presence.leave()
        agent._log.close()
        site.ledger.close()
