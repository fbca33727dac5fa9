import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from small_study import FixedDraws, protocol

from securefl.errors import RoundError
from securefl.learning.counts import release_counts
from securefl.learning.tasks import task_of
from securefl.learning.tasks.binary.discrimination import histogram_auc
from securefl.learning.tasks.binary.evaluation import (
    evaluate,
    exact_auc,
    judge,
    raw_auc,
    score_histogram,
)
from securefl.study.counts import evaluation_of

QUALITY = protocol().quality
SPEC = evaluation_of(protocol())  # edges 0.1, 0.3, 0.5; noise 3.75


def rule(minimum):
    return QUALITY.model_copy(update={"minimum": Decimal(minimum)})


def normal_scores(generator, distance, negatives, positives):
    """Scores of two normal classes ``distance`` apart, and their labels."""
    logits = np.concatenate(
        [
            generator.normal(-distance / 2, 1, negatives),
            generator.normal(distance / 2, 1, positives),
        ]
    )
    return 1 / (1 + np.exp(-logits)), np.repeat([0, 1], [negatives, positives])


def test_the_histogram_counts_negatives_first_and_an_edge_belongs_to_the_bin_above():
    scores = np.array([0.05, 0.1, 0.29, 0.5, 1.0, 0.0])
    counts = score_histogram(scores, np.array([0, 0, 1, 1, 1, 0], dtype=np.int8), SPEC.edges)
    assert counts.dtype == np.int64
    assert counts.tolist() == [2, 1, 0, 0, 0, 1, 0, 2]


def test_no_held_out_patients_make_an_empty_histogram():
    assert score_histogram(np.zeros(0), np.zeros(0, dtype=np.int8), SPEC.edges).tolist() == [0] * 8


def test_a_patient_changes_one_count_by_one():
    scores, y = normal_scores(np.random.default_rng(0), 1, 50, 50)
    change = score_histogram(scores, y, SPEC.edges) - score_histogram(scores[1:], y[1:], SPEC.edges)
    assert sorted(change.tolist()) == [0] * 7 + [1]


def test_counts_are_clamped_before_the_noise_of_the_study():
    draws = FixedDraws(noise=lambda n: np.full(n, -3))
    released = release_counts(np.array([5, 30_000, 0, 0, 0, 0, 0, 1]), SPEC, draws)
    assert released.tolist() == [2, 19_997, -3, -3, -3, -3, -3, -2]
    assert draws.sigmas == [Decimal("3.75")]


def test_exact_auc_counts_pairs_and_halves_ties():
    assert exact_auc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])) == 0.75
    assert exact_auc(np.array([0, 1]), np.array([0.5, 0.5])) == 0.5
    assert math.isnan(exact_auc(np.array([1, 1]), np.array([0.5, 0.6])))
    assert math.isnan(exact_auc(np.zeros(0, dtype=int), np.zeros(0)))


def test_exact_auc_is_that_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(1)
    y, scores = generator.integers(0, 2, 500), generator.integers(0, 40, 500) / 40
    assert exact_auc(y, scores) == pytest.approx(roc_auc_score(y, scores), abs=1e-12)


def test_the_auc_of_a_histogram_is_the_exact_auc_of_binned_scores():
    scores, y = normal_scores(np.random.default_rng(2), 1.5, 400, 300)
    counts = score_histogram(scores, y, SPEC.edges).astype(float)
    binned = np.searchsorted([0.1, 0.3, 0.5], scores, side="right")
    assert histogram_auc(counts[:4], counts[4:]) == pytest.approx(
        exact_auc(y, binned.astype(float)), abs=1e-12
    )
    assert histogram_auc(np.zeros(4), counts[4:]) == 0.5


