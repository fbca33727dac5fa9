"""Looks at a training on its way: what leaves, what it moves, what it claims, what is read off it."""

import tomllib
from dataclasses import replace
from decimal import Decimal
from functools import reduce

import classes_study
import count_study
import number_study
import numpy as np
import pytest
import survival_study
from conftest import protocol_text
from in_process_federation import NAMES, Room, grouped_study, sealed_study
from looked_at import EVALUATE, KINDS, LOOKS, NOISE, TABLE, looked_at
from shared_noise import shared_study
from simulated_tables import tables_of

from securefl.errors import RoundError, StudyError
from securefl.federation.kept_totals import KeptTotals
from securefl.federation.round_record import RoundRecord
from securefl.learning.features import Prepared
from securefl.learning.looks import Look, LookAnswers, Trend, read_looks, trend_of, trend_words
from securefl.learning.stages.programme import Programme, charges_of
from securefl.learning.stages.roles import moves_model, training_result
from securefl.learning.update_lengths import trained_weights
from securefl.privacy.accounting import PldAccountant
from securefl.privacy.charges import Charge
from securefl.privacy.mechanisms import Gaussian
from securefl.privacy.planning import study_epsilon
from securefl.report import explain_study
from securefl.report.plan import plan_page, plan_study
from securefl.report.study import study_page
from securefl.report.terminal import plain_text
from securefl.report.terms import when_sentences
from securefl.researcher.durable_run import FOLDER, TOTALS
from securefl.researcher.lower_epsilon import lower_epsilon
from securefl.researcher.progress import round_lines
from securefl.simulation.draws import Samplers
from securefl.simulation.trial import run_trial, virtual_hospitals
from securefl.simulation.virtual_study import virtual_study
from securefl.study.consistency import contradictions
from securefl.study.looks import LooksSection, look_section
from securefl.study.parse import parse_protocol
from securefl.study.seal import dump_toml
from securefl.study.sealed import UnsealedStudy

PLAN = looked_at()
STUDY = PLAN.study
SECTION = look_section(STUDY, STUDY.stages[0].looks)
SPLIT = ('metric = "auc"', 'metric = "auc"\neach_participant = true\nby = [{ column = "sex" }]')


def table(**changes):
    """The edit with other values."""
    text = TABLE
    for key, value in changes.items():
        (line,) = [one for one in text.splitlines() if one.startswith(f"{key} = ")]
        text = text.replace(line, f"{key} = {value}")
    return (EVALUATE, text + EVALUATE)


def faults(*edits):
    text = protocol_text(*edits)
    return contradictions(parse_protocol(text), PldAccountant())


def test_a_look_follows_every_training_round_but_the_last():
    assert [PLAN.kind(n) for n in range(1, PLAN.last_round + 1)] == KINDS
    assert [PLAN.step(n).words for n in (1, 2, 4, 7)] == [
        "round 1 of 4",
        "look 1 of 3",
        "look 2 of 3",
        "round 4 of 4",
    ]
    assert [moves_model(PLAN.step(n)) for n in (1, 2)] == [True, False]


@pytest.mark.parametrize(
    ("rounds", "every", "after"), [(10, 5, [5]), (11, 5, [5, 10]), (7, 2, [2, 4, 6]), (3, 9, [])]
)
def test_none_follows_the_last_round(rounds, every, after):
    looks = LooksSection(every=every, noise_multiplier="8", epsilon="1", patience=1)
    assert [n for n in range(1, rounds + 1) if looks.follows(n, rounds)] == after
    assert looks.count(rounds) == len(after)


def test_it_is_charged_once_a_look_about_the_patients_kept_aside():
    _, look, evaluation = charges_of(STUDY)
    assert look == Charge("look", Gaussian(NOISE, 3), aside=True, label="looks on the way")
    assert evaluation.mechanism == Gaussian(Decimal("3.75"))
    delta = STUDY.privacy.delta
    together = PldAccountant().composed_epsilon([look.mechanism, evaluation.mechanism], delta)
    assert study_epsilon(charges_of(STUDY), 1, delta, disjoint=True) == together
    assert explain_study.worst_epsilon(STUDY) == together


def test_a_look_has_the_list_of_all_patients_alone():
    """Lists of subgroups and hospitals would make the noise of the figure larger that is compared."""
    plan = sealed_study(LOOKS, SPLIT)[1]
    look, evaluation = plan.step(2).release, plan.step(8).release
    assert look.length == 8 < evaluation.length
    assert look.mechanism.cells == 1 < evaluation.mechanism.cells


