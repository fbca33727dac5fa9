"""``sf.design`` and ``securefl study design``: a file that the check accepts, from public facts."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import PROTOCOL, protocol_text
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.metrics import roc_auc_score

import securefl as sf
from securefl.cli.main import cli
from securefl.designer.own_table import declared_column
from securefl.designer.score_edges import FEW_BINS
from securefl.designer.what_if import what_if
from securefl.errors import DataError, UsageError
from securefl.learning.stages.programme import Programme, charges_of
from securefl.privacy.accounting import PldAccountant
from securefl.privacy.planning import study_epsilon
from securefl.report.terminal import plain_text
from securefl.simulation.planted import chances, planted_table
from securefl.study.counts import evaluation_of
from securefl.study.edges import DEFAULT_BINS
from securefl.study.parse import load_raw
from securefl.study.training import training_of
from securefl.study.wire import wire_of


def frame(load):
    """A table of scikit-learn with a column that tells patients apart, and texts as the label."""
    bunch = load(as_frame=True)
    table = bunch.frame.copy()
    if hasattr(bunch, "target_names"):
        table["target"] = [str(bunch.target_names[i]) for i in table["target"]]
    table.insert(0, "patient_id", range(len(table)))
    return table


TODAY = datetime(2026, 3, 1, tzinfo=UTC)


def data_part():
    """The data part of a study, as hospitals describe it."""
    return load_raw(PROTOCOL.encode())["data"]


TABLES = {
    "breast": frame(load_breast_cancer),
    "diabetes": frame(load_diabetes),
    "iris": frame(load_iris),
    "wine": frame(load_wine),
}


def benchmark():
    """The script that measures designs, as a module: it holds the questions."""
    path = Path(__file__).parents[2] / "benchmarks" / "design" / "run.py"
    spec = spec_from_file_location("benchmark_design", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BENCHMARK = benchmark()
#: Those whose tables come with packages; the others are downloaded.
QUESTIONS = [one for one in BENCHMARK.QUESTIONS if one[0] not in {"heart", "chains"}]


def asked(table, label, share, **more):
    rows = TABLES[table]
    return sf.design(rows, label, patients=len(rows), share=share, source="Its publication", **more)


def check(tmp_path, text):
    file = tmp_path / "made.toml"
    file.write_text(text)
    return CliRunner().invoke(cli, ["study", "check", str(file)])


def test_twenty_questions_over_five_tables_pass_the_check_the_first_time():
    assert len(QUESTIONS) >= 20
    assert len({table for table, *_ in QUESTIONS}) == 5
    assert {BENCHMARK.checked(*question)["fault"] for question in QUESTIONS} == {""}


def test_the_command_that_checks_accepts_a_design_and_names_what_people_have_to_write(tmp_path):
    made = asked("breast", "target = malignant", 0.37)
    done = check(tmp_path, made.text)
    assert done.exit_code == 0, done.output
    assert "study.lead, study.ethics_ref, study.legal_basis, outputs.intended_use" in done.output
    words = {
        "lead": "Dr A",
        "ethics_ref": "EK 12",
        "legal_basis": "Article 9",
        "intended_use": "No",
    }
    written = sf.design(made.write(**words), epsilon=2)
    assert "To be written" not in check(tmp_path, written.text).output
    assert 'ethics_ref = "EK 12"' in written.text


def test_few_patients_are_counted_in_few_bands_and_many_in_many():
    few, many = (
        asked("breast", "target = malignant", 0.37),
        sf.design(TABLES["breast"], "target = malignant", patients=100_000, share=0.37, source="X"),
    )
    bands = [evaluation_of(made.draft.study.study).bins for made in (few, many)]
    assert bands == [FEW_BINS, DEFAULT_BINS]


def test_the_check_would_refuse_a_design_with_less_noise(tmp_path):
    made = asked("breast", "target = malignant", 0.37)
    noise = training_of(made.draft.study.study).noise_multiplier
    wrong = made.text.replace(f'"{noise}"', f'"{noise / 2}"')
    assert check(tmp_path, wrong).exit_code != 0


def test_another_epsilon_changes_the_noise_and_keeps_the_question():
    first = sf.design(data_part(), patients=9172, share="0.0727", source="UCI")
    second = sf.design(first, epsilon=2)
    before, after = (one.draft.study.study for one in (first, second))
    assert (before.data, before.study) == (after.data, after.study)
    assert training_of(after).noise_multiplier < training_of(before).noise_multiplier
    for study, epsilon in ((before, 1), (after, 2)):
        spent = study_epsilon(charges_of(study), 1, study.privacy.delta, disjoint=True)
        assert Decimal("0.97") * epsilon < spent <= epsilon


def test_figures_follow_their_rules():
    study = asked("breast", "target = malignant", 0.37).draft.study.study
    train = training_of(study)
    assert study.privacy.delta == Decimal("1e-4")
    assert Fraction(train.normaliser) == Fraction(569) * Fraction(7, 10)
    assert wire_of(study).added_variance <= 0.001
    least = train.noise_multiplier - Decimal("0.01")
    cost = PldAccountant().training_epsilon(least, train.sample_rate, train.steps, Decimal("1e-4"))
    assert cost > 1
    gain = train.rounds**0.5 * 5**0.5 * float(train.noise_multiplier / train.normaliser) / 0.3
    assert 0.6 < gain * float(train.server_learning_rate) <= 0.7


def test_every_figure_of_the_stages_has_its_reason_beside_it():
    made = asked("breast", "target = malignant", 0.37)
    lines = made.text.splitlines()
    for key in ("clip_norm", "noise_multiplier", "sample_rate", "bits", "server_learning_rate"):
        place = next(i for i, line in enumerate(lines) if line.startswith(f"{key} ="))
        assert lines[place - 1].startswith("# "), key


def test_without_sizes_the_design_is_a_cheap_count_whose_result_gives_them(tmp_path):
    rows = TABLES["breast"]
    count = sf.design(rows, "target = malignant")
    assert check(tmp_path, count.text).exit_code == 0
    assert [stage.kind for stage in count.draft.study.study.stages] == ["count"]
    assert count.draft.study.study.privacy.epsilon <= Decimal("0.1")
    report = {
        "study": "breast-count",
        "stages": [{"kind": "count", "strata": {"negative": 350, "positive": 210}}],
    }
    made = sf.design(count, patients=report)
    train, check_stage = made.draft.study.study.stages
    assert train.normaliser == Decimal(392)
    assert check_stage.prevalence == Decimal("0.375")
    assert "Noised count of the study breast-count" in made.text


def test_descriptions_of_hospitals_become_one_with_the_widest_ranges():
    data = data_part()
    other = json.loads(json.dumps(data))
    other["columns"] = [dict(column) for column in other["columns"][1:]]
    other["columns"][0]["high"] = "5000"
    sites = [
        {"site": "Nord", "name": "records", "description": data, "fault": ""},
        {"site": "Sued", "name": "records", "description": other, "fault": ""},
        {"site": "West", "name": "records", "description": {}, "fault": "not signed"},
    ]
    made = sf.design({"datasets": sites}, patients=9172, share=0.07, source="UCI")
    study = made.draft.study.study
    assert study.secagg.min_contributors == 2
    assert [c.name for c in study.data.columns] == [c["name"] for c in data["columns"][1:]]
    assert "declared by Nord, Sued" in made.text


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1.5", "2", "?", "8.25"] * 9 + ["3.5", "4.5", "5.5", "6.5"], "numeric"),
        (["1", "2.0", "3", "1.0"] * 5, "category"),
        (["t", "f", None] * 5, "boolean"),
        (["F", "M"] * 5, "category"),
        (["same"] * 9, None),
        ([f"text {i}" for i in range(50)], None),
        ([None] * 9 + ["1"], None),
    ],
)
def test_a_column_is_declared_by_its_cells(cells, kind):
    found = declared_column("c", cells)
    assert (found.declared or {}).get("kind") == kind
    assert found.why


def test_a_level_that_is_written_in_two_ways_is_one():
    found = declared_column("c", ["1", "2.0", "3", "1.0", "2"] * 5).declared
    assert found["levels"] == ["1", "2", "3"]


def test_a_column_that_says_only_what_is_recorded_is_left_out():
    rows = TABLES["iris"].copy()
    rows.loc[:40, "petal width (cm)"] = np.nan
    rows["measured"] = ["t" if x == x else "f" for x in rows["petal width (cm)"]]
    made = sf.design(rows, "target")
    assert "measured" in made.draft.question.table.left_out


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"label": "nothing"}, "names no column"),
        ({"label": None}, "names no label"),
        ({"label": "target = purple"}, "it says"),
        ({"label": "mean radius >= many"}, "is no number from"),
        ({"label": "target = malignant", "patients": 569}, "due is one"),
        ({"label": "target = malignant", "patients": 60, "share": 0.4}, "noise hides so few"),
        ({"label": "target = malignant", "patients": 569, "share": 40}, "between 0 and 1"),
        (
            {"label": "target = malignant", "patients": 569, "share": 0.4, "epsilon": "0.001"},
            "larger epsilon",
        ),
        ({"label": "target = malignant", "hospitals": 1}, "make no study"),
        ({"label": "target = malignant", "epsilon": "one"}, "is no epsilon"),
        ({"label": "target = malignant", "share": 0.4}, "no number of patients"),
    ],
)
def test_answers_that_do_not_fit_are_refused_with_the_mend(answers, said):
    label = answers.pop("label")
    with pytest.raises(UsageError) as refused:
        sf.design(TABLES["breast"], label, **answers)
    assert said in f"{refused.value.what} {refused.value.next_step}"
    assert refused.value.next_step


def test_a_table_without_patients_is_refused():
    with pytest.raises(DataError, match="tells patients apart"):
        sf.design(TABLES["iris"].drop(columns="patient_id"), "target")


def test_what_if_says_that_more_epsilon_gives_more_and_leaves_less_room():
    made = asked("breast", "target = malignant", 0.37)
    found = made.what_if(["0.2", "4"], repeat=2).facts
    small, large = found.choices
    assert small.figure.mean < large.figure.mean
    assert small.budgets[-1].room > large.budgets[-1].room
    assert small.low < small.figure.mean < small.high
    assert large.sent > 0


def test_what_if_names_an_epsilon_that_is_refused():
    made = asked("iris", "target", "0.333,0.333,0.334")
    found = what_if(made.draft, TODAY, epsilons=[Decimal("0.02")], repeat=1)
    assert "larger than all" in found.choices[0].refused


def test_conditions_of_several_columns_are_joined_and_counted_before_any_model(tmp_path):
    words = "sex = F and age >= 60 and TSH > 10"
    made = sf.design(data_part(), words)
    assert check(tmp_path, made.text).exit_code == 0
    study = made.draft.study.study
    assert [stage.kind for stage in study.stages] == ["count"]
    assert study.data.label.kind == "all-of"
    assert [one.column for one in study.data.label.conditions] == ["sex", "age", "TSH"]
    assert (
        study.study.title == "Count of patients by sex (F) and age (at least 60) and TSH (above 10)"
    )
    either = sf.design(data_part(), "age >= 60 or TSH > 10").draft.study.study
    assert either.data.label.kind == "any-of"


def test_a_text_with_the_word_and_in_it_is_one_text():
    rows = pd.DataFrame(
        {"patient": range(30), "x": range(30), "coat": ["black and white", "red"] * 15}
    )
    label = sf.design(rows, "coat = black and white").draft.study.study.data.label
    assert label.positive == ("black and white",)


# times to an event and boosted trees

CHAINS = (
    Path(sf.__file__).parents[1] / "protocols" / "studies" / "chains-survival" / "protocol.toml"
)
UNTIL = "days until status = dead by 365, 1095, 1825"
FALLING = "0.97,0.92,0.88"


def followed():
    """A table of times to an event, by a plain rule."""
    number = np.arange(60)
    rows = {"patient": number, "days": 40 * number, "status": np.where(number % 3, "alive", "dead")}
    return pd.DataFrame({**rows, "age": 50 + number % 40, "sex": np.where(number % 2, "F", "M")})


def test_a_time_to_an_event_begins_at_the_published_curve(tmp_path):
    made = sf.design(followed(), UNTIL, patients=7874, share=FALLING, source="Registry, 2024")
    assert check(tmp_path, made.text).exit_code == 0
    study = made.draft.study.study
    label = study.data.label
    assert (label.time, label.event, label.happened, label.censored) == (
        ("days", "status", ("dead",), ("alive",))
    )
    assert [str(share) for share in label.survival] == FALLING.split(",")
    assert label.survival_source == "Registry, 2024"
    assert label.longest >= 40 * 59
    assert [column.name for column in study.data.columns] == ["age", "sex"]
    assert study.stages[1].metric == "c-index"


def test_without_a_published_curve_a_cheap_one_comes_first_and_its_result_gives_it(tmp_path):
    first = sf.design(followed(), UNTIL)
    assert check(tmp_path, first.text).exit_code == 0
    study = first.draft.study.study
    assert [stage.kind for stage in study.stages] == ["survival-curve"]
    assert study.privacy.epsilon <= Decimal("0.1")
    assert "one survival curve first" in plain_text(first.page(), 100)
    # censored with 0 to 3 whole intervals behind, then events in intervals 1 to 3
    total = np.array([0, 100, 200, 8300, 500, 400, 500])
    found = Programme(study).stages[0].absorb(None, total, 5)
    report = {"study": "followed-curve", "stages": [{"kind": "survival-curve", **found.record()}]}
    made = sf.design(first, patients=report)
    assert check(tmp_path, made.text).exit_code == 0
    train = made.draft.study.study.stages[0]
    assert train.normaliser == Decimal(7000)
    survival = made.draft.study.study.data.label.survival
    assert [float(share) for share in survival] == pytest.approx([0.95, 0.91, 0.858], abs=0.002)
    assert "Released survival curve of the study followed-curve" in made.text


def test_a_released_curve_that_the_noise_hides_is_no_published_one():
    first = sf.design(followed(), UNTIL)
    stage = Programme(first.draft.study.study).stages[0]
    found = stage.absorb(None, np.array([3, 1, 0, 20, 2, 1, 3]), 5)
    report = {"study": "curve", "stages": [{"kind": "survival-curve", **found.record()}]}
    with pytest.raises(UsageError, match="not told at every time"):
        sf.design(first, patients=report)


def test_curves_alone_are_designed_by_group_and_cost_the_whole_epsilon(tmp_path):
    made = sf.design(followed(), UNTIL, kind="survival-curve", by="sex", epsilon="0.5")
    assert check(tmp_path, made.text).exit_code == 0
    (stage,) = made.draft.study.study.stages
    assert stage.by == "sex"
    assert Decimal("0.49") < stage.epsilon <= Decimal("0.5")
    assert not made.draft.counts_only
    assert "makes no model" in plain_text(made.page(), 100)
    for asked in (lambda: sf.design(made, by="age"), made.what_if):
        with pytest.raises(UsageError):
            asked()


def test_trees_start_at_the_published_odds(tmp_path):
    source, out = tmp_path / "study.toml", tmp_path / "made.toml"
    source.write_text(protocol_text())
    words = ["study", "design", str(source), "--kind", "boosted-trees", "--patients", "9172"]
    done = CliRunner().invoke(cli, [*words, "--share", "0.0727", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert check(tmp_path, out.read_text()).exit_code == 0
    made = sf.design(source, kind="boosted-trees", patients=9172, share="0.0727")
    train = made.draft.study.study.stages[0]
    assert float(train.model.base_score) == pytest.approx(np.log(0.0727 / 0.9273), abs=0.05)
    # the noise of all rounds leaves a standard deviation of .2 in a leaf, whatever the clip norm
    gain = train.rounds**0.5 * 5**0.5 * float(train.noise_multiplier / train.normaliser) / 0.3
    assert 0.18 < gain * float(train.server_learning_rate) <= 0.2


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"label": UNTIL, "patients": 7874}, "3, the share without the event at each time"),
        ({"label": UNTIL, "patients": 7874, "share": "0.9,0.95,0.8"}, "do not fall"),
        ({"label": "days until status = gone by 365, 1095"}, "alive, dead"),
        ({"label": "days until status = dead, alive by 365, 1095"}, "with or without the event"),
        ({"label": "days until status = dead by 1095, 365"}, "rise from above 0"),
        ({"label": "days until status = dead by 365"}, "two at least"),
        ({"label": "weeks until status = dead by 365, 1095"}, "no column of the table"),
        ({"label": "sex until status = dead by 365, 1095"}, "is no number"),
        ({"label": UNTIL, "kind": "boosted-trees"}, "for a yes or no alone"),
        ({"label": UNTIL, "kind": "forest"}, "boosted-trees, survival-curve"),
        ({"label": UNTIL, "by": "sex"}, "Only survival curves are split"),
        ({"label": "status = dead", "kind": "survival-curve"}, "need a time to an event"),
        ({"label": UNTIL, "kind": "survival-curve", "by": "age"}, "Columns that can: sex"),
    ],
)
def test_answers_on_times_and_trees_that_do_not_fit_are_refused_with_the_mend(answers, said):
    label = answers.pop("label")
    with pytest.raises(UsageError) as refused:
        sf.design(followed(), label, **answers)
    assert said in f"{refused.value.what} {refused.value.next_step}"


def test_planted_times_follow_the_published_curve():
    data = load_raw(CHAINS.read_bytes())["data"]
    study = sf.design({**data, "dataset": "chains"}, patients=7874).draft.study.study
    label = study.data.label
    table = planted_table(study.data, 20_000, (), 0)
    times = np.array([float(cell) for cell in table.columns[label.time]])
    without = [(times > float(edge)).mean() for edge in label.edges]
    assert without == pytest.approx([float(share) for share in label.survival], abs=0.01)
    happened = np.array([cell in label.happened for cell in table.columns[label.event]])
    assert happened[times <= float(label.edges[-1])].all()
    assert not happened[times > float(label.edges[-1])].any()


def test_a_planted_label_is_as_strong_as_asked():
    rng = np.random.default_rng(0)
    score = rng.normal(size=20_000)
    chance = chances(score, 0.2, 0.8)
    drawn = rng.random(20_000) < chance
    assert abs(drawn.mean() - 0.2) < 0.01
    assert abs(roc_auc_score(drawn, score) - 0.8) < 0.015


def test_the_command_writes_the_file_once_and_says_what_is_next(tmp_path):
    source, out = tmp_path / "study.toml", tmp_path / "made.toml"
    source.write_text(protocol_text())
    words = ["study", "design", str(source), "--patients", "9,172", "--share", "0.0727"]
    done = CliRunner().invoke(cli, [*words, "--out", str(out), "--json", "-"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["text"] == out.read_text()
    again = CliRunner().invoke(cli, [*words, "--out", str(out)])
    assert "exists already" in str(again.exception or again.output)
