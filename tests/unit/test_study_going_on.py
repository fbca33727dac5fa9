"""A study that goes on after a loss must have somebody to lose, and says in plain words how many."""

import pytest
from conftest import make_study, protocol_text

from securefl.errors import StudyError
from securefl.report.explain_study import sum_sentences
from securefl.study import consistency
from securefl.study.counts import evaluation_of
from securefl.study.parse import parse_protocol, parse_study
from securefl.study.training import training_of

GOES_ON = ('on_dropout = "fail"', 'on_dropout = "continue"')


def study(n, least, colluders, *edits):
    text = make_study(
        n,
        (f"min_contributors = {n}", f"min_contributors = {least}"),
        (f"colluders = {n - 2}", f"colluders = {colluders}"),
        *edits,
    )[0]
    return parse_study(text)


def faults(found):
    return [fault for _, fault in consistency._dropouts(found)]


def test_five_hospitals_and_one_colluder_can_lose_one():
    found = study(5, 4, 1, GOES_ON)
    assert faults(found) == []
    text = " ".join(sum_sentences(found))
    assert "of at least 4 of the 5 hospitals" in text
    assert "At most 1 hospital can be lost" in text
    assert "all 5" not in text


def test_a_template_says_how_many_there_must_be_and_not_how_many_there_are():
    text = " ".join(
        sum_sentences(
            parse_protocol(
                protocol_text(
                    ("min_contributors = 5", "min_contributors = 4"),
                    ("colluders = 3", "colluders = 1"),
                    GOES_ON,
                )
            )
        )
    )
    assert "of at least 4 hospitals;" in text
    assert "Each hospital beyond 4 may be lost" in text
    assert "At most 0" not in text


def test_a_study_that_ends_with_a_loss_says_so():
    text = " ".join(sum_sentences(study(5, 4, 1)))
    assert "If one is missing, the round fails" in text
    assert "can be lost" not in text


def test_a_study_that_can_lose_nobody_does_not_go_on():
    assert faults(study(5, 5, 3, GOES_ON)) == [
        (
            '"continue" can lose nobody while secagg.min_contributors is 5, all participants; lower it,'
            ' or write "fail"'
        )
    ]
    assert faults(study(5, 5, 3)) == []


def test_more_than_a_hundred_do_not_go_on():
    assert faults(study(100, 52, 2, GOES_ON)) == []
    assert "up to 100 hospitals, and the study has 101" in faults(study(101, 53, 2, GOES_ON))[0]


def test_the_fault_names_its_place():
    found = study(5, 5, 3, GOES_ON)

    class Claimed:
        """An accountant that finds the claims right, whatever it is asked."""

        def training_epsilon(self, *_):
            return training_of(found).epsilon

        def evaluation_epsilon(self, *_):
            return evaluation_of(found).epsilon

    with pytest.raises(StudyError, match=r"on_dropout: .*can lose nobody"):
        consistency.check_consistency(found, Claimed())
