"""A check with one positive patient said "nothing can be said", gave an AUC, and two lines on
"asked for at least 0.7: met".
"""

from decimal import Decimal

import numpy as np
import pytest
from conftest import make_study

from securefl.learning.tasks.binary.evaluation import evaluate, judge
from securefl.learning.tasks.binary.words import told
from securefl.report.run import ModelOutcome, outcome_page
from securefl.report.terminal import plain_text
from securefl.study.counts import evaluation_of
from securefl.study.parse import parse_study

STUDY = parse_study(make_study(3, ('minimum = "0.5"', 'minimum = "0.7"'))[0])
NOISE = np.random.default_rng(4)


@pytest.mark.parametrize(
    "patients", [[60, 5, 2, 1, 0, 0, 0, 1], [60, 5, 2, 1, 0, 1, 1, 1], [0] * 8]
)
def test_where_nothing_is_known_no_figure_is_given_and_no_rule_is_met(patients):
    for _ in range(200):
        noised = np.array(patients) + np.rint(NOISE.normal(0, 3.75 * 3**0.5, 8)).astype(np.int64)
        found = evaluate(noised, evaluation_of(STUDY), 3)
        verdict = judge(found, STUDY.quality)
        page = " ".join(
            plain_text(
                outcome_page(
                    study_title="t",
                    model=ModelOutcome(told(found), "m", verdict, minimum=Decimal("0.7")),
                ),
                200,
            ).split()
        )
        if not found.known:
            assert found.auc is None
            assert verdict == "cannot-be-judged"
            assert "AUC nothing can be said" in page
            assert "asked for at least 0.7: cannot be judged" in page
            assert ": met" not in page


def test_the_few_patients_of_the_row_are_lost_in_the_noise_nearly_always():
    noise = np.rint(NOISE.normal(0, 3.75 * 3**0.5, (400, 8))).astype(np.int64)
    known = sum(
        evaluate(np.array([60, 5, 2, 1, 0, 0, 0, 1]) + n, evaluation_of(STUDY), 3).known
        for n in noise
    )
    assert known < 0.1 * 400
