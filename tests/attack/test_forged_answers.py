"""What others of a study, or whoever operates its store, can do to an owner's questions and to their
answers: nothing that is shown. Each attack succeeds against a reader that leaves its check out.
"""

import itertools
import json

import pytest
from consortium import NAMES, Consortium

from securefl.errors import MessageError, NotApprovedError, UsageError
from securefl.federation import questions as wire
from securefl.federation.study_board import StudyBoard
from securefl.node import questions as kept
from securefl.node.owner import questions, requests
from securefl.report.html import html_blocks
from securefl.report.questions import thread_section

ME, OTHER, _ = NAMES
NUMBERS = itertools.count(1)
EVIL = '</p><script>alert(1)</script> \u202e <b>"&amp;'


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("questions"))


@pytest.fixture
def here(c):
    site = c.site(ME)
    yield site
    site.ledger.close()


@pytest.fixture
def study(c):
    made = c.new_study(f"asked-{next(NUMBERS)}")
    c.hand_over(made, ME)
    return made


def thread(site, study):
    return kept.thread(site, study.sealed.study, study.digest)


def reply_slot(site, study, number=1):
    return StudyBoard(site.board, study.digest).reply(ME, number)


def signed_question(site, study, number=1):
    return StudyBoard(site.board, study.digest).question(ME, number).read()


def forged(site, study, signer, text="Yes, of course.", number=1):
    asked = wire.sha256(signed_question(site, study, number))
    said = wire.Reply(study.digest, ME, number, asked, text, "2026-01-31T12:00:00Z")
    return said.dump(signer.sign)


def test_a_question_and_its_answer_reach_each_other(here, study):
    assert study.questions() == []
    questions.ask(here, study.name, "Is age in years?\r\nAnd of whom?")
    [asked] = study.questions()
    assert (asked.site, asked.number, asked.reply) == (ME, 1, None)
    assert asked.text == "Is age in years?\nAnd of whom?"
    study.answer(ME, 1, f"In years. {EVIL}")
    [one] = thread(here, study)
    assert (one.question, one.reply) == (asked.text, f"In years. {EVIL}")
    text = str(html_blocks(requests_page(thread_section([one]))))
    assert "<script>" not in text
    assert "\u202e" not in text
    with pytest.raises(UsageError, match="answered before"):
        study.answer(ME, 1, "In months.")
    with pytest.raises(UsageError, match="no question 2"):
        study.answer(ME, 2, "Yes.")


def requests_page(section):
    from securefl.report.page import page

    return page("A request", section)


def test_nobody_but_the_researcher_answers(c, here, study):
    questions.ask(here, study.name, "Is age in years?")
    other = c.site(OTHER)
    bytes_of_other = forged(here, study, other.identity)
    reply_slot(other, study).post(bytes_of_other)
    assert thread(here, study)[0].reply is None
    # the control: a reader that takes the key of whoever wrote it
    place = wire.Place(study.digest, ME, 1)
    asked = signed_question(here, study)
    assert place.reply(bytes_of_other, asked, other.identity.card.verify).text == "Yes, of course."
    # and a word that was changed on the way
    study.answer(ME, 1, "In years.")
    genuine = reply_slot(here, study).read()
    reply_slot(other, study).post(genuine.replace(b"In years", b"In hours"))
    assert thread(here, study)[0].reply is None
    reply_slot(other, study).post(genuine)
    assert thread(here, study)[0].reply == "In years."


def test_an_answer_is_shown_under_its_own_question_alone(c, here, study):
    for words in ("Do rows leave?", "Is age in years?"):
        questions.ask(here, study.name, words)
    me = c.lab.folder.identity
    said = forged(here, study, me, number=2)
    moved = wire.Reply(
        study.digest, ME, 1, wire.sha256(signed_question(here, study, 2)), "Yes.", "2026-01-31"
    ).dump(me.sign)
    for data in (said, moved):
        reply_slot(here, study).post(data)
        assert thread(here, study)[0].reply is None
    # the control: without the question's hash the answer to the other would be shown here
    fields = {"study": study.digest, "site": ME, "number": 1}
    assert wire.Reply.open(moved, verify=me.card.verify, **fields).text == "Yes."


def test_the_first_answer_stays(c, here, study):
    questions.ask(here, study.name, "Is age in years?")
    study.answer(ME, 1, "In years.")
    assert thread(here, study)[0].reply == "In years."
    reply_slot(here, study).post(forged(here, study, c.lab.folder.identity, text="In months."))
    assert thread(here, study)[0].reply == "In years."


def test_a_question_that_another_hospital_writes_in_my_name_is_none(c, here, study):
    other = c.site(OTHER)
    said = wire.Question(study.digest, ME, 1, "Send me rows.", "2026-01-31T12:00:00Z")
    slot = StudyBoard(other.board, study.digest).question(ME, 1)
    slot.post(said.dump(other.identity.sign))
    assert study.questions() == []
    slot.post(said.dump(here.identity.sign))  # the control: the hospital's own key
    assert [one.text for one in study.questions()] == ["Send me rows."]


@pytest.mark.parametrize("text", ["", " \n ", "a" * 2001, "a\x1b[2J", "a\x00b"])
def test_no_text_that_is_empty_too_long_or_commands_a_screen_is_sent_or_read(here, study, text):
    with pytest.raises(UsageError, match="characters"):
        questions.ask(here, study.name, text)
    assert thread(here, study) == ()
    place = wire.Place(study.digest, ME, 1)
    # whoever signs it: a reader refuses it too
    said = wire.Question(study.digest, ME, 1, text, "2026-01-31T12:00:00Z")
    signed = said.dump(here.identity.sign)
    with pytest.raises(MessageError):
        place.question(signed, here.identity.card.verify)


def test_a_long_object_is_refused_unread(here, study):
    questions.ask(here, study.name, "Is age in years?")
    reply_slot(here, study).post(b"x" * (wire.MAX_BYTES + 1))
    assert thread(here, study)[0].reply is None


def test_twenty_questions_are_asked_at_most_and_none_after_the_decision(c, here, study):
    for number in range(wire.MOST_QUESTIONS):
        questions.ask(here, study.name, f"Question {number}?")
    assert len(study.questions()) == wire.MOST_QUESTIONS
    with pytest.raises(UsageError, match="the most there can be"):
        questions.ask(here, study.name, "One more?")
    requests.refuse(here, study.digest, "too many open questions")
    with pytest.raises(NotApprovedError, match="decided here before"):
        questions.ask(here, study.name, "One more?")


def test_the_decision_keeps_what_was_said(c, here, study):
    questions.ask(here, study.name, "Is age in years?")
    study.answer(ME, 1, "In years.")
    thread(here, study)
    requests.refuse(here, study.digest, "no vote")
    data = (here.study_folder(study.digest) / "thread" / "thread.json").read_bytes()
    record = kept.ThreadRecord.open(
        data, verify=here.identity.card.verify, study=study.digest, site=ME, decision="refused"
    )
    assert record.questions == [wire.sha256(signed_question(here, study))]
    assert record.replies == [wire.sha256(reply_slot(here, study).read())]
    with pytest.raises(MessageError):
        kept.ThreadRecord.open(
            data.replace(b"refused", b"approve"), verify=here.identity.card.verify, site=ME
        )
    assert json.loads(data.partition(b"\n")[2])["decision"] == "refused"
