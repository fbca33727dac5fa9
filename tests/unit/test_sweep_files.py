"""``securefl study sweep``: a study of each setting, and the price of all of them together."""

import json
from decimal import Decimal

import pytest
from click.testing import CliRunner
from conftest import make_study, party, protocol_text
from in_process_federation import NAMES, Room, fixed_identity
from ledger_site import KEY_HEX, approve, digest, grant
from ledger_site import keys as ledger_keys
from looked_at import LOOKS

from securefl.cli.main import cli
from securefl.designer.sweep_files import sweep_files
from securefl.errors import BudgetError, UsageError
from securefl.federation.round_plan import RoundPlan
from securefl.learning.stages.programme import charges_of
from securefl.learning.stages.roles import judged_result
from securefl.privacy.accounting import PldAccountant, pld_epsilon
from securefl.privacy.ledger import Ledger
from securefl.study.consistency import contradictions
from securefl.study.seal import seal_study
from securefl.study.sealed import UnsealedStudy
from securefl.study.training import training_of

DELTA = Decimal("1e-5")
RATES = {"learning_rate": ("2", "4")}
SMALL = ("min_contributors = 5", "min_contributors = 3"), ("colluders = 3", "colluders = 1")


def made(points=RATES, *edits, **more):
    return sweep_files(protocol_text(*edits).encode(), points, **more)


def test_each_setting_is_a_study_that_the_check_takes():
    found = made({"learning_rate": ("2", "4"), "clip_norm": ("1", "2")})
    assert [one.name for one in found.studies] == [f"small-{n}.toml" for n in (1, 2, 3, 4)]
    for one in found.studies:
        study = UnsealedStudy.read(one.text).study
        assert not contradictions(study, PldAccountant())
        assert "one of 4 settings" in study.study.purpose
        assert found.price.together in study.study.purpose
        section = training_of(study)
        assert section.server_learning_rate == Decimal(one.changes["learning_rate"])
        assert section.clip_norm == Decimal(one.changes["clip_norm"])


def test_the_price_is_the_composition_of_all_releases():
    found = made({"learning_rate": ("1", "2", "4")})
    charges = [c for one in found.studies for c in charges_of(one.template.study)]
    expected = max(
        pld_epsilon([c.mechanism for c in charges if c.aside == aside], DELTA)
        for aside in (True, False)
    )
    assert float(found.price.together) == pytest.approx(float(expected), abs=0.001)
    # More than one setting's, less than the sum of their epsilons.
    assert float(found.price.one) < float(expected) < 3 * float(found.price.one)


def test_more_settings_cost_more():
    prices = [float(made({"learning_rate": values}).price.together) for values in ("12", "1248")]
    assert prices[0] < prices[1]


@pytest.mark.parametrize(
    ("points", "edits"),
    [
        (RATES, ()),
        (RATES, (LOOKS,)),
        ({"rounds": ("4", "8")}, ()),
    ],
)
def test_with_more_noise_all_together_cost_no_more_than_the_file(points, edits):
    found = made(points, *edits, keep_epsilon=True)
    assert float(found.price.together) <= float(found.alone)
    noise = training_of(UnsealedStudy.read(protocol_text()).study).noise_multiplier
    assert all(training_of(s.template.study).noise_multiplier > noise for s in found.studies)
    # control: with the noise of the file they cost more
    assert float(made(points, *edits).price.together) > float(found.alone)


def test_a_sealed_study_is_swept_without_its_parties():
    found = sweep_files(make_study(3)[0].encode(), RATES)
    assert "participants" not in found.studies[0].template.raw


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ({"learning_rate": ("2",)}, "1 settings make no sweep"),
        ({"learning_rate": [str(n) for n in range(1, 22)]}, "21 settings make no sweep"),
        ({"colour": ("1", "2")}, "no field 'colour'"),
        ({"learning_rate": ("2", "1000000")}, "makes no study"),
    ],
)
def test_what_makes_no_sweep_is_refused(points, said):
    with pytest.raises(UsageError, match=said):
        made(points)


def sealed(one):
    """A setting's file as a study of three hospitals."""
    hospitals = [party(fixed_identity(name, "hospital")) for name in NAMES]
    equal = {"weight": f"1/{len(NAMES)}", "weight_source": "equal shares"}
    return seal_study(
        UnsealedStudy.read(one.text),
        coordinator=party(fixed_identity("Researcher", "researcher")),
        aggregator=party(fixed_identity("Aggregator", "aggregator")),
        participants=[hospital | equal for hospital in hospitals],
        software={"securefl": "0.1.0", "lock_sha256": "0" * 64},
    )


def test_a_sweep_is_run_study_by_study_and_each_is_charged(tmp_path):
    """Every hospital trains both settings; the better is chosen on what both released."""
    found = made(RATES, *SMALL)
    ledger = Ledger.create(tmp_path / "ledger", site="SVI", key=KEY_HEX, **ledger_keys(None))
    studies = [sealed(one) for one in found.studies]
    charges = charges_of(studies[0].study)
    grant(ledger, epsilon="3", charges=charges)
    ledger.register_dataset("visits", population="thyroid", snapshot="aa" * 32)
    used = []
    figures = {}
    for number, study in enumerate(studies, 1):
        approve(ledger, number, charges=charges_of(study.study))
        used.append(ledger.state.used("thyroid"))
        outcome = Room(RoundPlan(study)).coordinator().run()
        figures[study.study.study.id] = judged_result(outcome.results).evaluation
    assert used[1] == 2 * used[0] > 0
    assert set(figures) == {"small-1", "small-2"}
    assert all(0 <= one.low <= one.high <= 1 for one in figures.values())


def test_control_a_budget_for_one_setting_does_not_pay_for_two(tmp_path):
    found = made(RATES, *SMALL)
    charges = charges_of(found.studies[0].template.study)
    ledger = Ledger.create(tmp_path / "ledger", site="SVI", key=KEY_HEX, **ledger_keys(None))
    grant(ledger, epsilon="1.6", charges=charges)
    ledger.register_dataset("visits", population="thyroid", snapshot="aa" * 32)
    approve(ledger, 1, charges=charges)
    with pytest.raises(BudgetError):
        approve(ledger, 2, charges=charges)
    assert digest(2) not in ledger.state.studies


def run(*given):
    return CliRunner().invoke(cli, ["study", "sweep", *map(str, given)])


def test_the_command_shows_the_price_before_it_writes(tmp_path):
    file, out = tmp_path / "protocol.toml", tmp_path / "sweep"
    file.write_text(protocol_text())
    points = ("--points", "learning_rate=2,4")
    shown = run(file, *points)
    assert shown.exit_code == 0, shown.output
    assert "Nothing was written" in shown.output
    assert "all together" in shown.output
    assert not out.exists()
    done = run(file, *points, "--out", out, "--json", "-")
    found = json.loads(done.stdout)
    assert [one["file"] for one in found["studies"]] == sorted(p.name for p in out.iterdir())
    assert found["price"]["points"] == 2
    for written in out.iterdir():
        checked = CliRunner().invoke(cli, ["study", "check", str(written)])
        assert checked.exit_code == 0, checked.output
    again = run(file, *points, "--out", out)
    assert isinstance(again.exception, UsageError)
    assert "exists already" in str(again.exception)
    typed = run(file, "--points", "learning_rate")
    assert "--points learning_rate is not of the form" in str(typed.exception)
