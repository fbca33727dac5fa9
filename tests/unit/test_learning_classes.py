"""Several classes: label, softmax, histogram of K + 1 numbers a patient, figures and words."""

from decimal import Decimal

import numpy as np
import pytest
from classes_study import CLASSES_LABEL, LABEL, METRIC, classes_protocol, patients
from completed_study import finish
from hospital_that_removed_nobody import hospital_that_removed_nobody
from in_process_federation import sealed_study
from small_study import FixedDraws, csv, protocol
from worker_hospital import room_of

from securefl.errors import RoundError, StudyError
from securefl.learning.counts import release_counts, row_counts
from securefl.learning.stages.programme import charges_of
from securefl.learning.stages.roles import judged_result
from securefl.learning.table import read_table
from securefl.learning.tasks import task_of
from securefl.learning.tasks.classes.evaluation import evaluate
from securefl.node.tables import count_rows
from securefl.privacy.accounting import PldAccountant
from securefl.report.explain_columns import column_rows
from securefl.report.explain_study import model_words
from securefl.report.page import facts
from securefl.report.rows import rows_warning, rows_words
from securefl.report.terminal import plain_text
from securefl.sources.csv import CsvSource
from securefl.study.consistency import check_consistency
from securefl.study.counts import evaluation_of

STUDY = classes_protocol()
SECTION = evaluation_of(STUDY)
TASK = task_of(STUDY.data)
NAMES = ("none", "mild", "severe")


def cells(*labels):
    lines = [f"p{i},40,1,F,t,{label}" for i, label in enumerate(labels)]
    return read_table(csv(*lines))


def softmax(scores):
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def people(generator, sizes, sharpness):
    """True classes and scores of a model that is the better the larger ``sharpness``."""
    y = np.repeat(np.arange(len(sizes)), sizes)
    scores = generator.normal(size=(len(y), len(sizes))) + sharpness * np.eye(len(sizes))[y]
    return y, softmax(scores)


def histogram(predictions, y, section=SECTION):
    return TASK.tally(predictions, y, section)


def test_texts_give_classes_and_all_else_sets_the_row_aside():
    found, reasons = TASK.targets(cells("none", "0.0", "mild", "severe", "-9", "Mild", "9"))
    assert found[:5] == [0, 0, 1, 2, "label is not recorded"]
    assert found[5:] == ["target: not declared as one of the classes"] * 2
    assert reasons == [None] * 5 + ["Mild", "9"]
    assert TASK.near(found[5], "Mild", ".") == "mild"
    assert TASK.near(found[6], "9", ".") is None


def test_letters_belong_to_the_first_class_of_which_one_is_there():
    letters = CLASSES_LABEL.replace(
        'kind = "classes"', 'kind = "classes"\nmatch = "any-of-letters"'
    )
    for text, sign in (('"none", "0"', '"E"'), ('"mild"]', '"A", "B"]'), ('"severe"]', '"-"]')):
        letters = letters.replace(f"texts = [{text}", f"texts = [{sign}")
    task = task_of(protocol((LABEL[0], letters), METRIC).data)
    found, _ = task.targets(cells("E", "BE", "A B", "-", "X", "-9"))
    assert found[:4] == [0, 0, 1, 2]
    assert found[4] == "target: not declared as one of the classes"
    assert found[5] == "label is not recorded"
    assert "first of these" in task.words()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"mild", texts', '"none", texts', "is the name of another class"),
        ('["severe"]', '["0.0"]', "has a meaning already"),
        ('["severe"]', '["-9"]', "has a meaning already"),
        ('  { name = "severe", texts = ["severe"] },\n', "", "at least 3"),
        ('kind = "classes"', 'kind = "classes"\nmatch = "any-of-letters"', "single letters"),
    ],
)
def test_a_label_that_contradicts_itself_is_refused(old, new, says):
    with pytest.raises(StudyError, match=says):
        protocol((LABEL[0], CLASSES_LABEL.replace(old, new)), METRIC)


@pytest.mark.parametrize(
    ("weight", "source", "says"),
    [
        ("0", 'weights_source = "A survey"\n', "above 0 and at most 1"),
        ("2", 'weights_source = "A survey"\n', "above 0 and at most 1"),
        ("0.5", "", "weights_source"),
    ],
)
def test_weights_are_public_constants_with_a_source(weight, source, says):
    weighed = CLASSES_LABEL.replace('["mild"]', f'["mild"], weight = "{weight}"') + source
    with pytest.raises(StudyError, match=says):
        protocol((LABEL[0], weighed), METRIC)