def test_large_counts_give_back_the_figures_they_hold():
    got = evaluate(np.array([80_000, 20_000, 10_000, 5_000, 1_000, 2_000, 5_000, 9_000]), SPEC, 5)
    assert got.auc == pytest.approx(
        histogram_auc(np.array([80, 20, 10, 5.0]), np.array([1, 2, 5, 9.0])), abs=1e-6
    )
    assert got.low < got.auc < got.high
    assert got.threshold == 0.5
    assert got.accuracy == pytest.approx((110 + 9) / 132)
    assert got.accuracy_low < got.accuracy < got.accuracy_high
    assert (got.negatives, got.positives) == (pytest.approx(115_000), pytest.approx(17_000))
    assert [row.positive_share for row in got.calibration] == pytest.approx(
        [1 / 81, 2 / 22, 5 / 15, 9 / 14]
    )
    assert [(row.low, row.high) for row in got.calibration] == [
        (0, 0.1),
        (0.1, 0.3),
        (0.3, 0.5),
        (0.5, 1),
    ]


def test_the_same_sum_gives_the_same_figures():
    total = np.array([400, 90, 30, 10, -4, 12, 30, 50])
    assert evaluate(total, SPEC, 5) == evaluate(total, SPEC, 5)


@pytest.mark.parametrize(
    "total", [[0] * 8, [-9] * 8, [500, 300, 100, 50, 3, -8, 2, 1], [0, 0, 0, 0, 90, 80, 70, 60]]
)
def test_where_a_class_is_lost_in_the_noise_the_interval_says_that_nothing_is_known(total):
    got = evaluate(np.array(total), SPEC, 5)
    assert (got.low, got.high) == (0.0, 1.0)
    assert got.auc is None
    assert not got.known
    for minimum in ("0.5", "0.7", "1"):
        assert judge(got, rule(minimum)) == "cannot-be-judged"


def test_a_sum_of_another_length_is_refused():
    with pytest.raises(RoundError, match="8 values are due"):
        evaluate(np.zeros(6, dtype=np.int64), SPEC, 5)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.7, 0.9, "met"),
        (0.69, 0.9, "cannot-be-judged"),
        (0.5, 0.7, "cannot-be-judged"),
        (0.5, 0.69, "not-met"),
        (0.0, 1.0, "cannot-be-judged"),
    ],
)
def test_the_quality_rule_is_judged_on_the_interval(low, high, verdict):
    some = evaluate(np.array([400, 90, 30, 10, -4, 12, 30, 50]), SPEC, 5)
    assert judge(replace(some, low=low, high=high), rule("0.7")) == verdict


def test_where_nothing_is_known_no_rule_is_met_but_one_that_asks_for_nothing():
    nothing = evaluate(np.zeros(8, dtype=np.int64), SPEC, 5)
    assert judge(nothing, rule("0.7")) == "cannot-be-judged"
    assert judge(nothing, rule("0")) == "met"


def test_an_interval_that_holds_chance_gives_no_single_figure():
    got = evaluate(np.array([4000, 3000, 2000, 1000, 410, 290, 210, 90]), SPEC, 5)
    assert got.low < 0.5 < got.high
    assert got.known
    assert got.auc is None
    assert raw_auc(np.array([4000, 3000, 2000, 1000, 410, 290, 210, 90]), SPEC, 5) == pytest.approx(
        0.5, abs=0.02
    )


def test_a_model_that_ranks_the_wrong_way_round_is_reported_so():
    got = evaluate(np.array([1000, 2000, 5000, 9000, 8000, 2000, 1000, 500]), SPEC, 5)
    assert got.high < 0.5
    assert got.auc < 0.3


def test_more_noise_makes_a_wider_interval():
    total = np.array([2000, 300, 100, 50, 10, 20, 40, 130])
    few, many = evaluate(total, SPEC, 2), evaluate(total, SPEC, 10)
    assert many.high - many.low > few.high - few.low


def test_other_edges_are_those_that_lose_little_and_are_not_the_studys():
    scores, y = normal_scores(np.random.default_rng(1), 1.5, 2000, 2000)
    study = protocol()
    written, task = evaluation_of(study), task_of(study.data)
    found = task.other_evaluations(written, [(scores, y)])
    assert found
    for words, section in found.items():
        assert f"bins = {section.bins}" in words
        assert section.edges != written.edges
        assert section.sigma == written.sigma
    (words, twelve) = next((w, s) for w, s in found.items() if s.bins == 12)
    assert words not in task.other_evaluations(twelve, [(scores, y)])
