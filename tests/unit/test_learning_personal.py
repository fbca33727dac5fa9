"""Personal models: fitted to training rows, chosen within them, judged once on held-out rows."""

import dataclasses

import numpy as np
import pytest
from classes_study import classes_protocol, patients
from number_study import number_protocol
from number_study import patients as numbers
from simulated_tables import csv_of
from small_study import protocol

from securefl.errors import DataError
from securefl.learning.features import Prepared, prepare
from securefl.learning.models import family_of
from securefl.learning.personal.choosing import (
    PARTS,
    LocalRows,
    candidates,
    chosen,
    lowest,
    parts_of,
)
from securefl.learning.personal.facts import Interval
from securefl.learning.personal.judging import jackknifed, judge, mean_interval
from securefl.learning.personal.local_loss import LocalLoss
from securefl.learning.personal.methods import DEVIATIONS, METHODS, Near, Recalibration
from securefl.learning.personal.personalize import personalize
from securefl.learning.split import split_rows
from securefl.learning.table import read_table
from securefl.learning.tasks import task_of
from securefl.learning.tasks.binary.exact_interval import area_interval
from securefl.study.counts import evaluation_of
from securefl.study.training import training_of

SECRET = b"s" * 32
MLP = ('kind = "logistic-regression"', 'kind = "mlp"\nhidden = [3]')
STUDIES = {
    "binary": protocol(),
    "perceptron": protocol(MLP),
    "classes": classes_protocol(),
    "number": number_protocol(),
}
KINDS = tuple(STUDIES)


def table_of(kind, rows=120):
    if kind == "classes":
        return patients(rows, 3)
    if kind == "number":
        return numbers(rows, 3)
    return csv_of(rows, 3)


def family_and_task(study):
    return family_of(training_of(study).model, study.data), task_of(study.data)


def local_rows(kind, rows=80):
    study = STUDIES[kind]
    prepared = prepare(read_table(table_of(kind, rows)), study.data, SECRET)
    return LocalRows(*family_and_task(study), prepared, "patient")


def halves_of(study, table, secret=SECRET):
    prepared = prepare(read_table(table), study.data, secret)
    return split_rows(prepared, secret, study.data.holdout)


def some_model(family, seed=0):
    return np.random.default_rng(seed).normal(0, 0.5, family.parameters)


