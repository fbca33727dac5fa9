"""Tables and questions that go wrong in a way that is usual: the right figure or a clear message, and
nothing about one hospital that was not released.

What a single cell can be (a level, unit or code that nobody declared, a time below 0) has its tests
beside what reads it: ``test_learning_features.py``, ``test_learning_survival.py``,
``test_learning_readiness.py``, ``test_node_mapping.py``. Here is what it does to a whole release.
"""

import json

import numpy as np
import pytest
from classes_study import LABEL as CLASSES
from classes_study import METRIC as MACRO_AUC
from classes_study import classes_protocol, patients
from completed_study import finish
from conftest import make_study
from in_process_federation import sealed_study
from kinds_of_models import KINDS, some_model
from small_study import SPEC, FixedDraws, csv
from split_study import SPLIT
from statistics_study import statistics_protocol
from survival_curve_study import curve_protocol
from worker_hospital import room_of

from securefl.learning.features import prepare
from securefl.learning.models import family_of
from securefl.learning.stages.programme import Programme
from securefl.learning.stages.roles import judged_result
from securefl.learning.stages.stage import Rows
from securefl.learning.table import read_table
from securefl.learning.tasks import task_of
from securefl.study.counts import evaluation_of
from securefl.study.parse import parse_study

SECRET = b"s" * 32
NO_PUBLIC = np.zeros(0)
#: A level, a code and a unit (Celsius in Fahrenheit) that the file does not declare.
UNDECLARED = [
    f"q{i},{age},1.5,{sex},t,E" for i, (age, sex) in enumerate([("-98765", "F"), (98765, "M")])
]
UNDECLARED += ["r1,40,1.5,divers,t,E", "r2,40,1.5,F,ja,E", "r3,40,1.5,F,t,unknown"]


def usual(rows, seed, label=None):
    """A table in which the older are the likelier positive; all of one outcome where it is said."""
    ages = np.random.default_rng(seed).uniform(0, 120, rows)
    return [
        f"p{i},{age:.1f},1.5,{'FM'[i % 2]},t,{label or ('E' if age > 60 else '-')}"
        for i, age in enumerate(ages)
    ]


# hospitals that have nothing to say


@pytest.fixture(scope="module")
def odd():
    """A study of a hospital with a header and no rows, one with one outcome, and a usual one with
    rows that nobody declared.
    """
    tables = [csv(), csv(*usual(200, 1, "-")), csv(*usual(300, 2), *UNDECLARED)]
    plan = sealed_study(SPLIT)[1]
    return finish(room_of(plan, tables))


def test_without_rows_and_with_one_outcome_a_study_comes_to_its_end_and_to_its_model(odd, tmp_path):
    odd.check(odd.files, tmp_path / "model")
    assert np.isfinite(odd.outcome.theta).all()
    total = sum(hospital.produced[-1] for hospital in odd.room.hospitals.values())
    np.testing.assert_array_equal(judged_result(odd.outcome.results).histogram, total)


def test_what_such_hospitals_send_is_as_long_and_as_noisy_as_what_others_send(odd):
    rounds = len(next(iter(odd.room.hospitals.values())).produced)
    for number in range(rounds):
        lists = [hospital.produced[number] for hospital in odd.room.hospitals.values()]
        assert len({len(one) for one in lists}) == 1
    empty = next(iter(odd.room.hospitals.values()))
    updates = np.concatenate(empty.produced[:-1]).astype(float)
    # no rows, and yet no list that says so: every one of them is full of noise
    assert updates.std() > 500
    assert not any((one == 0).all() for one in empty.produced)
    # but for the hospital's name in it
    sizes = {(number, len(frame) - len(site)) for (site, number), frame in odd.room.kept.items()}
    assert len(sizes) == rounds


def test_of_their_rows_nothing_is_told_that_was_not_released(odd):
    told = b"".join(odd.files.values()).decode("utf-8", "replace")
    told += json.dumps([result.record() for result in odd.outcome.results if result is not None])
    words = ("98765", "divers", "not one of the declared levels", "set_aside", "outside 0")
    assert not [word for word in words if word in told]
    # the control: at home its owner is told of each of them
    found = prepare(read_table(csv(*usual(300, 2), *UNDECLARED)), SPEC, SECRET)
    assert sum(found.set_aside.values()) == len(UNDECLARED)
    assert {one.text for one in found.found} == {"-98765", "98765", "divers", "ja", "unknown"}


def test_a_hospital_without_rows_and_a_subgroup_of_one_patient_are_too_small_to_be_judged():
    stage = Programme(parse_study(make_study(5, SPLIT)[0])).stages[-1]
    good = np.array([800, 100, 20, 10, 5, 10, 60, 300])
    one = np.eye(8, dtype=np.int64)[7]
    # five hospitals, the first without rows; women, one man, none without record; two bands of age
    hospitals = [0 * good, good, good, good, good]
    exact = np.concatenate([*hospitals, 4 * good - one, one, 0 * good, 2 * good, 2 * good])
    generator = np.random.default_rng(7)
    sigma = float(stage.section.sigma)
    told = 0
    for _ in range(40):
        noise = np.rint(generator.normal(0, sigma, exact.shape)).astype(np.int64)
        by_hospital, by_sex, _ = stage.read(exact + noise, 5).split
        told += by_hospital.groups[0].value is not None
        told += by_sex.groups[1].value is not None
        assert all(group.value is not None for group in by_hospital.groups[1:])
        assert by_sex.groups[0].value is not None
    # 95 % intervals: noise alone looks like a figure now and then
    assert told <= 4


