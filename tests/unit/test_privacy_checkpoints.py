"""Checkpoints between hospitals: handed out, kept, asked for, answered."""

import shutil
from itertools import permutations

import pytest
from boards import is_there
from checkpoint_hospitals import approved, three_hospitals
from ledger_site import digest

from securefl.errors import MessageError, UnreadableError
from securefl.federation import checkpoints as said
from securefl.node.answered import Answered
from securefl.node.checkpoints import (
    Question,
    answer_questions,
    collect,
    hand_out,
    hospitals_of,
    kept,
    kept_path,
    note_witnessed,
)
from securefl.node.pasts import doubted, settle_doubt
from securefl.node.site import Site
from securefl.signed import dump_signed

COHORT = ("A", "B", "C")


@pytest.fixture
def sites(tmp_path):
    return three_hospitals(tmp_path)


def test_hospitals_with_sound_ledgers_agree_and_say_once_for_whom_they_wait(sites):
    lines = []
    questions = {name: Question(lines.append) for name in COHORT}
    questions["A"].turn(sites["A"])
    assert not questions["A"].agreed(sites["A"], COHORT)
    assert not questions["A"].agreed(sites["A"], COHORT)
    assert lines == [
        f"waiting for {n} to say which checkpoint of this hospital's ledger it holds" for n in "BC"
    ]
    assert (
        questions["A"].unheard(sites["A"], COHORT)
        == "the word of B, C on this ledger's checkpoints"
    )
    for _ in range(2):
        for name, question in questions.items():
            question.turn(sites[name])
    assert all(q.agreed(sites[n], COHORT) for n, q in questions.items())
    assert {q.unheard(sites[n], COHORT) for n, q in questions.items()} == {""}


def test_what_is_handed_out_is_kept_where_newer_and_comes_back(sites):
    approved(sites["A"])
    sites["A"].ledger.start(digest(1))
    hand_out(sites["A"], digest(1), COHORT)
    assert collect(sites["B"], digest(1), COHORT) == []
    first = kept_path(sites["B"], "A").read_bytes()
    assert (kept_path(sites["B"], "A").stat().st_mode & 0o777) == 0o600
    sites["A"].ledger.pause()
    hand_out(sites["A"], digest(1), COHORT)
    collect(sites["B"], digest(1), COHORT)
    collect(sites["B"], digest(1), COHORT)
    held, data = kept(sites["B"], sites["A"].identity.card)
    assert data != first
    assert (held.size, held.head) == (sites["A"].ledger.size, sites["A"].ledger.head)
    question = Question(lambda _: None)
    question.turn(sites["A"])
    answered = Answered(sites["B"].path)
    answer_questions(sites["B"], answered)
    answer_questions(sites["B"], answered)
    answer_questions(sites["C"], Answered(sites["C"].path))
    question.turn(sites["A"])
    assert question.agreed(sites["A"], ("A", "B"))
    assert (sites["A"].path / "checkpoints" / "returned" / "B").read_bytes() == data


def test_a_ledger_that_went_back_is_reported_to_the_others_owners_and_the_newest_stays(
    sites, tmp_path
):
    site, card = sites["A"], sites["A"].identity.card
    site.ledger.close()
    shutil.copytree(site.path, tmp_path / "before")
    sites["A"] = site = Site.at(site.path)
    approved(site)
    hand_out(site, digest(1), COHORT)
    assert collect(sites["B"], digest(1), COHORT) == []
    newest = kept(sites["B"], card)
    back = Site.at(tmp_path / "before")
    for number in range(2, 4):  # it grows again, otherwise, past the number of events that B knows
        approved(back, number)
    hand_out(back, digest(1), COHORT)
    (line,) = collect(sites["B"], digest(1), COHORT)
    assert "event 5 of two checkpoints differs. A has signed two pasts of its ledger" in line
    assert "it was cut, restored or rewritten, or two copies of A are at work" in line
    assert kept(sites["B"], card) == newest
    assert doubted(sites["B"], COHORT) == ["A"]


def test_an_older_checkpoint_that_was_handed_before_is_no_fault_in_whatever_order_they_come(sites):
    """Two studies at once: each has an object of its own, which holds what was newest when that
    study last sent something.
    """
    site, store = sites["A"], sites["B"].board
    paths = {}
    for turn in range(6):
        site.ledger.resume() if turn % 2 else site.ledger.pause()
        study = digest(1 + turn % 2)
        hand_out(site, study, COHORT)
        paths.setdefault(
            turn,
            (
                said.handed_path(study, "A", "B"),
                store.read(said.handed_path(study, "A", "B"), said.MAX_SEALED),
            ),
        )
    for order in permutations(range(6), 4):
        for turn in order:
            store.post(*paths[turn])
            for study in (1, 2):
                assert collect(sites["B"], digest(study), COHORT) == []
    assert doubted(sites["B"], COHORT) == []
    assert kept(sites["B"], site.identity.card)[0].size == site.ledger.size