# --- the loss and the methods


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_the_loss_of_all_rows(kind):
    local = local_rows(kind, 40)
    loss, theta = local.loss(), some_model(local.family)
    found = loss.gradient(theta)
    assert found.shape == theta.shape
    for place in range(0, theta.size, 3):
        step = np.zeros(theta.size)
        step[place] = 1e-5
        more, less = loss.of_rows(theta + step).sum(), loss.of_rows(theta - step).sum()
        assert found[place] == pytest.approx((more - less) / 2e-5, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_rescaled_weights_give_rescaled_scores(kind):
    local = local_rows(kind, 20)
    theta, loss = some_model(local.family), local.loss()
    shift = np.arange(1.0, local.task.outputs + 1)
    rescaled = local.family.rescaled(theta, 0.5, shift)
    np.testing.assert_allclose(loss.scores(rescaled), 0.5 * loss.scores(theta) + shift)
    assert rescaled is not theta


@pytest.mark.parametrize("kind", KINDS)
def test_a_weaker_pull_fits_the_rows_better_and_a_strong_one_stays_near(kind):
    local = local_rows(kind)
    start, loss = some_model(local.family), local.loss()
    found = Near().fit(loss, start)
    assert list(found) == [f"{deviation:g}" for deviation in DEVIATIONS]
    losses = [loss.of_rows(theta).mean() for theta in found.values()]
    assert losses == sorted(losses, reverse=True)
    away = [np.abs(theta - start).max() for theta in found.values()]
    assert away[0] < 0.2 < away[-1]


def test_a_pull_of_every_strength_ends_where_both_forces_are_equal():
    local = local_rows("binary")
    start, loss = some_model(local.family), local.loss()
    for deviation, theta in zip(DEVIATIONS, Near().fit(loss, start).values(), strict=True):
        force = loss.gradient(theta) + (theta - start) / deviation**2
        assert np.abs(force).max() < 0.02 * np.abs(loss.gradient(start)).max()


@pytest.mark.parametrize("kind", ["binary", "perceptron", "classes"])
def test_recalibration_mends_scores_that_are_off_by_a_shift_and_a_scale(kind):
    local = local_rows(kind)
    loss = local.loss()
    good = Near().fit(loss, some_model(local.family))["0.8"]
    off = local.family.rescaled(good, 2.0, np.linspace(-2, -1, local.task.outputs))
    found = Recalibration().fit(loss, off)
    assert list(found) == ["shift", "shift and scale"]
    before, shifted, both = (loss.of_rows(theta).mean() for theta in (off, *found.values()))
    assert both < shifted < before
    assert both < loss.of_rows(good).mean() + 0.02


def test_a_family_whose_scores_cannot_be_rescaled_is_not_recalibrated(monkeypatch):
    local = local_rows("binary", 40)
    monkeypatch.setattr(type(local.family), "rescaled", lambda *_: None)
    assert Recalibration().fit(local.loss(), some_model(local.family)) == {}


def test_rows_all_told_apart_without_an_error_keep_every_weight_finite():
    local = local_rows("binary", 40)
    rows = dataclasses.replace(local.rows, y=(local.rows.X[:, 0] > 0).astype(np.int8))
    loss = LocalLoss(local.family, local.task, rows.X, rows.y)
    for method in METHODS:
        for theta in method.fit(loss, np.zeros(local.family.parameters)).values():
            assert np.abs(theta).max() < 100


# --- the choice


@pytest.fixture
def quick(monkeypatch):
    """Fewer parts and steps, where it does not matter how good a model is."""
    monkeypatch.setattr("securefl.learning.personal.choosing.PARTS", 2)
    monkeypatch.setattr("securefl.learning.personal.local_loss._MOST_STEPS", 5)


def test_parts_keep_a_patient_together_and_have_every_outcome():
    study = protocol(("max_rows_per_patient = 1", "max_rows_per_patient = 3"))
    prepared = prepare(read_table(csv_of(300)), study.data, SECRET)
    local = LocalRows(*family_and_task(study), prepared, "patient")
    parts = parts_of(local, SECRET)
    of_patient = {}
    for patient, part in zip(prepared.patients, parts, strict=True):
        assert of_patient.setdefault(patient, part) == part
    assert len(of_patient) < len(parts)
    for number in range(PARTS):
        assert set(prepared.y[parts == number]) == {0, 1}


def test_parts_follow_from_the_patients_and_the_secret_not_from_the_order_of_the_file():
    header, *lines = csv_of(100).decode().splitlines()
    study = STUDIES["binary"]

    def parts(lines, secret=SECRET):
        table = read_table(("\n".join([header, *lines]) + "\n").encode())
        rows = prepare(table, study.data, SECRET)
        local = LocalRows(*family_and_task(study), rows, "patient")
        return dict(zip(rows.patients, parts_of(local, secret), strict=True))

    assert parts(lines) == parts(lines[::-1])
    assert parts(lines) != parts(lines, b"t" * 32)


def test_the_most_cautious_within_one_standard_error_of_the_best_is_chosen():
    rows = np.random.default_rng(0).normal(0.5, 0.1, 100)
    apart = np.where(np.arange(100) % 2, 0.1, -0.1)  # a standard error of about 0.01
    for behind, expected in ((0.005, ""), (0.02, "0.2")):
        tried = {("", ""): rows + apart + behind, ("near", "0.2"): rows, ("near", "0.8"): rows}
        found = candidates(tried)
        assert [one.error for one in found[1:]] == [0.0, 0.0]
        assert found[0].error == pytest.approx(0.01, rel=0.01)
        assert chosen(found).setting == expected
        assert lowest(found).loss <= min(one.loss for one in found)


@pytest.mark.parametrize("kind", KINDS)
def test_held_out_rows_take_no_part_in_the_model_or_its_choice_and_alone_judge_it(kind, quick):
    study = STUDIES[kind]
    common = some_model(family_and_task(study)[0])
    train, held_out = halves_of(study, table_of(kind))
    facts, theta = personalize(study, common, (train, held_out), SECRET)
    other = dataclasses.replace(held_out, y=np.roll(held_out.y, 1))
    again, same = personalize(study, common, (train, other), SECRET)
    assert same.tobytes() == theta.tobytes()
    assert (again.tried, again.chosen) == (facts.tried, facts.chosen)
    assert again.models["personal"] != facts.models["personal"]


# --- the judgement


def test_a_model_that_fits_this_hospital_badly_is_replaced():
    study = STUDIES["binary"]
    wrong = np.array([-3.0, 0, 0, 0, 0, 0, 0])
    facts, theta = personalize(study, wrong, halves_of(study, csv_of(200)), SECRET)
    assert facts.kept == "personal"
    personal = facts.models["personal"]
    assert personal.helps
    assert not personal.harms
    assert personal.figure.value > facts.models["global"].figure.value
    assert theta[0] > 0
    assert facts.models["global"].change == Interval(value=0.0, low=0.0, high=0.0)


def test_where_personalising_harms_the_studys_model_is_kept():
    """The held-out patients are of another kind than those that train."""
    study = STUDIES["binary"]
    train, held_out = halves_of(study, csv_of(200))
    turned = dataclasses.replace(train, y=(1 - train.y).astype(np.int8))
    good = np.array([6.0, 0, 0, 0, 0, 0, -1.5])
    facts, _ = personalize(study, good, (turned, held_out), SECRET)
    assert facts.chosen.method
    assert facts.kept == "global"
    assert facts.models["personal"].harms


def test_where_nothing_does_better_in_cross_validation_nothing_is_changed(monkeypatch):
    study = STUDIES["binary"]
    halves = halves_of(study, csv_of(120))
    common = some_model(family_and_task(study)[0])
    monkeypatch.setattr("securefl.learning.personal.personalize.METHODS", ())
    facts, theta = personalize(study, common, halves, SECRET)
    assert (facts.chosen.method, facts.kept) == ("", "global")
    np.testing.assert_array_equal(theta, common)


def test_one_row_of_a_patient_judges_and_all_of_them_teach(quick):
    study = protocol(("max_rows_per_patient = 1", "max_rows_per_patient = 3"))
    train, held_out = halves_of(study, csv_of(300))
    facts, _ = personalize(study, np.zeros(7), (train, held_out), SECRET)
    assert facts.held_out.count == len(set(held_out.patients)) < len(held_out.y)
    assert sum(facts.held_out.strata.values()) == facts.held_out.count
    local = LocalRows(*family_and_task(study), train, "patient")
    assert local.loss().rows == len(train.y) > local.judged().rows


def only(prepared: Prepared, outcome) -> Prepared:
    return prepared.select(prepared.y == outcome)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda t, h: (only(t, 0), h),
            r"All \d+ patients that train here have the same outcome \(neg",
        ),
        (
            lambda t, h: (t, only(h, 1)),
            r"patients that are kept aside here have the same outcome \(pos",
        ),
        (lambda t, h: (t.select(t.y > 5), h), "None of the patients .* train here"),
        (lambda t, h: (t, h.select(h.y > 5)), "None of the patients .* are kept aside here"),
    ],
)
def test_rows_of_one_outcome_or_none_are_refused_with_what_to_do(change, words):
    study = STUDIES["binary"]
    train, held_out = halves_of(study, csv_of(150))
    with pytest.raises(DataError, match=words) as refused:
        personalize(study, np.zeros(7), change(train, held_out), SECRET)
    assert "site model predict" in refused.value.next_step


