"""The page of a personal model: the verdict's words, its warnings, and the picture."""

import doctest

import pytest
from every_page import personal, personal_facts

from securefl.learning.personal.methods import DEVIATIONS, METHODS
from securefl.report import personal_model
from securefl.report.page import Tone
from securefl.report.personal_model import (
    CHANGED,
    KEPT_GLOBAL,
    KEPT_PERSONAL,
    NOT_CHARGED,
    few_words,
    setting_words,
    verdict,
)
from securefl.report.terminal import plain_text


def words(page):
    return " ".join(plain_text(page).split())


def test_docstrings_hold():
    assert not doctest.testmod(personal_model).failed


@pytest.mark.parametrize(
    ("changes", "said", "tone"),
    [
        ({}, "The personal model. It is better on patients that neither", Tone.GOOD),
        ({"change": (-0.02, -0.05, 0.01)}, "the interval holds 0: others may say", Tone.WARN),
        ({"change": (0.02, -0.05, 0.09)}, "The study's model. The personal one does no", Tone.WARN),
        ({"change": (0.05, 0.01, 0.09)}, "The study's model. Personalising HARMS here", Tone.BAD),
        ({"method": ""}, "The study's model. Nothing that was tried did better", Tone.PLAIN),
        ({"change": (-0.02, None, None)}, "loss not known well enough for an interval", Tone.WARN),
    ],
)
def test_the_verdict_says_which_is_kept_and_warns_where_it_harms(changes, said, tone):
    found = verdict(personal_facts(**changes), "patients")
    assert said in found.words
    assert found.tone is tone


def test_few_patients_of_one_outcome_are_warned_of():
    assert few_words(personal_facts(), "patients") is None
    assert "only 1 'positive'" in few_words(personal_facts(rare=1), "patients").words


def test_the_page_says_what_the_model_holds_and_why_nothing_was_charged():
    kept = words(personal())
    assert KEPT_PERSONAL in kept
    assert NOT_CHARGED in kept
    assert CHANGED not in kept
    assert "securefl predict small-ecb696cd2322 TABLE.csv --site /srv/svi" in kept
    harmed = words(personal(change=(0.05, 0.01, 0.09), changed=True))
    assert KEPT_GLOBAL in harmed
    assert CHANGED in harmed


def test_the_sentences_on_confidentiality_are_these():
    assert KEPT_PERSONAL == (
        "The personal model holds what your patients' rows taught it, without noise. It is as"
        " confidential as the records: readable by you alone, in no backup, refused by every other"
        " command, and never a study's output or input."
    )
    assert NOT_CHARGED == (
        "Nothing left the hospital, so nothing was charged: a budget bounds what others can learn,"
        " and nobody else gets anything of this. The ledger notes that it was made."
    )


def test_the_picture_puts_better_on_the_left_of_no_change():
    kept, harmed = (
        personal(change=change).blocks[1].blocks[1].spoken[1]
        for change in ((-0.05, -0.09, -0.01), (0.05, 0.01, 0.09))
    )
    assert kept.bar[0][0] < 0.5 < harmed.bar[0][0]
    for line in (kept, harmed):
        assert sum(share for share, _ in line.bar) == pytest.approx(1.0)


def test_every_setting_that_is_tried_has_words():
    tried = [("recalibration", "shift"), ("recalibration", "shift and scale")]
    tried += [("near", f"{deviation:g}") for deviation in DEVIATIONS]
    assert {method for method, _ in tried} == {method.name for method in METHODS}
    for method, setting in tried:
        one = personal_facts().chosen.model_copy(update={"method": method, "setting": setting})
        assert "as it is" not in setting_words(one)