def test_a_whole_study_runs_and_no_look_moves_its_model():
    room = Room(PLAN)
    outcome = room.coordinator().run()
    assert [r.kind for r in outcome.records] == KINDS
    starts = [r.model_sha256 for r in outcome.records]
    assert [starts[n] == starts[n + 1] for n in range(7)] == [False, True] * 3 + [False]
    sums = [
        reduce(np.add, [h.produced[place] for h in room.hospitals.values()]) for place in range(8)
    ]
    looks = [(n // 2 + 1, sums[n], len(NAMES)) for n in (1, 3, 5)]
    assert training_result(outcome.results).looks == read_looks(STUDY, looks)
    updates = [(sums[n], len(NAMES)) for n in (0, 2, 4, 6)]
    assert np.array_equal(trained_weights(STUDY, updates), outcome.theta)


def test_a_look_counts_the_patients_kept_aside_with_noise_of_its_own():
    room = Room(PLAN)
    room.coordinator().run()
    hospital = room.hospitals[NAMES[0]]
    looks = np.array([hospital.produced[n] for n in (1, 3, 5)])
    assert looks.shape == (3, 8)
    assert len({tuple(look) for look in looks}) == 3
    # 20 patients kept aside, 24 draws of noise 8: a sum beyond 6 deviations has a chance of 1e-9
    assert abs(looks.sum() - 3 * 20) < 6 * 8 * np.sqrt(24)
    assert abs(looks.sum(axis=1) - 20).max() > 0


def test_its_claim_is_held_to_its_noise():
    assert not faults(LOOKS)
    (fault,) = faults(table(epsilon='"0.6"'))
    assert fault.startswith("stages.1.looks.epsilon: says 0.6, but the noise gives 0.7913")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"every": "2"}, "stages.1.looks.every: leaves one look in 4 rounds"),
        ({"every": "4"}, "stages.1.looks.every: leaves no look in 4 rounds"),
        (
            {"patience": "3"},
            "stages.1.looks.patience: says 3, and there are 3 looks; write at most 2",
        ),
    ],
)
def test_looks_with_nothing_to_compare_are_refused(changes, said):
    (fault,) = faults(table(**changes))
    assert fault.startswith(said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"noise_multiplier": '"1.9"'}, "must be at least 2"),
        ({"epsilon": '"0"'}, "must be above 0"),
        ({"every": "0"}, "looks.every"),
        ({"patience": "0"}, "looks.patience"),
        ({"patience": "1\nends = 1"}, "looks.ends"),
        ({"patience": "1\nuntil = 3"}, "unknown key"),
    ],
)
def test_wrong_values_are_refused_with_their_place(changes, said):
    with pytest.raises(StudyError) as refused:
        parse_protocol(protocol_text(table(**changes)))
    assert said in refused.value.what


def test_pages_say_what_leaves_and_what_it_costs():
    page = " ".join(plain_text(study_page(STUDY, PLAN.digest), 200).split())
    for words in (
        "After every round but the last a round of its own looks at the model",
        "3 times in all: it changes nothing in the model, and is charged whatever comes of it.",
        "after every training round but the last, 3 times in all: one encrypted list of 8 numbers",
        "to look at it on the way and to check it, never for both",
        "training epsilon 1, looks epsilon 0.792, check epsilon 1, together for one patient 1.314",
        "3 looks on the way, each with noise 8",
    ):
        assert words in page
    planned = plan_study(STUDY, charges_of(STUDY))
    assert planned.to_json()["looks"] == {
        "planned": 3,
        "every": 1,
        "patience": 1,
        "ends": False,
        "evaluation": None,
    }
    words = " ".join(plain_text(plan_page(planned), 200).split())
    assert "looks on the way epsilon 0.7913 at delta 0.00001, 3 noised releases" in words
    assert "Intervals are widened so that all 3 hold at once." in words


# --- rules


def look(value, half=0.01, *, after=1, known=True):
    return Look(after, value - half, value + half, value, known)


@pytest.mark.parametrize(
    ("values", "patience", "trend"),
    [
        ([], 1, Trend.EARLY),
        ([0.7], 1, Trend.EARLY),
        ([0.6, 0.7], 1, Trend.BETTER),
        ([0.6, 0.7], 2, Trend.EARLY),
        ([0.6, 0.7, 0.7], 2, Trend.BETTER),
        ([0.7, 0.7], 1, Trend.NO_GAIN),
        ([0.7, 0.712], 1, Trend.NO_GAIN),
        ([0.6, 0.8, 0.7], 1, Trend.WORSE),
        ([0.8, 0.7], 5, Trend.WORSE),
    ],
)
def test_the_course_by_intervals(values, patience, trend):
    assert trend_of([look(v) for v in values], 10, patience, 0.0) is trend