@pytest.fixture
def two_copies(sites, tmp_path):
    """A's folder is copied after its approval, and both copies go on and hand out."""
    sites["A"].ledger.close()
    shutil.copytree(sites["A"].path, tmp_path / "twin")
    sites["A"], twin = Site.at(sites["A"].path), Site.at(tmp_path / "twin")
    approved(sites["A"], 1)
    approved(twin, 2)
    hand_out(sites["A"], digest(1), COHORT)
    assert collect(sites["B"], digest(1), COHORT) == []
    hand_out(twin, digest(2), COHORT)
    return sites, collect(sites["B"], digest(2), COHORT)


def test_two_heads_of_one_size_name_the_hospital_and_its_questions_get_no_answer(two_copies):
    sites, (line,) = two_copies
    assert "event 5 of two checkpoints differs. A has signed two pasts" in line
    assert "Telephone A" in line
    assert not asked(sites, "B")[0].agreed(sites["A"], ("A", "B"))
    lines = []
    question = Question(lines.append)
    question.turn(sites["B"])
    answer_questions(sites["A"], Answered(sites["A"].path))
    question.turn(sites["B"])
    assert not question.agreed(sites["B"], ("A", "B"))
    assert (
        question.unheard(sites["B"], ("A", "B"))
        == "an end of the doubt about A, whose ledger has shown two pasts"
    )
    assert "No study with A starts or goes on here" in lines[0]


def test_a_settled_doubt_is_put_aside_and_the_next_checkpoint_is_the_first(two_copies):
    sites, _ = two_copies
    aside = settle_doubt(sites["B"], "A")
    assert {file.name for file in aside.iterdir()} == {"checkpoint", "past", "doubted"}
    assert settle_doubt(sites["B"], "A") is None
    assert collect(sites["B"], digest(1), COHORT) == []
    assert asked(sites, "B", "C")[0].agreed(sites["A"], COHORT)
    assert doubted(sites["B"], COHORT) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: p.unlink(),
        lambda p: p.write_bytes(b"x"),
        lambda p: p.write_text('{"heads": [[1]]}'),
    ],
)
@pytest.mark.parametrize("kind", ["past", "handed"])
def test_a_lost_note_makes_no_false_alarm(sites, kind, spoil):
    for number in range(1, 4):
        assert asked(sites, "B", "C")[0].agreed(
            sites["A"], ("A", "B")
        )  # as before every study: B gives back what it holds
        approved(sites["A"], number)
        hand_out(sites["A"], digest(number), COHORT)
        assert collect(sites["B"], digest(number), COHORT) == []
        folder, name = {"past": (sites["B"].path, "A"), "handed": (sites["A"].path, "B")}[kind]
        spoil(folder / "checkpoints" / kind / name)
        assert collect(sites["B"], digest(1), COHORT) == []
    assert kept(sites["B"], sites["A"].identity.card)[0].size == sites["A"].ledger.size


def test_more_hand_outs_than_are_listed_are_no_fault(sites):
    for number in range(1, 2 * said.MOST_PAST + 10):
        sites["A"].ledger.pause()
        sites["A"].ledger.resume()
        hand_out(sites["A"], digest(1), ("B",))
        if number in {1, 2, said.MOST_PAST + 5, said.MOST_PAST + 6}:  # B was away in between
            assert collect(sites["B"], digest(1), COHORT) == []
    assert collect(sites["B"], digest(1), COHORT) == []
    assert kept(sites["B"], sites["A"].identity.card)[0].size == sites["A"].ledger.size


@pytest.mark.parametrize(
    "change",
    [
        {"reader": "C"},
        {"site": "C"},
        {"checkpoint": "zz"},
        {"past": "x"},
        {"past": ["1:ab"]},
        {"past": [1]},
        {"past": ["0" * 16 + ":" + "ab" * 32] * 49},
        {"held": ["0" * 16 + ":" + "ab" * 32] * 2},
    ],
)
def test_a_malformed_hand_out_is_as_if_it_were_not_there(sites, change):
    body = {
        "site": "A",
        "reader": "B",
        "checkpoint": sites["A"].ledger.checkpoint().hex(),
        "past": [],
        "held": [],
    }
    word = dump_signed({"type": said.Handed.TYPE, **body, **change}, sites["A"].identity.sign)
    with pytest.raises(MessageError):
        said.Handed.open(word, site="A", reader="B", verify=sites["A"].identity.card.verify)
    sites["B"].board.post(
        said.handed_path(digest(1), "A", "B"),
        sites["B"].identity.card.seal(word, said.handed_info(digest(1), "A", "B")),
    )
    assert collect(sites["B"], digest(1), COHORT) == []
    assert kept(sites["B"], sites["A"].identity.card) is None


