"""A number: label, losses, sums that a patient can move by little, figures and words."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from completed_study import finish
from hospital_that_removed_nobody import hospital_that_removed_nobody
from hypothesis import example, given, settings
from hypothesis import strategies as st
from in_process_federation import sealed_study
from number_study import EDITS, LABEL, METRIC, MODEL, NUMBER_LABEL, number_protocol, patients
from simulated_numbers import UNIT, Setting, simulate
from sklearn.metrics import mean_absolute_error, r2_score
from small_study import FixedDraws, csv, protocol
from worker_hospital import room_of

from securefl.errors import RoundError, StudyError
from securefl.learning.artefact import ModelFacts, save_model
from securefl.learning.clipping import clip_to_grid
from securefl.learning.counts import release_counts
from securefl.learning.families.linear import closed_gradients
from securefl.learning.features import prepare
from securefl.learning.models import family_of
from securefl.learning.stages.programme import charges_of
from securefl.learning.stages.roles import judged_result
from securefl.learning.table import read_table
from securefl.learning.tasks import task_of
from securefl.learning.tasks.number.evaluation import evaluate, frame_of, numbers_of_rows
from securefl.learning.tasks.number.moments import ITEMS, WEIGHTS, row_numbers
from securefl.learning.tasks.number.scale import Scale
from securefl.learning.tasks.number.task import Number
from securefl.node.tables import count_rows
from securefl.privacy.accounting import PldAccountant
from securefl.report.explain_columns import column_rows
from securefl.report.explain_study import leaving, model_words, quality_sentence
from securefl.report.outcome import model_facts
from securefl.report.own_model import own_model_page
from securefl.report.page import facts
from securefl.report.rows import rows_warning, rows_words
from securefl.report.terminal import plain_text
from securefl.report.told import plan_section
from securefl.sources.csv import CsvSource
from securefl.study.consistency import check_consistency
from securefl.study.counts import evaluation_of
from securefl.study.training import training_of

STUDY = number_protocol()
SECTION = evaluation_of(STUDY)
TASK = task_of(STUDY.data)
FRAME = frame_of(Scale(0.0, 200.0, "mmHg"), TASK.typical, SECTION)
SECRET = b"s" * 32
HUBER = (LABEL[0], NUMBER_LABEL + 'loss = "huber"\nhuber = "0.1"\n')
LOG = (LABEL[0], NUMBER_LABEL.replace('low = "0"', 'transform = "log"\nlow = "1"'))


def cells(*labels):
    return read_table(csv(*(f"p{i},40,1,F,t,{label}" for i, label in enumerate(labels))))


def with_label(label):
    return protocol(label, METRIC, MODEL)


def test_numbers_of_the_range_stand_on_the_scale_and_all_else_sets_the_row_aside():
    found, reasons = TASK.targets(
        cells("0", "100", "200.0", "-9", "", "n/a", "high", "inf", "nan", "201", "-1", "1e400")
    )
    assert found[:3] == [-1.0, 0.0, 1.0]
    assert found[3:6] == ["label is not recorded"] * 3
    assert found[8] == "label is not recorded"  # a usual word for it
    assert found[6] == found[7] == found[11] == "target: not a number"
    assert found[9] == found[10] == "target: outside 0 to 200"
    assert reasons == [None] * 6 + ["high", "inf", None, "201", "-1", "1e400"]


def test_a_number_outside_counts_as_the_nearer_end_where_the_label_says_so(tmp_path):
    clips = (LABEL[0], NUMBER_LABEL + 'outside = "clip"\n')
    study = with_label(clips)
    found, _ = task_of(study.data).targets(cells("201", "-1", "-9", "inf"))
    assert found == [1.0, -1.0, "label is not recorded", "target: not a number"]
    assert "counts as the nearer end" in task_of(study.data).words()
    table = tmp_path / "table.csv"
    table.write_bytes(csv("p0,40,1,F,t,201", "p1,40,1,F,t,100", "p2,40,1,F,t,20"))
    hospital = hospital_that_removed_nobody()
    notes = " ".join(count_rows(hospital, CsvSource(table), study.data, "patient").notes)
    outside = "values outside the range count as its nearer end: target in 1 of the rows"
    assert outside in notes


def test_a_logarithmic_scale_is_even_in_ratios():
    task = task_of(with_label(LOG).data)
    found, _ = task.targets(cells("1", "200", "14.142135623730951"))
    np.testing.assert_allclose(found, [-1, 1, 0], atol=1e-12)
    assert "on a logarithmic scale" in task.words()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('high = "200"', 'high = "0"', "must be below high"),
        ('low = "0"', 'transform = "log"\nlow = "0"', "above 0 on a log scale"),
        ('typical_source = "A survey"\n', "", "typical_source"),
        ('typical = "80"\n', "", "typical"),
        ('typical = "80"', 'typical = "200"', "between low and high"),
        ('unit = "mmHg"', 'loss = "huber"', "huber"),
        ('unit = "mmHg"', 'huber = "0.1"', 'belongs to loss = "huber"'),
        ('unit = "mmHg"', 'loss = "huber"\nhuber = "2"', "part of the range"),
        ('unit = "mmHg"', 'unit = "\\u202e"', "unit"),
        ('low = "0"', 'low = "nan"', "decimal number"),
        ('["-9"]', '["-9", "-9.0"]', "named twice"),
    ],
)
def test_a_label_that_contradicts_itself_is_refused(old, new, says):
    with pytest.raises(StudyError, match=says):
        with_label((LABEL[0], NUMBER_LABEL.replace(old, new)))


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ('metric = "r2"\nlargest_error = "0"\n', "largest_error"),
        ('metric = "r2"\nlargest_error = "1.5"\n', "largest_error"),
        ('metric = "r2"\ndeviation = "0"\ndeviation_source = "A survey"\n', "above 0"),
        ('metric = "r2"\ndeviation = "3"\n', "deviation_source"),
    ],
)
def test_an_evaluation_that_cannot_be_is_refused(new, says):
    with pytest.raises(StudyError, match=says):
        protocol(LABEL, (METRIC[0], new), MODEL)


def test_a_metric_of_another_task_is_refused():
    with pytest.raises(StudyError, match='"auc" does not judge what the label asks for'):
        check_consistency(protocol(LABEL), PldAccountant())
    with pytest.raises(StudyError, match='"r2" does not judge what the label asks for'):
        check_consistency(protocol(METRIC), PldAccountant())


def huber_loss(error, most):
    if abs(error) <= most:
        return error * error / 2
    return most * abs(error) - most * most / 2


@pytest.mark.parametrize("label", [LABEL, HUBER, LOG], ids=["squared", "huber", "log"])
def test_gradients_are_those_of_the_loss_record_by_record(label):
    """A loop in plain Python over records and weights, slopes by finite differences."""
    study = with_label(label)
    task = task_of(study.data)
    generator = np.random.default_rng(1)
    x, y = generator.uniform(-1, 1, (40, 6)), generator.uniform(-1, 1, 40)
    y[:2] = -1, 1
    theta, step = generator.normal(0, 0.4, 7), 1e-6
    got = closed_gradients(task)(theta, x, y)
    exact = family_of(training_of(study).model, study.data).gradients(task)

    def loss(weights, row):
        score = sum(w * v for w, v in zip(weights[:6], x[row], strict=True)) + weights[6]
        return huber_loss(score + task.typical - y[row], task.steepest)

    for row in range(40):
        for place in range(7):
            moved = np.array(theta)
            moved[place] += step
            above = loss(moved, row)
            moved[place] -= 2 * step
            slope = (above - loss(moved, row)) / (2 * step)
            assert got[row, place] == pytest.approx(slope, abs=1e-6)
    np.testing.assert_allclose(exact(theta, x, y), got, atol=1e-4)


def test_one_wild_record_weighs_no_more_than_the_clip_norm():
    x, y = np.ones((2, 6)), np.array([1.0, -1.0])
    gradients = closed_gradients(TASK)(np.full(7, 1e9), x, y)
    assert np.abs(gradients).max() == 2.0
    clipped = clip_to_grid(gradients, 1.0, 1 << 20)
    assert ((clipped.astype(object) ** 2).sum(axis=1) <= (1 << 20) ** 2).all()


def test_predictions_are_numbers_of_the_range_and_begin_at_the_typical_one():
    scores = np.array([[0.0], [0.4], [9.0], [-9.0], [1e300]])
    np.testing.assert_allclose(TASK.predictions(scores), [80, 120, 200, 0, 200])
    task = task_of(with_label(LOG).data)
    np.testing.assert_allclose(task.predictions(scores)[[0, 2, 3]], [80, 200, 1])


numbers = st.floats(-1, 1) | st.sampled_from([-1.0, 1.0, 0.0, 0.5, 5e-324])


@settings(max_examples=300, deadline=None)
@given(numbers, numbers, st.sampled_from([64, 128, 1024]))
@example(1.0, 1.0, 64)
@example(-1.0, 1.0, 1024)
def test_no_value_and_no_error_make_a_row_longer_than_the_units(value, error, units):
    row = row_numbers(np.array([value]), np.array([error]), units)[0]
    assert sum(int(number) ** 2 for number in row) <= units**2


def test_the_weights_are_those_of_a_vector_of_length_one():
    assert sum(map(Decimal, map(str, ITEMS.values()))) == 1
    assert pytest.approx(1) == WEIGHTS @ WEIGHTS


def rows_of(*people):
    """Usable rows of (identifier, ages): values as far from the prediction as can be."""
    lines = [f"{who},{age},1,F,t,{200 * (age % 2)}" for who, ages in people for age in ages]
    return prepare(read_table(csv(*lines)), MANY.data, SECRET)


MANY = number_protocol(("max_rows_per_patient = 1", "max_rows_per_patient = 100"))


def test_a_patient_with_many_rows_moves_the_sums_by_no_more_than_the_units():
    """Added or removed with a hundred rows. Without the choice of one row, the control, the sums
    move by many times that.
    """
    others = [(f"p{i}", (i % 60,)) for i in range(40)]
    crowd = ("crowd", range(100))
    with_it, without = rows_of(*others, crowd), rows_of(*others)
    assert len(with_it.y) == len(without.y) + 100

    def moved(choice):
        ends = [choice(part) for part in (with_it, without)]
        sums = [TASK.tally(200.0 * (part.y < 0), part.y, SECTION) for part in ends]
        return float(np.linalg.norm(sums[0] - sums[1]))

    assert 0 < moved(lambda part: part.one_row_each("patient")) <= SECTION.units
    assert moved(lambda part: part) > 20 * SECTION.units


def test_an_error_beyond_the_limit_counts_as_the_limit_and_no_row_is_longer_than_the_units():
    """The control: the same error without the limit. A task that gave such a row would have it
    shortened.
    """
    section = SECTION.model_copy(update={"largest_error": Decimal("0.25")})
    far = np.array([1.0]), np.array([-1.0])
    limited = numbers_of_rows(*far, frame_of(UNIT, 0.0, section), section)
    assert np.linalg.norm(limited) <= section.units
    unlimited = row_numbers(far[1], (far[0] - far[1]) / 0.5, section.units)
    assert np.linalg.norm(unlimited) > 9 * section.units

    class Careless(Number):
        def row_numbers(self, predictions, y, evaluation):
            return unlimited

    careless = Careless(STUDY.data.label).tally(*far, section)
    assert 0 < np.linalg.norm(careless) <= section.units


def test_the_noise_is_that_of_the_charged_multiplier():
    """The Renyi divergence of the release is that of one number with the charged multiplier; with
    the multiplier alone as deviation (the control) it would be units squared times that.
    """
    draws = FixedDraws()
    release_counts(np.zeros(11, dtype=np.int64), SECTION.numbers, draws)
    (sigma,) = draws.sigmas
    charged = charges_of(STUDY)[-1].mechanism.noise_multiplier
    allowed = 1 / (2 * charged**2)
    assert SECTION.units**2 / (2 * sigma**2) <= allowed
    assert SECTION.units**2 / (2 * charged**2) > 10_000 * allowed


def test_fields_hold_the_largest_sum_of_the_largest_hospital():
    (*_, release) = [release for stage in _stages(STUDY) for release in stage.releases()]
    assert release.bound == SECTION.bound * SECTION.units
    assert release.length == 11
    assert 2 ** (release.bits - 1) > release.bound + 14 * SECTION.sigma
    for bound, units in ((1, 1024), (20_000, 256), (100_000, 64)):
        section = SECTION.model_copy(update={"bound": bound})
        assert section.units == units
    with pytest.raises(StudyError, match="fields of 26 bits"):
        check_consistency(number_protocol(("bound = 20000", "bound = 300000")), PldAccountant())


def _stages(study):
    from securefl.learning.stages.programme import Programme

    return Programme(study).stages


@pytest.mark.parametrize(
    "setting",
    [
        Setting(),
        Setting(r2=0.0),
        Setting(r2=0.8, heavy=True),
        Setting(patients=1000, spread=0.4),
        Setting(middle=-0.4, spread=0.25, typical=-0.35),
    ],
    ids=["half", "worthless", "heavy", "few", "aside"],
)
def test_intervals_cover_and_points_have_no_bias(setting):
    """1,000 runs of fresh patients and noise: 93 to 98 % (three standard errors of 1,000 runs are
    2 %).
    """
    section = SECTION.model_copy(update={"noise_multiplier": Decimal(2), "bound": 3000})
    found = simulate(setting, section, 1000)
    for share in (found.r2, found.mae, found.bias):
        assert 0.93 <= share <= 0.98
    if setting.r2:
        assert found.given > 0.95
        assert abs(found.point - found.truth) < 0.01
    else:  # a model that always says the mean
        assert found.given < 0.06


def test_intervals_that_do_not_count_all_of_the_noise_are_noticed():
    """The control: twice the noise that the interval counts."""
    section = SECTION.model_copy(update={"noise_multiplier": Decimal(2), "bound": 3000})
    assert simulate(Setting(), section, 300, noise=2.0).r2 < 0.85


@pytest.mark.parametrize("count", [0, 1, 3, 20])
def test_few_patients_give_no_figure_and_no_crash(count):
    generator = np.random.default_rng(6)
    said, y = generator.uniform(0, 200, count), generator.uniform(-1, 1, count)
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(0, 9 * float(SECTION.sigma), 11)
        total = TASK.tally(said, y, SECTION) + np.rint(noise).astype(np.int64)
        found = TASK.evaluate(total, SECTION, 5)
        assert -1 <= found.low <= found.high <= 1
        text = plain_text(facts(TASK.told(found).rows), 80)
        assert "nan" not in text
        assert "inf" not in text
        if (found.bias_low, found.bias_high) == (-1, 1):  # half of the scale is the limit
            assert "too low" not in text


def test_a_column_of_one_value_gives_no_figure():
    said, y = np.full(900, 110.0), np.full(900, 0.1)
    found = TASK.evaluate(TASK.tally(said, y, SECTION), SECTION, 5)
    assert (found.low, found.high, found.r2, found.deviation) == (-1.0, 1.0, None, None)
    assert TASK.told(found).headline.startswith("nothing can be said: the values differ too little")
    own = TASK.own_figures(said, y, SECTION)
    assert np.isnan(TASK.exact_figure(own))
    assert TASK.told_own(own, "patients").headline.startswith("cannot be worked out")


def test_a_sum_of_another_length_is_refused():
    with pytest.raises(RoundError, match="11 values are due"):
        evaluate(np.zeros(12, dtype=np.int64), FRAME, SECTION, 5)


@pytest.mark.parametrize(
    ("minimum", "verdict"), [("0.4", "met"), ("0.7", "not-met"), ("0.5", "cannot-be-judged")]
)
def test_the_quality_rule_is_judged_on_the_interval(minimum, verdict):
    said, values = Setting(patients=9000).people(np.random.default_rng(8), 9000)
    frame = frame_of(UNIT, 0.0, SECTION)
    total = numbers_of_rows(said, values, frame, SECTION).sum(axis=0)
    found = evaluate(total, frame, SECTION, 1)
    assert found.low < 0.5 < found.high
    quality = STUDY.quality.model_copy(update={"minimum": Decimal(minimum)})
    assert TASK.judge(found, quality) == verdict


def test_a_rule_of_0_asks_for_something_and_one_of_the_least_r2_for_nothing():
    """R2 can be below 0, so a model that cannot be told from the mean does not meet a rule of 0."""
    guess = TASK.evaluate(np.zeros(11, dtype=np.int64), SECTION, 5)
    for minimum, verdict, says in (
        ("0", "cannot-be-judged", "The lowest acceptable R2 is 0"),
        ("-1", "met", "No lowest R2 is asked for"),
    ):
        study = number_protocol(('minimum = "0.5"', f'minimum = "{minimum}"'))
        assert TASK.judge(guess, study.quality) == verdict
        assert says in quality_sentence(study)


def example_release():
    generator = np.random.default_rng(9)
    y = np.clip(generator.normal(-0.1, 0.3, 4000), -1, 1)
    said = np.clip(100 * (y + generator.normal(0.02, 0.1, 4000) + 1), 0, 200)
    return said, y


def test_an_owner_sees_exact_figures():
    said, y = example_release()
    own = TASK.own_figures(said, y, SECTION)
    truth = 100 * (y + 1)
    assert own.r2 == pytest.approx(r2_score(truth, said))
    assert 100 * own.mae == pytest.approx(mean_absolute_error(truth, said))
    assert sum(band.patients for band in own.bands) == 4000
    told = TASK.told_own(own, "patients")
    assert dict(told.rows)["mean absolute error"].endswith(" mmHg")
    assert told.cells[1][0] == "50 to 100"


def test_the_owners_page_of_a_finished_model_shows_them(tmp_path):
    said, y = example_release()
    details = ModelFacts(
        title="Numbers",
        study_digest="0" * 64,
        intended_use="Tests only.",
        licence="CC-BY-4.0",
        owner="The hospitals",
        privacy="None.",
        figures={"R2": "0.4 to 0.6"},
        participants=("A", "B"),
    )
    spec = training_of(STUDY).model
    model = save_model(tmp_path / "model", np.zeros(7), spec, STUDY.data, details)
    told = TASK.told_own(TASK.own_figures(said, y, SECTION), "patients")
    page = own_model_page(model, str(tmp_path), told, why_not="")
    text = plain_text(page, 100)
    assert "mean prediction" in text
    assert "mmHg" in text
    assert not [word for word in FOREIGN if word in text]


def test_figures_are_said_in_the_numbers_own_unit():
    said, y = example_release()
    found = TASK.evaluate(TASK.tally(said, y, SECTION), SECTION, 1)
    rows = dict(TASK.told(found).rows)
    assert "around 8." in rows["mean absolute error"]
    assert rows["mean absolute error"].endswith("mmHg")
    assert rows["on average"].endswith("mmHg too high")
    assert rows["the values"].startswith("differ by about 30")
    assert "An error of more than 100 mmHg counts as that much." in TASK.told(found).sentences


def test_on_a_logarithmic_scale_errors_are_factors():
    task = task_of(with_label(LOG).data)
    y = np.clip(np.random.default_rng(3).normal(0, 0.3, 4000), -1, 1)
    said = task.scale.values(y + 0.1)
    told = task.told(task.evaluate(task.tally(said, y, SECTION), SECTION, 1))
    rows = dict(told.rows)
    assert "around a factor of 1.3" in rows["mean absolute error"]
    assert "a factor of 1.3" in rows["on average"]
    assert any("logarithms" in sentence for sentence in told.sentences)


FOREIGN = ("AUC", "positive", "negative", "score", "probab", "outcome", "class")


def test_no_page_speaks_of_it_as_of_a_yes_or_no():
    _, plan = sealed_study(*EDITS)
    study = plan.study
    said, y = example_release()
    found = TASK.evaluate(TASK.tally(said, y, SECTION), SECTION, 5)
    told, own = TASK.told(found), TASK.told_own(TASK.own_figures(said, y, SECTION), "patients")
    card = model_facts(study, "0" * 64, found, ())
    spoken = [
        TASK.words(),
        TASK.score_words(probability=False),
        model_words(study),
        quality_sentence(study),
        *(leave.sentence for leave in leaving(study)),
        *(text for row in column_rows(study) for text in row),
        *(text for row in (*told.rows, *own.rows, *card.figures.items()) for text in row),
        *told.sentences,
        *card.calibration,
        told.headline,
        told.heading,
        plain_text(plan_section(TASK.told_plan(TASK.plan(study, 5))), 80),
        TASK.count_words([3, 4]),
        TASK.strata_words,
        TASK.strata_alike,
        TASK.histogram_words,
        TASK.released_as,
    ]
    text = "\n".join(spoken)
    assert not [word for word in FOREIGN if word in text]
    assert "linear regression with 7 weights" in text
    assert "The lowest acceptable R2 is 0.5" in text
    assert "the number target in mmHg, from 0 to 200; a row outside is set aside" in text
    assert "R2 asked for" in text


def test_a_plan_says_the_interval_that_simulations_find():
    plan = TASK.plan(STUDY, 5)
    row = next(row for row in plan.expected if row.r2 == 0.5)
    setting = Setting(
        patients=round(plan.patients), spread=0.3, typical=TASK.typical, middle=TASK.typical
    )
    found = simulate(setting, SECTION, 200)
    assert found.width == pytest.approx(row.high - row.low, rel=0.15)
    words = TASK.told_plan(plan)
    assert "are kept aside to check the model" in words.sentences[0]
    assert words.header == ("true R2", "interval to expect")
    without = number_protocol(('deviation = "30"\ndeviation_source = "A survey"\n', ""))
    assert TASK.plan(without, 5) is None
    assert "published standard deviation" in TASK.told_plan(None).note


def test_the_owner_sees_on_which_side_of_the_typical_number_rows_lie(tmp_path):
    table = tmp_path / "table.csv"
    hospital = hospital_that_removed_nobody()
    table.write_bytes(csv(*(f"p{i},40,1,F,t,{label}" for i, label in enumerate((9, 80, 200, "x")))))
    count = count_rows(hospital, CsvSource(table), STUDY.data, "patient")
    assert count.outcomes == {"below 80 mmHg": 1, "of 80 mmHg or more": 2}
    assert "3 can be used (1 below 80 mmHg, 2 of 80 mmHg or more)" in rows_words(count)
    assert rows_warning(count) is None
    table.write_bytes(csv(*(f"p{i},40,1,F,t,12" for i in range(4))))
    alike = count_rows(hospital, CsvSource(table), STUDY.data, "patient")
    assert "can be used lie on one side of 80 mmHg" in rows_warning(alike)


def test_a_whole_study_of_it_runs_encrypted_and_every_hospital_accepts_its_model(tmp_path):
    _, plan = sealed_study(*EDITS)
    done = finish(room_of(plan, [patients(300, seed) for seed in range(3)]))
    done.check(done.files, tmp_path / "model")
    result = judged_result(done.outcome.results)
    expected = sum(hospital.produced[-1] for hospital in done.room.hospitals.values())
    np.testing.assert_array_equal(result.histogram, expected)
    model = done.unpacked(done.files, tmp_path / "model")
    assert model.facts.figures["R2"].endswith("from a noised, encrypted list of sums")
    found = model.predict({"age": [9, 130], "TSH": [1, 1], "sex": ["F", "F"], "sick": ["t", "t"]})
    assert 0 <= found[0] <= 200
    assert np.isnan(found[1])
    card = (tmp_path / "model" / "model_card.md").read_text("utf-8")
    assert "## What the prediction means" in card
    assert "gets no prediction" in card


def test_a_step_learns_it_without_privacy_as_least_squares_does():
    """The product's gradients, averaged over all records, lead to the solution of scikit-learn."""
    from sklearn.linear_model import LinearRegression

    rows = prepare(read_table(patients(400, 1)), STUDY.data, SECRET)
    x, y = rows.X.astype(np.float64), rows.y
    gradients, theta = closed_gradients(TASK), np.zeros(x.shape[1] + 1)
    for _ in range(3000):
        theta -= 0.5 * gradients(theta, x, y).mean(axis=0)
    said = x @ theta[:-1] + theta[-1] + TASK.typical
    np.testing.assert_allclose(said, LinearRegression().fit(x, y).predict(x), atol=2e-3)
    assert Fraction(training_of(STUDY).sample_rate) == Fraction(1, 5)
