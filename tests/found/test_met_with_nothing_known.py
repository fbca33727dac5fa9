"""A check with one positive patient said "nothing can be said", gave an AUC, and two lines on
"asked for at least 0.7: met".
"""

from decimal import Decimal

import numpy as np
import pytest
from conftest import make_study

from securefl.learning.tasks import task_of
from securefl.learning.tasks.binary.evaluation import evaluate, judge
from securefl.learning.tasks.binary.words import told
from securefl.node.owner.status import asked_minimum
from securefl.report.outcome import model_facts
from securefl.report.run import ModelOutcome, outcome_page
from securefl.report.study_report import report_page
from securefl.report.terminal import plain_text
from securefl.study.counts import evaluation_of
from securefl.study.parse import parse_study

#: The study asks for .7.
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


@pytest.mark.parametrize(("minimum", "told_of"), [("0", False), ("0.7", True)])
def test_a_study_that_asks_for_nothing_tells_of_no_rule_that_was_met(minimum, told_of):
    """The template of a newcomer asks for an AUC of 0."""
    study = edited_study(minimum)
    found = evaluate(np.zeros(8, dtype=np.int64), evaluation_of(study), 3)
    card = model_facts(study, "d" * 64, found, [])
    assert card.figures["AUC"].startswith("nothing can be said")
    assert ("AUC asked for" in card.figures) is told_of
    assert (asked_minimum(study) is not None) is told_of
    page = plain_text(
        outcome_page(
            study_title="t",
            model=ModelOutcome(told(found), "m", "met", minimum=asked_minimum(study)),
        ),
        200,
    )
    assert ("asked for" in page) is told_of
    result = {"study": "t", "extracts": {}, "quality": {"verdict": "met", "minimum": minimum}}
    again = plain_text(report_page(result, "t", asks=task_of(study.data).asks(study.quality)), 200)
    assert ("asked for" in again) is told_of


def edited_study(minimum):
    quality = STUDY.quality.model_copy(update={"minimum": Decimal(minimum)})
    return STUDY.model_copy(update={"quality": quality})