def test_a_weight_scales_loss_and_gradient_of_its_class_alone():
    weighed = CLASSES_LABEL.replace('["mild"]', '["mild"], weight = "0.25"')
    task = task_of(protocol((LABEL[0], weighed + 'weights_source = "A survey"\n'), METRIC).data)
    scores, y = np.random.default_rng(2).normal(size=(64, 3)), np.arange(64) % 3
    factor = np.where(y == 1, 0.25, 1.0)
    np.testing.assert_allclose(task.loss(scores, y), factor * TASK.loss(scores, y))
    np.testing.assert_allclose(
        task.loss_gradient(scores, y), factor[:, None] * TASK.loss_gradient(scores, y)
    )
    assert "counts by its class: none 1, mild 0.25, severe 1" in task.words()


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ('shares = ["0.34", "0.33"]', "at least 3"),
        ('shares = ["0.5", "0.33", "0.33"]', "not to 1"),
        ('shares = ["1.5", "0.33", "0.33"]', "published share of a class"),
        ('shares = ["0.34", "0.33", "0.33"]\nedges = ["0.5"]', "classes need 33"),
        ('shares = ["0.34", "0.33", "0.33"]\nbins = 2\nedges = ["0.5", "1", "0.5"]', "rise"),
    ],
)
def test_an_evaluation_that_cannot_be_is_refused(new, says):
    metric = METRIC[1].replace('shares = ["0.34", "0.33", "0.33"]', new)
    with pytest.raises(StudyError, match=says):
        protocol(LABEL, (METRIC[0], metric))


def test_shares_for_another_number_of_classes_are_refused():
    metric = METRIC[1].replace('"0.34", "0.33", "0.33"', '"0.25", "0.25", "0.25", "0.25"')
    with pytest.raises(StudyError, match="4 shares for 3 classes"):
        check_consistency(protocol(LABEL, (METRIC[0], metric)), PldAccountant())


def test_a_sealed_study_lists_its_edges():
    _, plan = sealed_study(LABEL, METRIC)
    section = evaluation_of(plan.study)
    assert "edges" in section.model_fields_set
    assert section.edges == SECTION.edges
    assert len(section.edges_of(2)) == 11


def test_one_patient_counts_once_in_each_of_k_plus_one_numbers():
    y, predictions = people(np.random.default_rng(1), (20, 30, 10), 1.0)
    whole = histogram(predictions, y)
    for gone in (0, 25, 59):
        keep = np.arange(60) != gone
        change = whole - histogram(predictions[keep], y[keep])
        assert sorted(change.tolist()) == [0] * (whole.size - 4) + [1] * 4


def test_the_noise_grows_with_what_a_patient_can_change():
    """The Renyi divergence of the release is that of one number with the charged multiplier; with
    the multiplier alone as deviation (the control) it would be K + 1 times that.
    """
    draws = FixedDraws()
    release_counts(np.zeros(TASK.histogram_size(SECTION), dtype=np.int64), SECTION, draws)
    (sigma,) = draws.sigmas
    mechanism = charges_of(STUDY)[-1].mechanism
    assert mechanism.cells == SECTION.cells
    charged = 1 / (2 * float(mechanism.noise_multiplier) ** 2)
    assert SECTION.cells / (2 * float(sigma) ** 2) <= charged
    assert SECTION.cells / (2 * float(SECTION.noise_multiplier) ** 2) > 3.9 * charged


def test_a_row_that_counts_twice_in_one_number_is_refused():
    with pytest.raises(ValueError, match="twice"):
        row_counts(np.array([[1, 1]]), 5)


def mean_auc(y, predictions):
    own = TASK.own_figures(predictions, y, SECTION)
    return own.macro_auc


def test_figures_are_unbiased_and_their_intervals_cover():
    """Sizes, noise and bands of a small consortium: 400 releases of fresh patients."""
    generator, contributors = np.random.default_rng(4), 5
    deviation = np.sqrt(contributors) * float(SECTION.sigma)
    truth = mean_auc(*people(generator, (20_000, 20_000, 20_000), 1.0))
    covered, points, right = 0, [], 0
    for _ in range(400):
        y, predictions = people(generator, (900, 700, 500), 1.0)
        exact = histogram(predictions, y)
        total = exact + np.rint(generator.normal(0, deviation, exact.size)).astype(np.int64)
        found = evaluate(total, NAMES, SECTION, contributors)
        covered += found.low <= truth <= found.high
        points.append(found.auc)
        right += (
            found.accuracy_low <= np.mean(predictions.argmax(axis=1) == y) <= (found.accuracy_high)
        )
    assert 372 <= covered < 400  # 93 %
    assert right >= 372
    assert None not in points
    assert abs(np.mean(points) - truth) < 0.01


def test_a_model_that_guesses_gets_no_figure():
    generator = np.random.default_rng(5)
    given = 0
    for _ in range(100):
        y, predictions = people(generator, (300, 250, 200), 0.0)
        exact = histogram(predictions, y)
        noise = np.rint(generator.normal(0, 17, exact.size)).astype(np.int64)
        given += evaluate(exact + noise, NAMES, SECTION, 5).auc is not None
    assert given <= 5


