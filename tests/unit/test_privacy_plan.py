"""`securefl study plan`: the figures agree with the accountants, the words with the figures, the
picture with both.
"""

import itertools
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import make_study, protocol_text

from securefl.cli.study import study as command
from securefl.errors import ExitCode, StudyError, UsageError
from securefl.learning.stages.programme import charges_of
from securefl.learning.steps import RandomDraws
from securefl.privacy.accounting import pld_epsilon
from securefl.privacy.forecast import Training, budget_shares, noise_effect
from securefl.privacy.mechanisms import SubsampledGaussian
from securefl.privacy.planning import choose_order
from securefl.privacy.randomness import SystemRandomness
from securefl.report.plan import plan_page, plan_study
from securefl.report.plan_picture import plan_svg
from securefl.report.plan_training import effect_words
from securefl.report.terminal import plain_text
from securefl.study.parse import parse_protocol, parse_study

DELTA = Decimal("1e-5")


@pytest.fixture(scope="module")
def plan():
    study = parse_study(make_study()[0])
    return plan_study(study, charges_of(study))


def test_the_cost_is_the_studys_own_figure(plan):
    assert plan.epsilon == max(e for *_, e in plan.parts) == Decimal("0.9982")
    assert [(kind, count) for kind, _, count, _ in plan.parts] == [("update", 4), ("evaluation", 1)]
    assert [s.name for s in plan.sites] == ["STMW", "SVHC", "SVHD", "SVI", "other"]
    assert {s.patients_per_step for s in plan.sites} == {40.0}


def test_longer_studies_cost_what_the_accountant_says(plan):
    by_rounds = {row.rounds: row for row in plan.longer}
    assert list(by_rounds) == [2, 4, 8, 16]
    for rounds, row in by_rounds.items():
        assert row.epsilon == pld_epsilon(
            (SubsampledGaussian(Decimal("2.14"), Fraction(1, 5), rounds),), DELTA
        )
        kept = pld_epsilon((SubsampledGaussian(row.noise_for_same, Fraction(1, 5), rounds),), DELTA)
        assert Decimal("0.95") < kept <= 1
    epsilons = [e for _, e in plan.curve]
    assert epsilons == sorted(epsilons)
    assert abs(dict(plan.curve)[4] - by_rounds[4].epsilon) <= Decimal("0.002")


def test_an_epsilon_that_no_noise_reaches_is_said_so(monkeypatch):
    def none_does(*_):
        raise UsageError("No noise brings that.")

    monkeypatch.setattr("securefl.privacy.forecast.noise_for_epsilon", none_does)
    training = Training(Decimal("2.14"), Fraction(1, 5), DELTA, Decimal("0.0001"), 4, 1, 1)
    assert [row.noise_for_same for row in training.longer()] == [None, Decimal("2.14"), None, None]


def test_budgets_are_told_as_shares_at_the_order_an_owner_would_get():
    charges = charges_of(parse_protocol(protocol_text()))
    shares = budget_shares(charges, 1, DELTA)
    assert [b.epsilon for b in shares] == [1, 3, 8]
    assert shares[0].part is None
    choice = choose_order(Decimal(3), DELTA, charges)
    assert shares[1].room == choice.studies
    assert shares[1].part >= Decimal(choice.cost) / choice.cap


def test_the_noise_is_as_large_as_the_plan_says():
    hospitals, parameters, steps, normaliser, noise, grid = 5, 400, 3, 120, Decimal("2.5"), 48
    effect = noise_effect(
        noise_multiplier=noise,
        normaliser=Decimal(normaliser),
        noises=hospitals,
        parameters=parameters,
        local_steps=steps,
        rounds=9,
    )
    draws = RandomDraws(SystemRandomness())
    total = sum(draws.gaussian(noise * grid, parameters) for _ in range(hospitals * steps)) / (
        grid * normaliser
    )
    longest = steps  # so many mean gradients of length 1
    assert np.linalg.norm(total) / longest == pytest.approx(
        effect.in_all, rel=0.2
    )  # 400 draws: 5 deviations
    assert np.std(total) / longest == pytest.approx(effect.in_one_direction, rel=0.2)
    assert effect.after_all_rounds == pytest.approx(effect.in_all / 3)


def test_the_words_warn_where_noise_drowns_everything():
    def words(*edits):
        study = parse_protocol(protocol_text(*edits))
        return " ".join(effect_words(plan_study(study, charges_of(study))))

    assert "Single rounds are mostly noise" not in words()
    assert "Single rounds are mostly noise" in words(('normaliser = "200"', 'normaliser = "10"'))
    assert "more than there is to learn" in words(('normaliser = "200"', 'normaliser = "1"'))


