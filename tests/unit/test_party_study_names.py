"""Which study is meant: an exact id wins, and a decision is never taken on the beginning of a name."""

import doctest

import pytest

from securefl.party import study_names
from securefl.party.study_names import fit_words, meant
from securefl.study.study_id import StudyId

THREE, THIRTY, AGAIN = "aaaaaa11" * 8, "aaaaaa22" * 8, "cc" * 32
FIRST, SECOND = THERE = StudyId("surgery-3", THREE), StudyId("surgery-30d", THIRTY)


def test_the_examples_hold():
    assert doctest.testmod(study_names).failed == 0


@pytest.mark.parametrize("deciding", [False, True])
@pytest.mark.parametrize(
    ("typed", "fits"),
    [
        ("surgery-3", (FIRST,)),
        ("surgery-30d", (SECOND,)),
        (FIRST.name, (FIRST,)),
        (THREE, (FIRST,)),
        ("surgery-3-aaaaaa11", (FIRST,)),
        ("aaaaaa22", (SECOND,)),
        ("aaaaaa", (FIRST, SECOND)),
        ("aaaaaa33", ()),
        (THREE[:-1] + "f", ()),
        ("nothing", ()),
    ],
)
def test_an_exact_id_a_name_or_a_digest_is_meant_whatever_follows(typed, fits, deciding):
    assert meant(typed, THERE, deciding=deciding) == fits


@pytest.mark.parametrize("typed", ["surgery", "surgery-30", "s", "aaaaa", "surgery-3-aaa", ""])
def test_a_decision_is_not_taken_on_a_beginning(typed):
    assert meant(typed, THERE, deciding=True) == ()


def test_an_id_that_is_there_alone_is_not_meant_by_a_shorter_one():
    assert meant("surgery-3", [SECOND]) == (SECOND,)
    assert meant("surgery-3", [SECOND], deciding=True) == ()


def test_two_studies_of_one_id_both_fit():
    again = StudyId("surgery-3", AGAIN)
    assert meant("surgery-3", (*THERE, again), deciding=True) == (FIRST, again)
    assert meant("surgery-3-cccccc", (*THERE, again), deciding=True) == (again,)


def test_how_many_fit_is_said_in_grammar():
    assert fit_words(1, "request", "requests", "x") == "1 request fits 'x'."
    assert fit_words(2, "request", "requests", "x") == "2 requests fit 'x'."