def test_few_patients_give_no_figure_and_no_crash():
    for sizes in ((0, 0, 0), (1, 0, 0), (3, 2, 1)):
        y, predictions = people(np.random.default_rng(6), sizes, 1.0)
        noise = np.rint(np.random.default_rng(7).normal(0, 17, 81)).astype(np.int64)
        found = evaluate(histogram(predictions, y) + noise, NAMES, SECTION, 5)
        assert found.auc is None
        assert "nothing can be said" in plain_text(facts(TASK.told(found).rows), 80)


def test_a_sum_of_another_length_is_refused():
    with pytest.raises(RoundError, match="81 values are due"):
        evaluate(np.zeros(80, dtype=np.int64), NAMES, SECTION, 5)


@pytest.mark.parametrize(
    ("minimum", "verdict"), [("0.6", "met"), ("0.95", "not-met"), ("0.80", "cannot-be-judged")]
)
def test_the_quality_rule_is_judged_on_the_interval(minimum, verdict):
    y, predictions = people(np.random.default_rng(8), (900, 700, 500), 1.0)
    found = evaluate(histogram(predictions, y), NAMES, SECTION, 5)
    assert found.low < 0.8 < found.high
    quality = STUDY.quality.model_copy(update={"minimum": Decimal(minimum)})
    assert TASK.judge(found, quality) == verdict


def test_the_table_of_true_and_told_classes_and_recalls_follow():
    y, predictions = people(np.random.default_rng(9), (300, 250, 200), 2.0)
    found = evaluate(histogram(predictions, y), NAMES, SECTION, 1)
    table = np.array(found.table)
    told = predictions.argmax(axis=1)
    for true in range(3):
        for said in range(3):
            assert table[true, said] == ((y == true) & (told == said)).sum()
        assert found.classes[true].recall == pytest.approx(np.mean(told[y == true] == true))
        assert found.classes[true].patients == (y == true).sum()
    lines = TASK.told(found).lines
    assert lines[0].startswith("none: AUC 0.8")


def test_an_owner_sees_exact_figures_of_every_class():
    y, predictions = people(np.random.default_rng(10), (30, 25, 0), 1.0)
    own = TASK.own_figures(predictions, y, SECTION)
    assert np.isnan(own.aucs[2])
    assert own.macro_auc == pytest.approx(np.mean(own.aucs[:2]))
    told = TASK.told_own(own, "patients")
    assert told.cells[2][:3] == ("severe", "0", "cannot be worked out")
    assert told.header[3:] == ("told none", "told mild", "told severe")


def test_pages_say_the_classes():
    _, plan = sealed_study(LABEL, METRIC)
    assert "multinomial regression with 21 weights" in model_words(plan.study)
    words = dict(column_rows(plan.study))["to be predicted"]
    assert words.startswith("which class target is: none (none, 0); mild (mild); severe (severe);")
    assert '-9 means "not recorded"' in words
    assert TASK.score_words(probability=True).count("none, mild, severe") == 1


def test_a_whole_study_of_it_runs_encrypted_and_every_hospital_accepts_its_model(tmp_path):
    _, plan = sealed_study(LABEL, METRIC)
    done = finish(room_of(plan, [patients(300, seed) for seed in range(3)]))
    done.check(done.files, tmp_path / "model")
    result = judged_result(done.outcome.results)
    expected = sum(hospital.produced[-1] for hospital in done.room.hospitals.values())
    np.testing.assert_array_equal(result.histogram, expected)
    model = done.unpacked(done.files, tmp_path / "model")
    assert "macro AUC" in model.facts.figures
    assert model.predict({"age": [9], "TSH": [1], "sex": ["F"], "sick": ["t"]}).shape == (1, 3)


def test_the_owner_sees_how_many_rows_of_the_own_table_are_of_each_class(tmp_path):
    labels = ["none"] * 4 + ["mild"] * 3 + ["severe", "?"]
    table = tmp_path / "table.csv"
    table.write_bytes(csv(*(f"p{i},40,1,F,t,{label}" for i, label in enumerate(labels))))
    hospital = hospital_that_removed_nobody()
    count = count_rows(hospital, CsvSource(table), STUDY.data, "patient")
    assert count.outcomes == {"none": 4, "mild": 3, "severe": 1}
    assert "9 rows, 8 can be used (4 none, 3 mild, 1 severe); 1 set aside" in rows_words(count)
    assert rows_warning(count) is None
    table.write_bytes(csv(*(f"p{i},40,1,F,t,mild" for i in range(4))))
    alike = count_rows(hospital, CsvSource(table), STUDY.data, "patient")
    assert "the same outcome: 0 none, 4 mild, 0 severe of 4" in rows_warning(alike)
