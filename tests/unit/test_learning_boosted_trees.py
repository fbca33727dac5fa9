"""Boosted trees: questions by a public lot, leaves, reading and exporting a model, a whole study."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from kinds_of_models import rows_with_faults, some_model
from lightgbm_reader import predictions
from model_facts import DETAILS
from small_study import SPEC, protocol
from whole_study import whole_study

from securefl.cli.main import cli
from securefl.errors import StudyError, UnreadableError, UsageError
from securefl.learning.artefact import load_model, model_card, save_model
from securefl.learning.families.boosted_trees import BoostedTrees
from securefl.learning.families.forest import Asked, asked_of, draw_forest
from securefl.learning.families.linear import Linear, closed_gradients
from securefl.learning.families.tree_effects import CURVE_POINTS, column_effects
from securefl.learning.models import family_of, predict
from securefl.learning.portable.lightgbm_text import (
    largest_below,
    lightgbm_rows,
    lightgbm_text,
    tree_features,
)
from securefl.learning.stages.programme import Programme
from securefl.learning.tasks import task_of
from securefl.learning.tasks.binary.evaluation import exact_auc
from securefl.report.catalogue import catalogue
from securefl.report.explain_study import model_words
from securefl.report.html import html_page
from securefl.report.own_model import own_model_page
from securefl.report.terminal import plain_text
from securefl.study.training import training_of

TREES = 'kind = "boosted-trees"\ntrees = 20\ndepth = 3'
MODEL = ('kind = "logistic-regression"', TREES)
STUDY = protocol(MODEL)
TASK = task_of(SPEC)
FAMILY = family_of(training_of(STUDY).model, STUDY.data)


def small(trees=40, depth=2, columns=2, inputs=2, base=0):
    section = SimpleNamespace(
        trees=trees,
        depth=depth,
        columns_per_tree=columns,
        base_score=base,
        initial_seed="lot",
    )
    return BoostedTrees(section, inputs, 1)


def test_the_lot_is_public_and_another_seed_draws_other_trees():
    asked = asked_of(STUDY.data.columns)
    one, same, other = (draw_forest(asked, 30, 3, 2, seed) for seed in ("a", "a", "b"))
    np.testing.assert_array_equal(one.limit, same.limit)
    np.testing.assert_array_equal(one.column, same.column)
    assert (one.limit != other.limit).any()


def test_a_tree_asks_of_at_most_so_many_columns_in_turn():
    forest = draw_forest([Asked(i, 1, None, number=True) for i in range(50)], 60, 4, 3, "lot")
    columns = [len(set(forest.column[:, tree])) for tree in range(60)]
    assert all(found <= 1 + tree % 3 for tree, found in enumerate(columns))
    assert max(columns) == 3


def test_numbers_are_told_from_levels_and_flags():
    asked = asked_of(STUDY.data.columns)
    assert [(a.first, a.many, a.flag, a.number) for a in asked] == [
        (0, 1, None, True),  # age
        (1, 1, 2, True),  # TSH and its flag
        (3, 2, None, False),  # sex, its flag among its features
        (5, 1, None, False),  # sick
    ]
    assert FAMILY.parameters == 20 * 8 + 1


def test_each_row_falls_into_the_leaf_that_its_answers_spell():
    forest = FAMILY.forest
    rows = np.random.default_rng(1).uniform(-1, 1, (30, 6))
    rows[:, 2:] = rows[:, 2:] > 0
    found = forest.leaves(rows)
    for row in range(30):
        for tree in range(20):
            number = 0
            for level in range(3):
                yes = rows[row, forest.feature[level, tree]] > forest.limit[level, tree]
                flag = forest.flag[level, tree]
                if flag >= 0 and rows[row, flag]:
                    yes = forest.missing[level, tree]
                number += int(yes) << level
            assert found[row, tree] == number
    assert len({tuple(row) for row in found}) > 10


def test_it_learns_what_no_straight_line_can():
    """Positive where two numbers have the same sign; a straight line (the control) is a guess."""
    x = np.random.default_rng(1).uniform(-1, 1, (2000, 2))
    y = (x[:, 0] * x[:, 1] > 0).astype(np.float64)
    line = Linear(None, 2, 1)
    found = {}
    for name, family, gradients in (
        ("trees", small(depth=3), small(depth=3).gradients(TASK)),
        ("line", line, closed_gradients(TASK)),
    ):
        theta = np.zeros(family.parameters)
        for _ in range(100):
            theta -= 2.5 * gradients(theta, x, y).mean(axis=0)
        found[name] = exact_auc(y.astype(np.int64), predict(theta, family, TASK, x))
    assert found["trees"] > 0.95
    assert found["line"] < 0.6


def test_all_start_at_the_published_odds():
    family = small(base=-2)
    theta = family.initial_weights("any")
    said = predict(theta, family, TASK, np.zeros((3, 2)))
    np.testing.assert_allclose(said, 1 / (1 + math.exp(2)))


def test_the_effect_of_a_value_is_the_mean_over_all_other_answers():
    family = small(trees=6, depth=2)
    generator = np.random.default_rng(4)
    leaves = generator.normal(size=(1, 4, 6))
    forest = family.forest
    got = column_effects(forest, leaves, 0, np.array([[0.3, 0.0]]))[0, 0]
    whole = 0.0
    for tree in range(6):
        fits = []
        for leaf in range(4):
            answers = [(leaf >> level) & 1 for level in range(2)]
            asked = [forest.column[level, tree] == 0 for level in range(2)]
            yes = [forest.limit[level, tree] < 0.3 for level in range(2)]
            if all(a == y for a, y, q in zip(answers, yes, asked, strict=True) if q):
                fits.append(leaves[0, leaf, tree])
        whole += float(np.mean(fits))
    assert got == pytest.approx(whole)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("trees = 0", "trees"),
        ("depth = 9", "depth"),
        ("trees = 4000\ndepth = 8", "at most 128 trees"),
        ("depth = 2\ncolumns_per_tree = 3", "more than the 2 questions"),
        ('base_score = "21"', "between -20 and 20"),
        ("leaves = 4", "leaves"),
    ],
)
def test_trees_that_cannot_be_are_refused(keys, said):
    with pytest.raises(StudyError, match=said):
        protocol((MODEL[0], f'kind = "boosted-trees"\n{keys}'))


def test_a_rows_gradient_is_as_long_as_its_leaves_are_many():
    """A row stands in 20 leaves and the common score: its gradient is sqrt(21) slopes long."""
    rows = np.random.default_rng(6).uniform(0, 1, (64, 6))
    theta = np.zeros(FAMILY.parameters)
    found = FAMILY.gradients(TASK)(theta, rows, np.ones(64))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 0.5 * math.sqrt(21))
    assert FAMILY.longest_gradient(1.0) == pytest.approx(math.sqrt(21))
    assert ((found != 0).sum(axis=1) == 21).all()


@pytest.fixture
def model(tmp_path):
    theta = np.random.default_rng(2).normal(size=FAMILY.parameters)
    return save_model(tmp_path / "model", theta, training_of(STUDY).model, STUDY.data, DETAILS)


def test_the_files_hold_the_questions_too_and_refuse_others(model, tmp_path):
    from safetensors.numpy import load_file

    held = load_file(tmp_path / "model" / "model.safetensors")
    assert held["feature"].shape == held["limit"].shape == (3, 20)
    assert held["leaves"].shape == (1, 8, 20)
    with pytest.raises(ValueError, match="limit"):
        FAMILY.from_tensors({**held, "limit": held["limit"] + 0.1})
    (tmp_path / "model" / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(UnreadableError):
        load_model(tmp_path / "model")
    assert model.spec.family == "boosted-trees"


def test_its_card_and_page_say_what_matters(model):
    told = model.contributions
    (_, shares) = told.bars[0].groups[0]
    assert set(told.bars[0].labels) == {"age", "TSH", "sex", "sick"}
    assert sum(shares) == pytest.approx(1)
    assert list(shares) == sorted(shares, reverse=True)
    assert len(told.curves[0].lines[0].values) == CURVE_POINTS
    card = model_card(model.spec, model.data, model.facts, told)
    assert "- share in what moves the score: " in card
    assert "- sick " in card
    page = own_model_page(model, "models/small", None, why_not="no rows")
    assert html_page(page).count("<svg") == 3
    assert "Share of each column in what moves the score." in plain_text(page, 100)


@pytest.mark.parametrize(("columns", "said"), [(1, False), (2, True)])
def test_only_trees_of_several_columns_are_said_to_be_such(columns, said):
    spec = training_of(STUDY).model.model_copy(update={"columns_per_tree": columns})
    family = family_of(spec, STUDY.data)
    told = family.contributions(np.zeros(family.parameters), SPEC.columns, TASK)
    assert any("several columns at once" in sentence for sentence in told.sentences) is said


def test_a_column_that_no_leaf_tells_apart_has_no_share(model):
    theta = np.zeros(FAMILY.parameters)
    forest = FAMILY.forest
    leaves = FAMILY.leaves(theta)
    for tree in range(forest.trees):
        if set(forest.column[:, tree]) == {1}:
            leaves[0, :, tree] = np.arange(8)
    told = FAMILY.contributions(theta, SPEC.columns, TASK)
    (_, shares) = told.bars[0].groups[0]
    assert dict(zip(told.bars[0].labels, shares, strict=True))["TSH"] == pytest.approx(1)


@pytest.mark.parametrize("task", ["binary", "classes"])
def test_lightgbms_text_says_what_predict_says(task):
    model = some_model(task, "boosted-trees")
    table = rows_with_faults(model, 300)
    rows, reasons = lightgbm_rows(model, table)
    usable = [reason is None for reason in reasons]
    expected = model.predict(table).reshape(300, -1)[usable]
    found = np.array(predictions(lightgbm_text(model), rows[usable]))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    # the control: other leaves are told apart
    model.theta[:40] += 0.1
    assert np.abs(np.array(predictions(lightgbm_text(model), rows[usable])) - found).max() > 1e-6


def test_the_files_limits_part_numbers_where_the_model_does():
    from securefl.learning.encoding import encoder

    for column in STUDY.data.columns[:2]:
        encode = encoder(column, ".")
        for limit in (-0.9, -0.123, 0.0, 0.77):
            below = largest_below(column, limit)
            above = float(np.nextafter(below, math.inf))
            assert np.float32(encode(repr(below))[1]) <= limit < np.float32(encode(repr(above))[1])


def test_names_in_lightgbms_text_have_no_blank_and_stand_once():
    columns = tuple(
        column.model_copy(update={"name": name})
        for column, name in zip(STUDY.data.columns[2:], ("a b", "a_b"), strict=True)
    )
    names = [feature.name for feature in tree_features((*columns, columns[1]))]
    assert len(set(names)) == len(names)
    assert not any(" " in name for name in names)


@pytest.mark.parametrize(("task", "family"), [("binary", "linear"), ("number", "boosted-trees")])
def test_what_lightgbms_text_cannot_say_is_refused(task, family):
    with pytest.raises(UsageError, match="Only boosted trees"):
        lightgbm_text(some_model(task, family))


def test_the_command_writes_lightgbms_text(model, tmp_path):
    done = CliRunner().invoke(
        cli, ["model", "export", str(tmp_path / "model"), "--to", "lightgbm", "--json", "-"]
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "model-lightgbm.txt").read_text().startswith("tree\nversion=v4\n")
    assert model.digest in done.output


def test_the_owner_reads_that_questions_are_drawn_by_lot():
    said = model_words(STUDY)
    assert said.startswith("20 boosted trees of 3 questions each")
    assert "public lot" in said


def test_the_request_says_what_leaves_in_plain_words_and_in_german():
    leaves = [release.words.leaves for _, release in Programme(STUDY).releases]
    assert leaves[0].startswith("how the value of each leaf of the trees should change, summed")
    said = f" one encrypted list of 161 numbers blurred with noise, 59.4 kB: {leaves[0]}."
    assert catalogue("de").knows(said)
    assert "Blattes der Bäume" in catalogue("de").say(said)


def test_a_study_of_it_is_approved_charged_run_by_agents_and_audited(tmp_path, monkeypatch):
    done = whole_study(tmp_path, MODEL, patch=monkeypatch)
    done.check_models()
    assert done.result.model.spec.family == "boosted-trees"
    for said in done.audits().values():
        assert "rounds 1 to 3: 3 model updates" in said
    report = done.study.report_page()
    assert "Share of each column in what moves the score." in plain_text(report, 100)
