import hashlib
import importlib.util
import tomllib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from binary_models import initial_weights
from conftest import make_study, with_stage
from small_study import rows

from securefl import public_tables
from securefl.demo import baselines, thyroid
from securefl.errors import DataError, StudyError
from securefl.learning.features import Prepared, feature_names, prepare
from securefl.learning.table import read_table
from securefl.learning.tasks.number.task import scale_of
from securefl.privacy.accounting import PldAccountant
from securefl.study.consistency import check_consistency
from securefl.study.counts import evaluation_of
from securefl.study.parse import parse_protocol
from securefl.study.training import training_of

PROTOCOL = parse_protocol(
    (Path(__file__).parents[2] / "protocols/studies/thyroid/protocol.toml").read_bytes()
)


def test_the_table_is_split_by_referral_source_with_its_lines_unchanged():
    tables = thyroid.site_tables()
    assert {site: table.count(b"\n") - 1 for site, table in tables.items()} == thyroid.SITES
    header, *lines = thyroid.thyroid_csv().splitlines(keepends=True)
    assert sorted(
        line for table in tables.values() for line in table.splitlines(keepends=True)[1:]
    ) == sorted(lines)
    assert all(table.startswith(header) for table in tables.values())


def test_the_protocol_fits_the_table_and_its_dirt_is_set_aside():
    assert len(feature_names(PROTOCOL.data)) == 23
    counts = {
        site: prepare(read_table(table), PROTOCOL.data, b"s" * 32)
        for site, table in thyroid.site_tables().items()
    }
    assert sum(len(p.y) for p in counts.values()) == 9172 - 4
    assert sum(int(p.y.sum()) for p in counts.values()) == 667
    assert counts["other"].set_aside == {"age: outside 0 to 120": 3}


#: SHA-256 of features, labels and patients in their order, as they were before tables were read by
#: RFC 4180 and labels declared their negatives.
FEATURES = {
    ("first-study", "other"): "b4d820e2926fa6b8",
    ("first-study", "SVI"): "77386727219090ce",
    ("first-study", "SVHC"): "5308981f3e2c2bf2",
    ("first-study", "STMW"): "7aa6c079f873d2ab",
    ("first-study", "SVHD"): "4a7e82f12cd5278a",
    ("thyroid", "other"): "2526c1a8c0f9eaef",
    ("thyroid", "SVI"): "b37a54f73f2632d5",
    ("thyroid", "SVHC"): "42c5a1c6bc0cf7be",
    ("thyroid", "STMW"): "9632756662ba1e88",
    ("thyroid", "SVHD"): "a48850f5930e92a1",
}


@pytest.mark.parametrize(("template", "site"), FEATURES)
def test_the_templates_make_the_same_features_and_labels_of_the_table_as_ever(template, site):
    path = Path(__file__).parents[2] / "protocols" / "studies" / template / "protocol.toml"
    found = prepare(
        read_table(thyroid.site_tables()[site]), parse_protocol(path.read_bytes()).data, b"s" * 32
    )
    digest = hashlib.sha256(
        found.X.tobytes() + found.y.tobytes() + "|".join(found.patients).encode()
    )
    assert digest.hexdigest()[:16] == FEATURES[template, site]


def test_the_protocols_figures_agree_with_each_other():
    from securefl.privacy import accounting

    class Accountant:
        def training_epsilon(self, noise_multiplier, sample_rate, steps, delta):
            from securefl.privacy.mechanisms import SubsampledGaussian

            return accounting.pld_epsilon(
                [SubsampledGaussian(noise_multiplier, sample_rate, steps)], delta
            )

        def evaluation_epsilon(self, noise_multiplier, delta, cells=1):
            from securefl.privacy.mechanisms import Gaussian

            return accounting.pld_epsilon([Gaussian(noise_multiplier)], delta)

        def composed_epsilon(self, mechanisms, delta):
            return accounting.pld_epsilon(mechanisms, delta)

    check_consistency(PROTOCOL, Accountant())
    published = sum(thyroid.SITES.values()) * Fraction(7, 10) * Fraction(1, 5)
    assert Fraction(training_of(PROTOCOL).normaliser) == published


def test_the_protocol_of_three_classes_agrees_with_itself_and_with_the_table():
    path = Path(__file__).parents[2] / "protocols" / "studies" / "thyroid-classes" / "protocol.toml"
    study = parse_protocol(path.read_bytes())
    check_consistency(study, PldAccountant())
    names, found = [c.name for c in study.data.label.classes], []
    for table in thyroid.site_tables().values():
        found.extend(prepare(read_table(table), study.data, b"s" * 32).y)
    # four rows have an age that the declared range refuses
    assert dict(zip(names, np.bincount(found), strict=True)) == {
        "underactive": 667,
        "overactive": 241,
        "neither": 8264 - 4,
    }
    assert Fraction(training_of(study).normaliser) == sum(thyroid.SITES.values()) * Fraction(7, 10)


