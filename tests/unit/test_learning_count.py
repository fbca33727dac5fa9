"""A count: label, Poisson loss, and the same check as a number."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from completed_study import finish
from count_study import COUNT_LABEL, COUNTED, EDITS, LABEL, MODEL, count_protocol, patients
from hospital_that_removed_nobody import hospital_that_removed_nobody
from in_process_federation import sealed_study
from sklearn.linear_model import PoissonRegressor
from small_study import csv, protocol
from worker_hospital import room_of

from securefl.errors import StudyError
from securefl.learning.clipping import clip_to_grid
from securefl.learning.families.linear import closed_gradients
from securefl.learning.features import prepare
from securefl.learning.models import family_of
from securefl.learning.table import read_table
from securefl.learning.tasks import task_of
from securefl.node.tables import count_rows
from securefl.privacy.accounting import PldAccountant
from securefl.report.explain_columns import column_rows
from securefl.report.explain_study import leaving, model_words
from securefl.report.rows import rows_words
from securefl.sources.csv import CsvSource
from securefl.study.consistency import check_consistency
from securefl.study.counts import evaluation_of
from securefl.study.parse import parse_protocol
from securefl.study.training import training_of

STUDY = count_protocol()
SECTION = evaluation_of(STUDY)
TASK = task_of(STUDY.data)
CLIPS = (LABEL[0], COUNT_LABEL + 'outside = "clip"\n')
SECRET = b"s" * 32


def cells(*labels):
    return read_table(csv(*(f"p{i},40,1,F,t,{label}" for i, label in enumerate(labels))))


def test_whole_numbers_are_counts_and_all_else_sets_the_row_aside():
    found, reasons = TASK.targets(
        cells("0", "3.0", "12", "13", "-1", "2.5", "99", "", "two", "inf", "1e400")
    )
    assert found[:3] == [0, 3, 12]
    assert found[3:6] == ["target: above 12", "target: below 0", "target: not a whole number"]
    assert found[6:8] == ["label is not recorded"] * 2
    assert found[8:] == ["target: not a number"] * 3
    assert reasons == [None] * 3 + ["13", "-1", "2.5", None, None, "two", "inf", "1e400"]


def test_large_counts_are_cut_where_the_label_says_so_and_negative_ones_never(tmp_path):
    study = protocol(CLIPS, COUNTED, MODEL)
    found, _ = task_of(study.data).targets(cells("40", "-1", "12.5"))
    assert found == [12, "target: below 0", "target: not a whole number"]
    assert "more count as 12" in task_of(study.data).words()
    table = tmp_path / "table.csv"
    table.write_bytes(csv("p0,40,1,F,t,40", "p1,40,1,F,t,2", "p2,40,1,F,t,-3"))
    hospital = hospital_that_removed_nobody()
    count = count_rows(hospital, CsvSource(table), study.data, "patient")
    assert "target in 1 of the rows" in " ".join(count.notes)
    said = "3 rows, 2 can be used (1 below 2.5 visits, 1 of 2.5 visits or more); 1 set aside"
    assert said in rows_words(count)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("largest = 12", "largest = 0", "largest"),
        ("largest = 12", "largest = 100000", "largest"),
        ("largest = 12", 'largest = "12"', "largest"),
        ('typical = "2.5"\n', "", "typical"),
        ('typical_source = "A survey"\n', "", "typical_source"),
        ('typical = "2.5"', 'typical = "0"', "above 0 and below largest"),
        ('typical = "2.5"', 'typical = "12"', "above 0 and below largest"),
        ('["99"]', '["99", "99.0"]', "named twice"),
    ],
)
def test_a_label_that_contradicts_itself_is_refused(old, new, says):
    with pytest.raises(StudyError, match=says):
        protocol((LABEL[0], COUNT_LABEL.replace(old, new)), COUNTED, MODEL)


def test_a_metric_of_another_task_is_refused():
    with pytest.raises(StudyError, match='"auc" does not judge what the label asks for'):
        check_consistency(protocol(LABEL), PldAccountant())


def test_gradients_are_those_of_the_loss_record_by_record():
    """A loop in plain Python over records and weights, slopes by finite differences."""
    generator = np.random.default_rng(1)
    x, y = generator.uniform(-1, 1, (40, 6)), generator.integers(0, 13, 40).astype(float)
    theta, step = generator.normal(0, 0.4, 7), 1e-6
    got = closed_gradients(TASK)(theta, x, y)
    exact = family_of(training_of(STUDY).model, STUDY.data).gradients(TASK)

    def loss(weights, row):
        score = sum(w * v for w, v in zip(weights[:6], x[row], strict=True)) + weights[6]
        return 2.5 * np.exp(score) - y[row] * score

    for row in range(40):
        for place in range(7):
            moved = np.array(theta)
            moved[place] += step
            above = loss(moved, row)
            moved[place] -= 2 * step
            slope = (above - loss(moved, row)) / (2 * step)
            assert got[row, place] == pytest.approx(slope, abs=1e-5)
    np.testing.assert_allclose(exact(theta, x, y), got, atol=1e-3)


def test_one_wild_record_weighs_no_more_than_the_clip_norm():
    x, y = np.ones((2, 6)), np.array([0.0, 12.0])
    for weights in (1e9, -1e9, 1e300):
        gradients = closed_gradients(TASK)(np.full(7, weights), x, y)
        assert np.isfinite(gradients).all()
        assert np.abs(gradients).max() <= 12.0
        clipped = clip_to_grid(gradients, 1.0, 1 << 20)
        assert ((clipped.astype(object) ** 2).sum(axis=1) <= (1 << 20) ** 2).all()


def test_predictions_are_rates_and_begin_at_the_typical_one():
    scores = np.array([[0.0], [np.log(2)], [1e300], [-1e300]])
    np.testing.assert_allclose(TASK.predictions(scores), [2.5, 5, 12, 0], atol=1e-12)


def test_a_step_learns_it_without_privacy_as_poisson_regression_does():
    rows = prepare(read_table(patients(400, 1)), STUDY.data, SECRET)
    x, y = rows.X.astype(np.float64), rows.y.astype(np.float64)
    gradients, theta = closed_gradients(TASK), np.zeros(x.shape[1] + 1)
    for _ in range(4000):
        theta -= 0.1 * gradients(theta, x, y).mean(axis=0)
    said = 2.5 * np.exp(x @ theta[:-1] + theta[-1])
    pooled = PoissonRegressor(alpha=0, max_iter=10_000, tol=1e-10).fit(x, y)
    np.testing.assert_allclose(said, pooled.predict(x), rtol=0.02)


def test_the_protocol_of_a_count_agrees_with_itself():
    path = Path(__file__).parents[2] / "protocols" / "studies" / "visits-count" / "protocol.toml"
    study = parse_protocol(path.read_bytes())
    check_consistency(study, PldAccountant())
    plan = task_of(study.data).plan(study, 5)
    assert plan.least_met is not None


def population(generator, count):
    rates = 2.5 * np.exp(generator.normal(-0.2, 0.6, count))
    return np.minimum(rates, 12.0), np.minimum(generator.poisson(rates), 12).astype(np.int32)


def test_intervals_cover_on_counts():
    """1,000 runs: whole numbers, most of them small, a few at the largest."""
    section = SECTION.model_copy(update={"noise_multiplier": Decimal(2), "bound": 3000})
    generator = np.random.default_rng(3)
    rates, y = population(generator, 100_000)
    own = TASK.own_figures(rates, y, section)
    numbers = TASK.row_numbers(rates, y, section)
    covered, points = np.zeros(2), []
    for _ in range(1000):
        total = numbers[generator.integers(100_000, size=3000)].sum(axis=0)
        noise = generator.normal(0, 5**0.5 * float(section.sigma), total.size)
        found = TASK.evaluate(total + np.rint(noise).astype(np.int64), section, 5)
        covered += [found.low <= own.r2 <= found.high, found.mae_low <= own.mae <= found.mae_high]
        points.append(found.r2)
    assert (covered >= 930).all()
    assert (covered <= 980).all()
    known = [point for point in points if point is not None]
    assert len(known) > 800
    assert abs(np.mean([0.0 if p is None else p for p in points]) - own.r2) < 0.03


def test_a_row_is_never_longer_than_the_units():
    every = np.arange(13, dtype=np.int32)
    said, y = (part.reshape(-1) for part in np.meshgrid(np.linspace(0, 12, 50), every))
    rows = TASK.row_numbers(said, y.astype(np.int32), SECTION)
    assert ((rows.astype(object) ** 2).sum(axis=1) <= SECTION.units**2).all()


def test_figures_are_said_in_counts():
    said, y = population(np.random.default_rng(4), 4000)
    own = TASK.own_figures(said, y, SECTION)
    assert 6 * own.mae == pytest.approx(np.abs(said - y).mean())
    found = TASK.evaluate(TASK.tally(said, y, SECTION), SECTION, 1)
    rows = dict(TASK.told(found).rows)
    assert rows["mean absolute error"].endswith(" visits")
    assert "around 1." in rows["mean absolute error"]
    assert "An error of more than 6 visits counts as that much." in TASK.told(found).sentences


def test_no_page_speaks_of_it_as_of_a_yes_or_no():
    _, plan = sealed_study(*EDITS)
    study = plan.study
    spoken = [
        model_words(study),
        TASK.score_words(probability=False),
        *(leave.sentence for leave in leaving(study)),
        *(text for row in column_rows(study) for text in row),
        *TASK.told_plan(TASK.plan(study, 5)).sentences,
    ]
    text = "\n".join(spoken)
    assert not [word for word in ("AUC", "positive", "score", "probab", "class") if word in text]
    assert "Poisson regression with 7 weights" in text
    assert "the count target of visits, from 0 to 12; a row with more is set aside" in text
    assert "The prediction is target in visits, never outside 0 to 12" in text


def test_a_whole_study_of_it_runs_encrypted_and_every_hospital_accepts_its_model(tmp_path):
    _, plan = sealed_study(*EDITS)
    done = finish(room_of(plan, [patients(300, seed) for seed in range(3)]))
    done.check(done.files, tmp_path / "model")
    model = done.unpacked(done.files, tmp_path / "model")
    assert "R2" in model.facts.figures
    found = model.predict({"age": [9, 130], "TSH": [1, 1], "sex": ["F", "F"], "sick": ["t", "t"]})
    assert 0 <= found[0] <= 12
    assert np.isnan(found[1])