def test_a_task_without_an_interval_is_told_without_one(monkeypatch):
    local = local_rows("binary", 60)
    monkeypatch.setattr(type(local.task), "exact_interval", lambda *_: None)
    section = evaluation_of(STUDIES["binary"])
    zeros = np.zeros(7)
    found = judge(local, section, zeros, zeros)
    assert found.figure == Interval(value=0.5, low=0.5, high=0.5)
    monkeypatch.setattr(type(local.task), "exact_figure", lambda *_: float("nan"))
    assert judge(local, section, zeros, zeros).figure == Interval(value=None, low=None, high=None)


def test_the_jackknife_gives_a_mean_its_standard_error_and_covers_a_share_of_variance():
    values = np.random.default_rng(1).normal(0, 2, 50)
    found = jackknifed(values.mean(), lambda away: values[~away].mean(), 50)
    assert found.high - found.value == pytest.approx(mean_interval(values).high - values.mean())
    assert jackknifed(1.0, lambda _: 1.0, 1) == Interval(value=1.0, low=None, high=None)
    assert jackknifed(1.0, lambda _: float("nan"), 9).low is None
    draws, true, inside = np.random.default_rng(2), 0.8, 0
    for _ in range(300):
        signal = draws.normal(0, 2, 90)
        y = signal + draws.normal(0, 1, 90)
        found = jackknifed(explained(y, signal), leaving(y, signal), 90)
        inside += found.low <= true <= found.high
    assert 0.9 <= inside / 300 <= 0.99


def leaving(y, said):
    """R2 without some rows."""
    return lambda away: explained(y[~away], said[~away])


def explained(y, said):
    """R2 of predictions."""
    return float(1 - ((y - said) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def test_one_row_has_a_mean_and_no_interval():
    assert mean_interval(np.array([2.0])) == Interval(value=2.0, low=None, high=None)


@pytest.mark.parametrize(("positives", "negatives"), [(3, 20), (30, 60)])
def test_the_interval_of_an_area_covers_it_about_as_often_as_it_says(positives, negatives):
    draws = np.random.default_rng(5)
    separation, true = 1.19, 0.8  # of two normals: the area is that of 1.19/sqrt(2)
    inside = 0
    for _ in range(400):
        high = draws.normal(separation, 1, positives)
        low = draws.normal(0, 1, negatives)
        area = float((high[:, None] > low[None, :]).mean())
        ends = area_interval(area, positives, negatives)
        inside += ends[0] <= true <= ends[1]
    assert 0.92 <= inside / 400 <= 0.99


def test_an_area_of_one_class_alone_says_nothing():
    assert area_interval(float("nan"), 0, 5) == (0.0, 1.0)


def test_the_mean_of_classes_has_an_interval_over_those_that_are_known():
    local = local_rows("classes", 60)
    scores = np.random.default_rng(0).dirichlet(np.ones(3), len(local.rows.y))
    section = evaluation_of(STUDIES["classes"])
    low, high = local.task.exact_interval(local.task.own_figures(scores, local.rows.y, section))
    assert 0 < low < 0.5 < high < 1
    alone = local.task.own_figures(scores, np.zeros_like(local.rows.y), section)
    assert local.task.exact_interval(alone) == (0.0, 1.0)
