"""The check of the model in words: on the plan, the card and the screen."""

from dataclasses import asdict
from decimal import Decimal

import numpy as np
import pytest
from conftest import protocol_text
from small_study import protocol

from securefl.learning.tasks.binary.expected import EvaluationPlan, band_shares, plan_evaluation
from securefl.learning.tasks.binary.words import (
    NO_PREVALENCE,
    auc_words,
    calibration_lines,
    plan_words,
    told_plan,
)
from securefl.report.explain_study import quality_sentence
from securefl.report.quality import quality_words
from securefl.report.terminal import plain_text
from securefl.report.told import plan_section
from securefl.study.parse import parse_protocol

WITH = ('edges = ["0.1", "0.3", "0.5"]', 'prevalence = "0.2"\nprevalence_source = "A register"')

ASKS = ('minimum = "0.5"', 'minimum = "0.7"')


def planned(*edits, hospitals=5):
    return plan_evaluation(parse_protocol(protocol_text(WITH, *edits)), hospitals)


def test_sizes_follow_from_the_public_figures():
    plan = planned()
    assert plan.patients == pytest.approx(
        200 * 5 * 3 / 7
    )  # normaliser 200 at a rate of 1/5, 3 of 10 held out
    assert plan.positives == pytest.approx(plan.patients / 5)
    assert plan.bins == 12


def test_the_plan_says_the_interval_in_words():
    large = " ".join(plan_words(planned(('normaliser = "200"', 'normaliser = "2000"'), ASKS)))
    assert (
        "about 4,286 patients are kept aside to check the model, about 857 of them positive"
        in large
    )
    assert "If the model's true AUC is 0.80, expect an interval from about 0.7" in large
    assert "told from chance from a true AUC of 0.5" in large
    assert (
        "at least 0.7 on the interval's lower end, is expected to be met from a true AUC of 0.7"
        in large
    )
    small = " ".join(plan_words(planned(('normaliser = "200"', 'normaliser = "20"'))))
    assert "The noise hides them all" in small
    few = " ".join(plan_words(planned(('minimum = "0.5"', 'minimum = "1"'))))
    assert "is not expected to be met by any model" in few


def test_a_study_without_a_prevalence_is_told_what_to_write():
    assert plan_evaluation(protocol(), 5) is None
    words = " ".join(plain_text(plan_section(told_plan(None)), 100).split())
    assert NO_PREVALENCE in words


def test_the_page_has_a_row_for_each_true_auc():
    plan = planned(
        ('normaliser = "200"', 'normaliser = "2000"'), ('minimum = "0.5"', 'minimum = "0"')
    )
    text = plain_text(plan_section(told_plan(plan)), 100)
    assert all(f"{auc:.2f}" in text for auc in (0.6, 0.7, 0.8, 0.9, 0.95))
    assert "which holds .5: no figure" in plain_text(plan_section(told_plan(planned())), 100)
    assert "quality rule" not in text
    assert asdict(plan)["expected"][2]["auc"] == 0.8


def test_with_no_model_told_from_chance_the_plan_says_so():
    plan = EvaluationPlan(100.0, 20.0, 12, planned().expected, None, 0.5, None)
    assert "No model is expected to be told from chance" in " ".join(plan_words(plan))


def test_shares_of_a_calibrated_model_have_its_prevalence_in_every_band():
    edges = [Decimal("0.05"), Decimal("0.1"), Decimal("0.2"), Decimal("0.4")]
    negative, positive = band_shares(0.8, 0.1, edges)
    share = positive * 0.1 / (positive * 0.1 + negative * 0.9)
    ends = [0, 0.05, 0.1, 0.2, 0.4, 1]
    assert all(low < s < high for low, s, high in zip(ends, share, ends[1:], strict=False))
    assert np.sum(negative) == pytest.approx(1) == np.sum(positive)


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ((0.8, 0.9, 0.85), "95 % interval 0.800 to 0.900, around 0.850"),
        ((0.4, 0.6, None), "cannot be told from chance: 95 % interval 0.400 to 0.600"),
        ((0.0, 1.0, None), "nothing can be said: too few positives or negatives for the noise"),
    ],
)
def test_the_interval_stands_first(figures, words):
    assert auc_words(*figures) == words


def test_the_quality_rule_in_words():
    assert (
        quality_words("met", Decimal("0.7")) == "at least 0.7: met; the whole interval lies above"
    )
    assert (
        quality_words("cannot-be-judged", Decimal("0.7"))
        == "at least 0.7: cannot be judged; the interval holds it"
    )
    assert "every hospital is told" in quality_sentence(protocol())
    assert (
        quality_sentence(protocol(('minimum = "0.5"', 'minimum = "0"')))
        == "No lowest AUC is asked for."
    )
    assert calibration_lines([]) == ()
