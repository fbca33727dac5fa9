"""Additive models: where a value counts, what a missing one does, and how a model is read."""

from types import SimpleNamespace

import numpy as np
import pytest
from small_study import SPEC, protocol

from securefl.errors import StudyError
from securefl.learning.artefact import ModelFacts, model_card, save_model
from securefl.learning.families.additive import Additive, places_of
from securefl.learning.families.contributions import knots_of
from securefl.learning.models import family_of, predict
from securefl.learning.tasks import task_of
from securefl.learning.tasks.binary.evaluation import exact_auc
from securefl.report.html import html_page
from securefl.report.own_model import own_model_page
from securefl.report.terminal import plain_text
from securefl.report.wording import in_words
from securefl.study.training import training_of
from securefl.study.words import Words

MODEL = ('kind = "logistic-regression"', 'kind = "additive"\nknots = 5')
STUDY = protocol(MODEL)
TASK = task_of(SPEC)
FAMILY = family_of(training_of(STUDY).model, STUDY.data)


def small(knots=5, smoothing=0, inputs=1):
    return Additive(SimpleNamespace(knots=knots, smoothing=smoothing), inputs, 1)


def test_numbers_are_told_from_other_columns_and_from_their_flags():
    places = places_of(STUDY.data.columns)
    assert [(p.first, p.many, p.flag, p.number) for p in places] == [
        (0, 1, None, True),  # age
        (1, 1, 2, True),  # TSH
        (3, 1, 4, False),  # sex
        (5, 1, None, False),  # sick
    ]
    # two curves of five points, three flags or steps beside them, sick, and the bias
    assert FAMILY.parameters == 5 + (5 + 1) + 2 + 1 + 1


def test_a_value_counts_at_the_two_knots_beside_it():
    spread = small().spread(np.array([[-1.0], [-0.75], [0.0], [1.0]]))
    np.testing.assert_allclose(
        spread,
        [[1, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 1]],
    )


@pytest.mark.parametrize("smoothing", [0, 1, 3])
def test_the_weights_of_the_knots_add_up_to_one_and_are_no_longer_than_that(smoothing):
    values = np.linspace(-1, 1, 257)[:, None]
    spread = small(9, smoothing).spread(values)
    np.testing.assert_allclose(spread.sum(axis=1), 1.0, atol=1e-12)
    assert np.all(spread >= 0)
    assert np.all(np.linalg.norm(spread, axis=1) <= 1 + 1e-12)


def test_a_missing_value_counts_at_its_flag_alone():
    rows = np.zeros((1, 6))
    rows[0, 2] = 1.0
    spread = FAMILY.spread(rows)[0]
    assert spread[5:10].tolist() == [0.0] * 5
    assert spread[10] == 1.0
    # the control: a value in the middle of the range counts at the middle knot
    assert FAMILY.spread(np.zeros((1, 6)))[0, 5:11].tolist() == [0, 0, 1, 0, 0, 0]


def test_smoothing_is_the_same_as_a_smoother_curve():
    theta = np.array([0.0, 0.0, 8.0, 0.0, 0.0, 0.0])
    (smooth,) = small(5, 1).curves(theta)
    (rough,) = small(5, 0).curves(theta)
    assert smooth[0].max() - smooth[0].min() < rough[0].max() - rough[0].min()
    rows = np.zeros((64, 1))
    rows[:5, 0] = np.linspace(-1, 1, 5)
    at_knots = small(5, 1).scores(theta, rows)[:5, 0]
    np.testing.assert_allclose(at_knots - at_knots.mean(), smooth[0], atol=1e-12)


def test_it_learns_what_no_straight_line_can():
    """The middle of the range is positive; a straight line (the control) is a guess."""
    generator = np.random.default_rng(1)
    x = generator.uniform(-1, 1, (4000, 1))
    y = (np.abs(x[:, 0]) < 0.4).astype(np.float64)
    found = {}
    for name, family in (("curve", small(8)), ("line", family_of_line())):
        gradients, theta = family.gradients(TASK), np.zeros(family.parameters)
        for _ in range(300):
            theta -= 4.0 * gradients(theta, x, y).mean(axis=0)
        found[name] = exact_auc(y.astype(np.int64), predict(theta, family, TASK, x))
    assert found["curve"] > 0.98
    assert found["line"] < 0.6


def family_of_line():
    from securefl.learning.families.linear import Linear, closed_gradients

    line = Linear(None, 1, 1)
    line.gradients = closed_gradients
    return line


def test_knots_lie_on_the_columns_own_scale():
    age, tsh = STUDY.data.columns[:2]
    assert knots_of(age, 5) == (0.0, 30.0, 60.0, 90.0, 120.0)
    assert knots_of(tsh, 3) == pytest.approx((0.005, (0.005 * 600) ** 0.5, 600.0))


@pytest.mark.parametrize("knots", ["1", "65", '"5"'])
def test_a_curve_of_too_few_or_too_many_points_is_refused(knots):
    with pytest.raises(StudyError, match="knots"):
        protocol((MODEL[0], f'kind = "additive"\nknots = {knots}'))


@pytest.fixture
def model(tmp_path):
    facts = ModelFacts(
        title="A small study",
        study_digest="0" * 64,
        intended_use="research",
        licence="CC-BY-4.0",
        owner="all of them",
        privacy="little",
        figures={"AUC": "0.9"},
        participants=("A", "B"),
    )
    theta = np.arange(FAMILY.parameters) / 10
    return save_model(tmp_path / "model", theta, training_of(STUDY).model, STUDY.data, facts)


def test_a_model_is_read_back_and_its_card_says_its_curves(model):
    assert model.contributions is not None
    card = model_card(model.spec, model.data, model.facts, model.contributions)
    assert "- age: 0: -0.20, 30: -0.10, 60: +0.00, 90: +0.10, 120: +0.20" in card
    assert "- sick +1.30" in card
    # a flag stands against the mean of its curve
    assert "- TSH: not recorded +0.30" in card
    assert "What each column contributes" not in model_card(model.spec, model.data, model.facts)


def test_its_page_draws_every_curve(model):
    page = own_model_page(model, "models/small", None, why_not="no rows")
    assert html_page(page).count("<svg") == 2
    shown = plain_text(page, 100)
    assert "What TSH adds, on a logarithmic scale." in shown
    assert "What age in years adds." in shown
    assert "sex = M" in shown
    assert in_words(page, Words(participant="bank")) != page


def test_other_models_are_not_read_so():
    study = protocol()
    family = family_of(training_of(study).model, study.data)
    assert family.contributions(np.zeros(7), study.data.columns, TASK) is None