def test_the_protocol_of_a_number_agrees_with_itself_and_with_the_table():
    path = Path(__file__).parents[2] / "protocols" / "studies" / "thyroid-number" / "protocol.toml"
    study = parse_protocol(path.read_bytes())
    check_consistency(study, PldAccountant())
    places = np.concatenate(
        [
            prepare(read_table(table), study.data, b"s" * 32).y
            for table in thyroid.site_tables().values()
        ]
    )
    assert len(places) == 8726
    scale = scale_of(study.data.label)
    # the published deviation that the plan of the check rests on
    deviation = float(evaluation_of(study).deviation)
    assert scale.distance(places.std()) == pytest.approx(deviation, rel=0.02)
    assert Fraction(training_of(study).normaliser) == sum(thyroid.SITES.values()) * Fraction(7, 10)


def test_nothing_of_the_largest_hospitals_first_step_is_cut():
    train = prepare(read_table(thyroid.site_tables()["other"]), PROTOCOL.data, b"s" * 32)
    from binary_models import logistic_gradients

    from securefl.learning.clipping import clip_to_grid
    from securefl.study.wire import GRID, wire_of

    gradients = logistic_gradients(np.zeros(24), train.X.astype(float), train.y.astype(float))
    expected = (
        clip_to_grid(gradients, float(training_of(PROTOCOL).clip_norm), GRID).sum(axis=0) * 0.7 / 5
    )
    # with the published weights; the template's equal ones plan for fewer patients at the largest
    # hospital
    weighted = wire_of(PROTOCOL, bound=round(thyroid.SITES["other"] * 0.7 / 5))
    assert np.abs(expected).max() < 0.9 * weighted.bound
    assert weighted.chance_of_saturation(np.abs(expected).max()) < 1e-9


def test_another_table_is_refused(monkeypatch):
    monkeypatch.setattr(public_tables, "_THYROID_SHA256", "0" * 64)
    with pytest.raises(DataError, match="not the one"):
        thyroid.thyroid_csv()


def test_without_the_package_the_command_to_install_it_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'securefl\[demo\]'"):
        thyroid.thyroid_csv()


def test_the_seed_of_the_demonstration_fixes_the_split_secrets():
    assert thyroid.demo_secret(0, "SVI") == thyroid.demo_secret(0, "SVI")
    assert (
        len({thyroid.demo_secret(seed, site) for seed in range(5) for site in thyroid.SITES}) == 25
    )


def test_training_alone_is_scikit_learns_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    X, y = rows(300, 6)  # noqa: N806 - the field's own names
    theta = baselines.train_alone(Prepared(X, y, tuple(map(str, range(300))), {}))
    reference = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(X.astype(float), y)
    np.testing.assert_allclose(theta[:-1], reference.coef_[0], atol=1e-4)
    np.testing.assert_allclose(theta[-1], reference.intercept_[0], atol=1e-4)


def test_training_alone_survives_a_hospital_without_positives():
    X, _ = rows(30, 6)  # noqa: N806 - the field's own names
    assert np.isfinite(
        baselines.train_alone(
            Prepared(X, np.zeros(30, dtype=np.int8), tuple(map(str, range(30))), {})
        )
    ).all()


def test_the_comparison_judges_everybody_on_the_union_of_held_out_rows():
    tables = thyroid.site_tables()
    secrets = {site: thyroid.demo_secret(100, site) for site in tables}
    got = baselines.compare(
        PROTOCOL, tables, secrets, thyroid.SITES, initial_weights(training_of(PROTOCOL).model, 23)
    )
    assert [row.site for row in got.sites] == list(thyroid.SITES)
    assert got.auc_overall_exact == 0.5
    assert 2600 < got.held_out_rows < 2900
    assert got.held_out_positives + sum(row.positives for row in got.sites) == 667
    largest, smallest = got.sites[0], got.sites[-1]
    assert largest.auc_alone > 0.98
    assert largest.auc_alone_private > 0.95
    assert smallest.auc_alone < 0.95


def test_the_comparison_is_for_logistic_regression():
    model = training_of(PROTOCOL).model.model_copy(update={"kind": "mlp", "hidden": (3,)})
    mlp = with_stage(PROTOCOL, training_of(PROTOCOL), model=model)
    with pytest.raises(StudyError, match="logistic regression"):
        baselines.compare(mlp, {}, {}, {}, np.zeros(1))


def test_the_protocol_becomes_a_study_of_five():
    from securefl.study.seal import seal_study
    from securefl.study.sealed import UnsealedStudy

    small = tomllib.loads(make_study(5)[0])
    protocol = Path(__file__).parents[2] / "protocols/studies/thyroid/protocol.toml"
    sealed = seal_study(
        UnsealedStudy.read(protocol.read_bytes()),
        coordinator=small["coordinator"],
        aggregator=small["aggregator"],
        participants=small["participants"],
        software=small["software"],
    )
    assert sealed.study.cohort == tuple(sorted(thyroid.SITES))