def test_more_looks_widen_the_intervals():
    """Two looks that differ by as much as noise does in one of twenty are no loss among fifty."""
    pair = [look(0.75), look(0.7275)]
    assert trend_of(pair, 1, 1, 0.0) is Trend.WORSE
    assert trend_of(pair, 50, 1, 0.0) is Trend.NO_GAIN


def test_a_look_that_says_nothing_is_no_course():
    lost = replace(look(0.7), low=0.0, high=1.0, value=None, known=False)
    assert trend_of([look(0.6), lost], 10, 1, 0.0) is Trend.UNKNOWN
    assert trend_of([lost, look(0.6)], 10, 1, 0.0) is Trend.UNKNOWN


def test_the_rules_hold_at_once_for_noise_alone():
    """Of 400 studies with 20 looks at one model at most about 5 % tell a loss; control: intervals of
    95 % each would do so in many more.
    """
    generator = np.random.default_rng(7)
    told = {20: 0, 1: 0}
    for _ in range(400):
        looks = [look(v, 1.96 * 0.02) for v in generator.normal(0.7, 0.02, 20)]
        for planned in told:
            courses = [trend_of(looks[:n], planned, 19, 0.0) for n in range(1, 21)]
            told[planned] += Trend.WORSE in courses
    assert told[20] <= 12 < told[1]


ENDING = looked_at(("patience = 1\n", "patience = 1\nends = true\n"))


def losing(looks, planned, patience, least):
    """Word for a course in which the second look is the worse."""
    del planned, patience, least
    return Trend.WORSE if len(looks) == 2 else Trend.EARLY


def test_with_ends_a_study_ends_at_a_look_that_is_worse_and_no_other(monkeypatch):
    monkeypatch.setattr("securefl.learning.looks.trend_of", losing)
    monkeypatch.setattr("securefl.learning.looks.best_before", lambda looks: looks[0])
    room = Room(ENDING)
    with pytest.raises(RoundError, match="after 2 rounds of training, and was") as ended:
        room.coordinator().run()
    assert ended.value.whose == "nobody"
    assert "What was charged stays charged" in ended.value.next_step
    assert [len(h.produced) for h in room.hospitals.values()] == [4] * len(NAMES)
    told = Room(PLAN)  # control: without it the study is told the same, and goes on
    told.coordinator().run()
    assert [len(h.produced) for h in told.hospitals.values()] == [8] * len(NAMES)


def test_pages_of_a_study_that_may_end_say_that_nothing_is_given_back():
    page = " ".join(plain_text(study_page(ENDING.study, ENDING.digest), 200).split())
    assert "the study ends there without a model; nothing of what was charged is given back" in page
    planned = plan_study(ENDING.study, charges_of(ENDING.study))
    words = " ".join(plain_text(plan_page(planned), 200).split())
    assert "That saves time and no budget" in words
    (rule,) = [line for line in when_sentences(ENDING.study) if "look" in line]
    assert rule.endswith("without a model. What was charged stays charged.")
    assert not [line for line in when_sentences(STUDY) if "look" in line]


def test_every_course_has_words():
    found = training_result(Room(PLAN).coordinator().run().results).looks
    said = {trend_words(replace(found, trend=trend)) for trend in Trend}
    assert len(said) == len(Trend)
    assert found.told().header == ("after round", "AUC", "95 %")
    assert [row[0] for row in found.told().cells] == ["1", "2", "3"]


# --- beside a run


def test_the_line_of_a_look_ends_with_its_figure(tmp_path):
    totals = KeptTotals(tmp_path / FOLDER / TOTALS)
    totals.keep(2, np.array([400, 200, 50, 10, 10, 50, 200, 400]), 3)
    sent = dict.fromkeys(NAMES, "c" * 64)
    record = RoundRecord(2, "look", "a" * 64, "b" * 64, sent, "d" * 64, 7000)
    (found,) = read_looks(STUDY, [(1, *total[1:]) for total in totals.of([2])]).looks
    line = round_lines(PLAN, tmp_path)(record)
    assert line.startswith("look 1 of 3: received one sum of 3 hospitals: 8 integers")
    assert line.endswith(f"; AUC {found.low:.3f} to {found.high:.3f} (95 %)")
    assert 0.8 < found.low < 0.95


def test_a_simulation_looks_as_the_study_would():
    tables = tables_of()
    template = UnsealedStudy.read(protocol_text(LOOKS))
    study = virtual_study(template, sorted(tables), {})
    hospitals = virtual_hospitals(study, tables, 0, 0)
    found = run_trial(study, hospitals, Samplers(), seed=0, repeat=0)
    assert found.rounds == len(KINDS)
    (table,) = found.tables
    assert table.metric == "AUC on the way"
    assert [cells[0] for cells in table.cells] == ["1", "2", "3"]
    again = run_trial(study, hospitals[::-1], Samplers(), seed=0, repeat=0)
    assert (again.model_sha256, again.tables) == (found.model_sha256, found.tables)