# a class that no hospital has, a group of one patient, a column of one value


def test_a_class_that_no_hospital_has_leaves_a_model_that_tells_the_others(tmp_path):
    tables = [patients(300, seed).replace(b"severe", b"mild") for seed in range(3)]
    done = finish(room_of(sealed_study(CLASSES, MACRO_AUC)[1], tables))
    model = done.unpacked(done.files, tmp_path / "model")
    scores = model.predict({"age": [9], "TSH": [1], "sex": ["F"], "sick": ["t"]})
    assert np.isfinite(scores).all()
    assert scores[0, 2] < 0.34


def test_a_class_that_no_hospital_has_gives_no_figure():
    study = classes_protocol()
    evaluation, task = evaluation_of(study), task_of(study.data)
    sigma = 3**0.5 * float(evaluation.numbers.sigma)

    def told(classes):
        generator = np.random.default_rng(8)
        y = generator.integers(0, classes, 3000).astype(np.int8)
        exact = task.tally(0.7 * np.eye(3)[y] + 0.1, y, evaluation)
        noises = np.rint(generator.normal(0, sigma, (40, exact.size))).astype(np.int64)
        found = [task.evaluate(exact + noise, evaluation, 3).auc for noise in noises]
        return sum(auc is not None for auc in found)

    assert told(2) <= 2
    # the control: of the same model, where every class has patients
    assert told(3) == 40


def statistics_of(lines, generator):
    """Figures of a table of statistics by sex, with the noise of three hospitals."""
    study = statistics_protocol()
    stage = Programme(study).stages[0]
    rows = prepare(read_table(csv(*lines)), study.data, SECRET)
    nobody = rows.select(np.zeros(len(rows.y), dtype=bool))
    local = stage.local(study, "A", Rows(rows, nobody), FixedDraws())
    exact = local.answer(stage.releases()[0], NO_PUBLIC)
    sigma = 3**0.5 * float(stage.section.sigma)
    noise = np.rint(generator.normal(0, sigma, exact.shape)).astype(np.int64)
    return stage.absorb(None, exact + noise, 3)


def test_of_a_group_of_one_patient_nothing_is_told_but_that_it_is_too_small():
    generator = np.random.default_rng(5)
    told = 0
    seen = 0
    for _ in range(40):
        lines = [line.replace(",M,", ",F,") for line in usual(400, 3)]
        found = statistics_of([*lines, "one,33,1.5,M,t,E"], generator)
        women, men, _ = found.figures[0].groups
        assert women.mean.value is not None
        told += men.mean.value is not None
        assert {one.value for one in men.quartiles} == {None}
        seen += men.patients.low > 0
    # 95 % intervals: noise alone looks like somebody now and then
    assert max(told, seen) <= 4


def test_a_column_of_one_value_has_it_as_its_mean_and_no_spread():
    generator = np.random.default_rng(6)
    lines = [f"p{i},50,1.5,F,t,-" for i in range(600)]
    age = statistics_of(lines, generator).figures[0].groups[0]
    assert age.mean.low <= 54 <= age.mean.high  # the middle of the bin from 48 to 60
    assert all(one.low <= 50 <= one.high for one in age.quartiles)
    assert age.deviation.low == 0


@pytest.mark.parametrize(("task", "family"), KINDS)
def test_columns_of_one_value_leave_gradients_and_scores_finite(task, family):
    model = some_model(task, family)
    found, of = task_of(model.data), family_of(model.spec, model.data)
    table = {"age": [50.0] * 4, "TSH": [1.0] * 4, "sex": ["F"] * 4, "sick": ["t"] * 4}
    scores = np.asarray(model.predict(table))
    assert np.isfinite(scores).all()
    assert (scores == scores[0]).all()
    x = model.features(table)
    y = np.zeros(4, dtype=found.dtype)
    assert np.isfinite(of.gradients(found)(model.theta, x, y)).all()


# times


def test_times_below_0_and_undeclared_events_leave_a_curves_counts_as_they_were():
    study = curve_protocol()
    stage = Programme(study).stages[0]

    def counted(*ends):
        lines = [f"p{i},40,1.5,F,t,{time},{event}" for i, (time, event) in enumerate(ends)]
        text = "\n".join(["patient_id,age,TSH,sex,sick,months,died", *lines, ""]).encode()
        rows = prepare(read_table(text), study.data, SECRET)
        nobody = rows.select(np.zeros(len(rows.y), dtype=bool))
        local = stage.local(study, "A", Rows(rows, nobody), FixedDraws())
        return local.answer(stage.releases()[0], NO_PUBLIC)

    good = [("5", "yes"), ("20", "no"), ("48", "yes")]
    before_the_start = [
        ("-3", "yes"),
        ("-0.5", "no"),
        ("7", "perhaps"),
        ("999", "no"),
        ("soon", "yes"),
    ]
    np.testing.assert_array_equal(counted(*good), counted(*before_the_start, *good))
    assert counted(*good).sum() == 3