def test_the_end_of_a_study_is_noted_in_the_others_ledgers(sites):
    hand_out(sites["A"], digest(1), COHORT)
    collect(sites["B"], digest(1), COHORT)
    assert note_witnessed(sites["B"], COHORT) == []
    assert sites["B"].ledger.state.witnessed["A"].head == sites["A"].ledger.head
    size = sites["B"].ledger.size
    note_witnessed(sites["B"], COHORT)
    assert sites["B"].ledger.size == size
    kept_path(sites["B"], "A").unlink()
    old = sites["A"].ledger.checkpoint()
    approved(sites["A"])
    hand_out(sites["A"], digest(1), COHORT)
    collect(sites["B"], digest(1), COHORT)
    note_witnessed(sites["B"], COHORT)
    kept_path(sites["B"], "A").write_bytes(old)
    (line,) = note_witnessed(sites["B"], COHORT)
    assert "cut, restored or rewritten" in line


def test_what_a_stranger_writes_is_as_if_it_were_not_there(sites):
    store = sites["B"].board
    store.post(said.handed_path(digest(1), "A", "B"), b"nonsense")
    store.post(said.ask_path("A"), b"nonsense")
    store.post(said.held_path("B", "A"), b"nonsense")
    store.post(said.ask_path("C"), said.Ask("A", "0" * 64).dump(sites["A"].identity.sign))
    assert collect(sites["B"], digest(1), COHORT) == []
    Question(lambda _: None).turn(sites["B"], [(digest(1), COHORT)])
    assert store.read(said.held_path("C", "B"), said.MAX_SEALED) is None


def asked(sites, *names):
    """A asks, the named hospitals answer, A listens; what stands in A's log, and what its partners'
    lines were.
    """
    lines, theirs = [], []
    question = Question(lines.append)
    question.turn(sites["A"])
    for name in names:
        theirs += answer_questions(sites[name], Answered(sites[name].path))
    for _ in range(2):
        question.turn(sites["A"])
    return question, lines, theirs


def test_what_is_kept_and_cannot_be_checked_stays_and_is_given_back(sites):
    path = kept_path(sites["B"], "A")
    path.parent.mkdir()
    path.write_bytes(b"nonsense")
    with pytest.raises(UnreadableError, match="by no key that A's present card names"):
        kept(sites["B"], sites["A"].identity.card)
    hand_out(sites["A"], digest(1), COHORT)
    for lines in (collect(sites["B"], digest(1), COHORT), note_witnessed(sites["B"], COHORT)):
        assert "Telephone A, and trust its newest card" in lines[0]
    assert path.read_bytes() == b"nonsense"
    question, (line,), _ = asked(sites, "B")
    assert not question.agreed(sites["A"], ("A", "B"))
    assert "no key of this ledger signed" in line
    assert "ask B to move its file checkpoints/A away" in line
    path.unlink()
    assert collect(sites["B"], digest(1), COHORT) == []
    assert asked(sites, "B", "C")[0].agreed(sites["A"], ("A", "B"))


@pytest.mark.parametrize(
    "spoil",
    [lambda p: p.mkdir(), lambda p: p.write_bytes(b"x" * (said.MAX_CHECKPOINT + 1))],
    ids=["no file", "too long"],
)
def test_what_is_kept_and_cannot_be_read_is_not_called_nothing(sites, spoil):
    path = kept_path(sites["B"], "A")
    path.parent.mkdir()
    spoil(path)
    question, _, (line,) = asked(sites, "B")
    assert str(path) in line
    assert not question.agreed(sites["A"], ("A", "B"))
    lines = []
    again = Question(lines.append)
    for _ in range(3):
        again.turn(sites["B"])
    assert lines == [line]  # once in a run, not at every turn


def test_only_listed_hospitals_are_asked_and_answered(sites):
    assert set(hospitals_of(sites["A"])) == {"B", "C"}
    sites["A"].book.distrust("C")
    assert set(hospitals_of(sites["A"])) == {"B"}
    hand_out(sites["A"], digest(1), COHORT)
    assert not is_there(sites["A"].board, said.handed_path(digest(1), "A", "C"))


@pytest.mark.parametrize("field", ["site", "nonce"])
def test_a_malformed_question_is_refused(sites, field):
    identity = sites["A"].identity
    good = said.Ask("A", "0" * 64)
    assert said.Ask.open(good.dump(identity.sign), site="A", verify=identity.card.verify) == good
    bad = said.Ask(**{"site": "A", "nonce": "0" * 64, field: "x"}).dump(identity.sign)
    with pytest.raises(MessageError, match=r"malformed|about another"):
        said.Ask.open(bad, site="A", verify=identity.card.verify)


@pytest.mark.parametrize("change", [{"holder": "C"}, {"site": "C"}, {"nonce": "x"}])
def test_a_malformed_answer_is_refused(sites, change):
    identity = sites["B"].identity
    fields = {"holder": "B", "site": "A", "nonce": "0" * 64, "checkpoint": b"c"}
    good = said.Held(**fields)
    assert (
        said.Held.open(
            good.dump(identity.sign), site="A", sender="B", holder="B", verify=identity.card.verify
        )
        == good
    )
    with pytest.raises(MessageError, match=r"malformed|about another"):
        said.Held.open(
            said.Held(**fields | change).dump(identity.sign),
            site="A",
            sender="B",
            holder="B",
            verify=identity.card.verify,
        )