def test_a_lower_epsilon_makes_the_looks_noisier_too():
    raw = tomllib.loads(protocol_text(LOOKS))
    lower_epsilon(raw, Decimal("0.7"))
    lowered = parse_protocol(dump_toml(raw))
    assert not contradictions(lowered, PldAccountant())
    assert explain_study.worst_epsilon(lowered) <= Decimal("0.7")
    looks = lowered.stages[0].looks
    assert looks.noise_multiplier > NOISE
    assert looks.epsilon < Decimal("0.792")
    # one factor for all: what they tell beside each other stays as it was planned
    evaluation = lowered.stages[1].noise_multiplier / Decimal("3.75")
    assert abs(looks.noise_multiplier / NOISE - evaluation) < Decimal("0.01")


# --- every task, strategy and way of the noise


def spread(edits):
    """The study of a task's edits, with looks."""
    return parse_protocol(protocol_text(*edits, LOOKS))


TASKS = {
    "binary": (),
    "classes": (classes_study.LABEL, classes_study.METRIC),
    "number": number_study.EDITS,
    "count": count_study.EDITS,
    "time-to-event": survival_study.EDITS,
}


@pytest.mark.parametrize("name", TASKS)
def test_a_look_is_the_tasks_own_evaluation(name):
    study = spread(TASKS[name])
    stage = Programme(study).stages[0]
    _, look = stage.releases()
    _, _, evaluation = [release for _, release in Programme(study).releases]
    assert (look.length, look.words.leaves) == (evaluation.length, evaluation.words.leaves)
    assert look.mechanism.cells == evaluation.mechanism.cells
    nothing = np.zeros(look.length, dtype=np.int64)
    found = read_looks(study, [(1, nothing, 5)])
    assert not found.looks[0].known
    assert trend_words(found)


@pytest.mark.parametrize("strategy", ["fedavgm", "scaffold", "fedsgd", "fedprox"])
def test_a_look_reads_the_weights_from_which_the_next_round_starts(strategy):
    plan = looked_at(
        ('strategy = "fedavg"', f'strategy = "{strategy}"'), ('server_momentum = "0.8"\n', "")
    )
    stage = plan.programme.stages[0]
    hospital = Room(plan).hospitals[NAMES[0]]
    theta = np.arange(1.0, stage.parameters + 1)
    public = np.zeros(stage.public_length)
    public[: theta.size] = theta
    counted = LookAnswers(plan.study, stage.section.looks, hospital._rows.held_out, Quiet())
    answer = counted.answer(public)
    assert answer.sum() == 20
    assert not np.array_equal(answer, counted.answer(-public))


class Quiet:
    """Draws without noise."""

    def gaussian(self, sigma, count):
        assert sigma == NOISE
        return np.zeros(count, dtype=np.int64)


def exact_look(x, y, patients):
    """The list of rows without noise, by a hospital's own code."""
    rows = Prepared(x.astype(np.float32), y.astype(np.int8), tuple(patients), {})
    stage = PLAN.programme.stages[0]
    answers = LookAnswers(STUDY, stage.section.looks, rows, Quiet())
    return answers.answer(np.linspace(-1, 1, stage.public_length))


def test_a_patient_moves_a_look_by_what_its_noise_is_for():
    """Each patient counts once, with however many rows; without one of them one count is one less."""
    draws = np.random.default_rng(3)
    x = draws.uniform(-1, 1, (20, 6))
    y = draws.integers(0, 2, 20)
    patients = [f"p{row // 2}" for row in range(20)]
    whole = exact_look(x, y, patients)
    assert whole.sum() == 10
    for patient in range(10):
        others = np.arange(20) // 2 != patient
        kept = [name for name in patients if name != f"p{patient}"]
        moved = whole - exact_look(x[others], y[others], kept)
        assert (moved.sum(), np.abs(moved).sum()) == (1, 1)


def test_hospitals_that_share_the_noise_share_that_of_a_look():
    study = shared_study(4, 1, LOOKS)
    _, look, evaluation = [release for _, release in Programme(study).releases]
    assert look.mechanism.shares == evaluation.mechanism.shares == 3


def test_a_study_by_groups_looks_at_the_sum_of_all():
    plan = grouped_study(LOOKS)
    assert [plan.by_groups(n) for n in (1, 2, 3, 8)] == [True, False, True, False]
    outcome = Room(plan).coordinator().run()
    assert [r.kind for r in outcome.records] == KINDS
    assert len(training_result(outcome.results).looks.looks) == 3
