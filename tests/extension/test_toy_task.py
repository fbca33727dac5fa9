"""A task that is registered from this file alone: which of three stages a disease is in.

As `docs/extending/task.md` says: a section for the label, a class for the task, two registrations.
Everything else is the product's: reading, splitting, exact per-record gradients, clipping, noise,
the server's step, scoring, counting.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

import numpy as np
import pytest
from completed_study import finish, other_weights
from conftest import protocol_text
from extension_promises import (
    SECRET,
    check_family,
    check_label,
    check_neighbours,
    check_tally,
    check_task,
)
from in_process_federation import sealed_study
from small_study import protocol
from whole_study import whole_study
from worker_hospital import room_of

from securefl.errors import MessageError, StudyError
from securefl.learning.artefact import ModelFacts, load_model, save_model
from securefl.learning.counts import release_counts
from securefl.learning.families import FAMILIES
from securefl.learning.features import prepare
from securefl.learning.models import family_of, predict
from securefl.learning.preparation import counted, stratum_counts
from securefl.learning.split import split_rows
from securefl.learning.stages.roles import judged_result
from securefl.learning.steps import RandomDraws
from securefl.learning.strategies import strategy_of
from securefl.learning.summing import sum_in_order
from securefl.learning.table import read_table
from securefl.learning.tasks import TASKS, task_of
from securefl.learning.tasks.counted import CountedTask
from securefl.learning.tasks.told import Told
from securefl.learning.training import training_steps
from securefl.privacy.accounting import PldAccountant
from securefl.privacy.randomness import SystemRandomness
from securefl.report.explain_columns import column_rows
from securefl.report.explain_study import model_words
from securefl.report.page import facts
from securefl.report.terminal import plain_text
from securefl.study.consistency import check_consistency
from securefl.study.counts import EvaluateSection, evaluation_of
from securefl.study.labels import LabelSection
from securefl.study.parse import parse_protocol
from securefl.study.registries import EVALUATIONS, LABELS
from securefl.study.texts import CellText, ColumnName
from securefl.study.training import training_of
from securefl.study.wire import sum_unit


class StageLabel(LabelSection):
    """A column with one of three texts."""

    task: ClassVar[str] = "stage-of-disease"
    kind: Literal["three-stages"]
    column: ColumnName
    stages: tuple[CellText, CellText, CellText]

    @property
    def columns(self):
        return (self.column,)


class ToldStages(EvaluateSection):
    """An evaluation of it in the study file: no keys of its own."""

    metric: Literal["stages-told"]


@dataclass(frozen=True)
class Rightly:
    """Share of patients whose likeliest stage is the true one."""

    share: float


class Stages(CountedTask):
    """Softmax over three scores; judged by a table of true and likeliest stages."""

    regression = "multinomial regression"
    steepest = 1.0
    EvaluationTable = ToldStages
    metric = "share rightly told"
    strata_words = "by stage of the disease"
    histogram_words = "how many patients of each stage are taken for each stage"
    dtype = np.int8

    def __init__(self, label):
        self._label, self.strata = label, label.stages

    @property
    def outputs(self):
        return 3

    def targets(self, table):
        found = [
            self.strata.index(cell) if cell in self.strata else f"{self._label.column}: no stage"
            for cell in table.column(self._label.column)
        ]
        cells = table.column(self._label.column)
        return found, [
            cell if isinstance(y, str) else None for y, cell in zip(found, cells, strict=True)
        ]

    def mock(self, u):
        return (self.strata[int(3 * u)],)

    def loss(self, scores, y):
        highest = scores.max(axis=1)
        own = scores[np.arange(len(y)), y.astype(int)]
        return highest + np.log(np.exp(scores - highest[:, None]).sum(axis=1)) - own

    def loss_gradient(self, scores, y):
        return self.predictions(scores) - (y[:, None] == np.arange(3))

    def predictions(self, scores):
        weights = np.exp(scores - scores.max(axis=1)[:, None])
        return weights / sum_in_order(weights.copy())[:, None]

    def stratum(self, y):
        return y.astype(np.int64)

    def histogram_size(self, evaluation):
        return 9

    def place(self, predictions, y, evaluation):
        return 3 * y.astype(np.int64) + predictions.argmax(axis=1)

    def evaluate(self, total, evaluation, contributors):
        return Rightly(float(np.trace(total.reshape(3, 3)) / total.sum()))

    def own_figures(self, predictions, y, evaluation):
        return Rightly(float((predictions.argmax(axis=1) == y).mean()))

    def judge(self, evaluation, quality):
        return "met" if evaluation.share >= quality.minimum else "not-met"

    def told(self, evaluation):
        share = f"{100 * evaluation.share:.1f} %"
        return Told(
            metric=self.metric,
            headline=share,
            short=share,
            rows=(("guessing", "is right for a third"),),
        )

    def told_own(self, figures, units):
        return self.told(figures)

    def words(self):
        return f"the stage, {self._label.column}: {', '.join(self.strata)}"

    def score_words(self, *, probability):
        return "Three figures that add up to 1."

    def check(self, y):
        return bool(np.isin(y, (0, 1, 2)).all())


OLD_LABEL = """\
kind = "any-of-letters"
positive = ["E", "F"]
negative = ["-", "|", "A", "B", "C", "D", "G", "H", "I", "J", "K"]
"""
LABEL = 'kind = "three-stages"\nstages = ["none", "mild", "severe"]\n'
METRIC = ('metric = "auc"\nedges = ["0.1", "0.3", "0.5"]\n', 'metric = "stages-told"\n')
EDITS = ((OLD_LABEL, LABEL), METRIC, ("rounds = 4", "rounds = 30"), ("steps = 4", "steps = 30"))


@pytest.fixture(autouse=True)
def registered():
    take_away = (
        LABELS.register("three-stages", StageLabel),
        TASKS.register("stage-of-disease", Stages),
        EVALUATIONS.register("stages-told", ToldStages),
    )
    yield
    for undo in take_away:
        undo()


@pytest.fixture
def study():
    return protocol(*EDITS)


def csv(rows, seed):
    """A table of patients whose stage follows from their age."""
    generator = np.random.default_rng(seed)
    ages = generator.uniform(0, 120, rows)
    lines = [
        f"p{i},{age:.1f},1.5,{'FM'[i % 2]},t,{('none', 'mild', 'severe')[int(age // 40.01)]}"
        for i, age in enumerate(ages)
    ]
    return "\n".join(["patient_id,age,TSH,sex,sick,target", *lines, ""]).encode()


def table():
    return read_table(csv(1200, 3))


def test_the_task_keeps_the_promises(study):
    task, generator = task_of(study.data), np.random.default_rng(1)
    check_task(task, generator)
    check_tally(task, evaluation_of(study), generator)
    check_label(task, study.data)


@pytest.mark.parametrize("hidden", [(), (9, 4)], ids=["linear", "perceptron"])
def test_the_products_families_learn_it_exactly(study, hidden):
    name = "perceptron" if hidden else "linear"
    model = training_of(study).model.model_copy(update={"hidden": hidden})
    task = task_of(study.data)
    family = FAMILIES[name](model, 6, task.outputs)
    check_family(family, task, 6, np.random.default_rng(2))
    check_neighbours(family, task, 6, np.random.default_rng(2))


def test_hospitals_train_it_and_the_noised_histogram_judges_it(study, tmp_path):
    draws = RandomDraws(SystemRandomness())
    prepared = prepare(table(), study.data, SECRET)
    train, held_out = split_rows(prepared, SECRET, study.data.holdout)
    task, family = task_of(study.data), family_of(training_of(study).model, study.data)
    strategy, unit = strategy_of(training_of(study)), sum_unit(study)
    hospital = training_steps(study, Fraction(1), train, draws)
    state = strategy.start(family.initial_weights(training_of(study).model.initial_seed))
    for _ in range(training_of(study).rounds):
        state = strategy.absorb(state, hospital.update(strategy.broadcast(state)), unit)
    said = predict(state.theta, family, task, held_out.X)
    assert said.shape == (len(held_out.y), 3)
    counts = task.tally(said, held_out.y, evaluation_of(study))
    assert counts.sum() == len(held_out.y)
    total = release_counts(counts, evaluation_of(study), draws)
    rightly = task.evaluate(total, evaluation_of(study), 1)
    assert rightly.share > 0.6  # guessing is right for a third
    assert task.judge(rightly, study.quality) == "met"
    own = task.own_figures(said, held_out.y, evaluation_of(study))
    assert abs(rightly.share - own.share) < 0.3
    assert "is right for a third" in plain_text(facts(task.told(own).rows), 80)


def test_a_count_before_training_is_split_by_its_strata(study):
    task = task_of(study.data)
    counts = stratum_counts(prepare(table(), study.data, SECRET).y, task)
    found = counted(counts, evaluation_of(study), 4, task)
    assert list(found.strata) == ["none", "mild", "severe"]
    assert found.patients == 1200
    assert found.words.startswith("about ")


def test_pages_and_rounds_speak_of_it_without_knowing_it():
    _, plan = sealed_study((OLD_LABEL, LABEL), METRIC)
    assert plan.parameters == 3 * 7
    assert plan.length(plan.last_round) == 9
    assert "multinomial regression with 21 weights" in model_words(plan.study)
    assert ("to be predicted", "the stage, target: none, mild, severe") in column_rows(plan.study)


def test_a_model_of_it_goes_into_a_file_and_comes_back(study, tmp_path):
    facts = ModelFacts(
        title="Stages",
        study_digest="0" * 64,
        intended_use="Tests only.",
        licence="CC-BY-4.0",
        owner="The hospitals",
        privacy="None.",
        figures={},
        participants=("A", "B"),
    )
    family = family_of(training_of(study).model, study.data)
    theta = np.linspace(-1, 1, family.parameters)
    save_model(tmp_path / "m", theta, training_of(study).model, study.data, facts)
    model = load_model(tmp_path / "m")
    np.testing.assert_array_equal(model.theta, theta)
    found = model.predict({"age": [50, 130], "TSH": [1, 1], "sex": ["F", "M"], "sick": ["t", "f"]})
    assert found.shape == (2, 3)
    assert found[0].sum() == pytest.approx(1)
    assert np.isnan(found[1]).all()


def test_a_whole_study_of_it_runs_encrypted_and_every_hospital_accepts_its_model(tmp_path):
    _, plan = sealed_study((OLD_LABEL, LABEL), METRIC)
    done = finish(room_of(plan, [csv(300, seed) for seed in range(3)]))
    done.check(done.files, tmp_path / "model")
    figures = judged_result(done.outcome.results)
    expected = sum(hospital.produced[-1] for hospital in done.room.hospitals.values())
    np.testing.assert_array_equal(figures.histogram, expected)
    assert figures.told.metric in done.unpacked(done.files, tmp_path / "model").facts.figures
    theta = other_weights(done.outcome.theta)
    with pytest.raises(MessageError, match="another model"):
        done.check(done.with_model(theta, tmp_path / "other"), tmp_path / "refused")


def test_a_study_of_it_is_approved_charged_run_by_agents_and_audited(tmp_path, monkeypatch):
    done = whole_study(tmp_path, (OLD_LABEL, LABEL), METRIC, patch=monkeypatch)
    done.check_models()
    assert done.study.report()["figure"]["name"] == Stages.metric
    for said in done.audits().values():
        assert "round 4: check of the model" in said


def test_a_label_of_it_that_breaks_its_section_is_refused_with_its_line():
    with pytest.raises(StudyError, match=r"line \d+: data\.label"):
        protocol((OLD_LABEL, 'kind = "three-stages"\nstages = ["none", "mild"]\n'))


def test_a_metric_of_another_task_is_refused():
    study = protocol((OLD_LABEL, LABEL))
    with pytest.raises(StudyError, match='"auc" does not judge what the label asks for'):
        check_consistency(study, PldAccountant())


def test_without_its_file_the_product_does_not_know_it():
    text = protocol_text((OLD_LABEL, LABEL.replace("three-stages", "four-stages")))
    with pytest.raises(StudyError, match=r'data\.label: needs kind = .* "three-stages" or'):
        parse_protocol(text)