def test_the_page_has_every_figure(plan):
    text = " ".join(plain_text(plan_page(plan), 100).split())
    for piece in (
        "0.9982",
        "73 %",
        "SVHC",
        "4 (as planned)",
        "cannot pay for one such study",
        "longest update",
    ):
        assert piece in text
    protocol = parse_protocol(protocol_text(('unit = "patient"', 'unit = "record"')))
    text = plain_text(plan_page(plan_study(protocol, charges_of(protocol))), 100)
    assert "one row of the table" in text
    assert "names none yet" in text


def test_what_check_refuses_stands_at_the_head_of_the_plan(tmp_path, plan):
    assert "not valid yet" not in plain_text(plan_page(plan), 100)
    (tmp_path / "p.toml").write_text(
        protocol_text(
            ('epsilon = "1"\nnoise_multiplier', 'epsilon = "0.5"\nnoise_multiplier'),
            ('normaliser = "200"', 'normaliser = "1"'),
        )
    )
    done = CliRunner().invoke(
        command, ["plan", str(tmp_path / "p.toml"), "--json", str(tmp_path / "p.json")]
    )
    assert done.exit_code == ExitCode.INVALID
    faults = json.loads((tmp_path / "p.json").read_text())["faults"]
    refused = CliRunner().invoke(command, ["check", str(tmp_path / "p.toml")])
    assert isinstance(refused.exception, StudyError)
    assert refused.exception.exit_code == done.exit_code
    assert len(faults) == 2
    assert all(f in refused.exception.what for f in faults)
    said = " ".join(done.output.split())
    assert (
        said.index("This file is not valid yet")
        < said.index("stages.1.epsilon")
        < said.index("What it costs")
    )


def test_a_template_by_groups_says_how_many_hospitals_it_takes(tmp_path):
    def checked(*edits):
        (tmp_path / "p.toml").write_text(protocol_text(*edits))
        done = CliRunner().invoke(command, ["check", str(tmp_path / "p.toml")])
        assert done.exit_code == 0
        return " ".join(done.output.split())

    by_groups = ("colluders = 3", 'colluders = 3\ngroups = "median"')
    assert (
        "Not decided yet; at least 15 hospitals, as groups of 5 are compared, 3 or more."
        in checked(by_groups)
    )
    assert "Not decided yet; at least 5 hospitals. `securefl" in checked()


def test_the_picture_stands_alone_and_shows_the_plan(plan):
    root = ET.fromstring(plan_svg(plan))  # noqa: S314 - our own text
    text = " ".join(root.itertext())
    assert "as planned: 4 rounds" in text
    assert not [e for e in root.iter() if e.tag.endswith("script") or "href" in e.attrib]
    (curve,) = [e for e in root.iter() if e.tag.endswith("polyline")]
    points = [tuple(map(float, p.split(","))) for p in curve.attrib["points"].split()]
    assert len(points) == len(plan.curve)
    assert all(a[0] < b[0] and a[1] >= b[1] for a, b in itertools.pairwise(points))
    assert all(0 <= x <= 720 and 0 <= y <= 400 for x, y in points)


def test_the_command_writes_page_picture_and_json(tmp_path):
    (tmp_path / "p.toml").write_text(protocol_text())
    done = CliRunner().invoke(
        command,
        [
            "plan",
            str(tmp_path / "p.toml"),
            "--svg",
            str(tmp_path / "p.svg"),
            "--html",
            str(tmp_path / "p.html"),
            "--json",
            str(tmp_path / "p.json"),
        ],
    )
    assert done.exit_code == 0
    assert "Plan of small" in done.output
    assert "<h1>Plan of small</h1>" in (tmp_path / "p.html").read_text("utf-8")
    found = json.loads((tmp_path / "p.json").read_text())
    assert list(found) == [
        "study",
        "faults",
        "unit",
        "delta",
        "epsilon",
        "noise_shares",
        "epsilon_if_masks_fail",
        "charges",
        "hospitals",
        "budgets",
        "noise",
        "fields",
        "longer",
        "curve",
        "evaluation",
        "looks",
    ]
    assert Path(tmp_path / "p.svg").read_text().startswith("<svg ")
    done = CliRunner().invoke(command, ["plan", str(tmp_path / "p.toml"), "--json", "-"])
    assert json.loads(done.output) == found
