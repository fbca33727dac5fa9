"""Nouns of a study: how texts of hospitals and patients are said of banks and customers."""

import re

import pytest
from conftest import make_study, protocol_text

from securefl.errors import StudyError
from securefl.study.parse import parse_protocol, words_in
from securefl.study.sealed import SealedStudy
from securefl.study.words import TAKEN, USUAL, Words

BANKS = Words(participant="bank", subject="customer")
PEOPLE = Words(participant="insurer", subject="person", subjects="people")
TABLE = '[words]\nparticipant = "bank"\nsubject = "customer"\n'


def with_words(text, table=TABLE):
    return text.replace("[code]\n", f"{table}\n[code]\n", 1)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("A hospital asks its patients.", "A bank asks its customers."),
        ("Hospitals, the hospital's own, all hospitals'", "Banks, the bank's own, all banks'"),
        ("noise per-patient and per-hospital", "noise per-customer and per-bank"),
        ("(hospital) or hospital.", "(bank) or bank."),
        ("whose patients?\nhospital", "whose customers?\nbank"),
    ],
)
def test_a_sentence_is_said_in_the_studys_nouns(ours, theirs):
    assert BANKS.say(ours) == theirs


@pytest.mark.parametrize(
    "name",
    [
        "--hospital NAME",
        "hospital-a",
        "general-hospital",
        "/srv/hospital/patients.csv",
        "patients.csv",
        "data.patient: expected",
        '"patient" or "record"',
        "`hospital`",
        "'patient'",
        "patient_id",
        "inpatients",
        'unit="patient"',
        "hospital=3",
    ],
)
def test_a_name_stays_as_it_is(name):
    assert BANKS.say(name) == name


def test_articles_and_plurals_follow_the_noun():
    assert PEOPLE.say("A hospital, a patient, a hospital; patients") == (
        "An insurer, a person, an insurer; people"
    )
    assert Words(participant="university").say("a hospital") == "a university"
    assert Words(participant="agency").say("hospitals") == "agencies"


def test_nothing_changes_for_hospitals_and_patients():
    text = "A hospital and its patients"
    assert USUAL.usual
    assert USUAL.say(text) is text


def test_what_was_said_is_not_said_again():
    for words in (BANKS, PEOPLE):
        once = words.say("A hospital has patients.")
        assert words.say(once) == once


def test_a_study_file_says_them_and_they_are_in_its_digest():
    plain, named = make_study()[0], with_words(make_study()[0])
    assert SealedStudy.read(named).study.words == BANKS
    assert SealedStudy.read(plain).study.words == USUAL
    assert SealedStudy.read(named).digest != SealedStudy.read(plain).digest


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[words]\nparticipant = "nobody"\n', "means something else"),
        ('[words]\nsubject = "row"\n', "means something else"),
        ('[words]\nparticipant = "bank"\nsubject = "bank"\n', "means something else"),
        ('[words]\nsubject = "hospital"\n', "the other one of the two"),
        ('[words]\nparticipant = "Bank"\n', "words.participant"),
        ('[words]\nparticipant = "no bank at all"\n', "words.participant"),
        ('[words]\nparty = "bank"\n', "party"),
    ],
)
def test_another_noun_is_refused_with_its_line(table, said):
    with pytest.raises(StudyError, match=re.escape(said)) as caught:
        parse_protocol(with_words(protocol_text(), table))
    assert "line" in caught.value.what


def test_every_word_that_is_taken_is_refused():
    for noun in TAKEN:
        with pytest.raises(ValueError, match=r"means something else|String should match"):
            Words(subject=noun)


def test_a_file_with_a_fault_elsewhere_still_says_its_nouns():
    broken = with_words(protocol_text()).replace('holdout = "3/10"', "holdout = 3")
    with pytest.raises(StudyError):
        parse_protocol(broken)
    assert words_in(broken.encode()) == BANKS
    assert words_in(with_words(protocol_text(), '[words]\nsubject = "row"\n').encode()) == USUAL
    assert words_in(b"[words\n") == USUAL
