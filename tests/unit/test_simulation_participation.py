"""A part of the hospitals in each round: a public lot, no amplification, and a step of the same size."""

import json
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import protocol_text
from simulated_tables import tables_of
from small_study import COUNTED

import securefl as sf
from securefl.cli.main import cli
from securefl.errors import UsageError
from securefl.rehearsal import SimulatedStudy
from securefl.report.terminal import plain_text
from securefl.simulation.draws import Samplers
from securefl.simulation.participation import Lots, Participation, participated, server_of
from securefl.simulation.simulate import Wishes, simulate_study
from securefl.simulation.tables import Source, virtual_names
from securefl.simulation.trial import OneByOne, run_trial, virtual_hospitals
from securefl.simulation.virtual_study import virtual_study
from securefl.study.sealed import UnsealedStudy
from securefl.study.training import training_of
from securefl.study.wire import sum_unit, wire_of

FEW = (("min_contributors = 5", "min_contributors = 2"), ("colluders = 3", "colluders = 0"))
TABLES = tables_of(8, 60)
ALL = Participation(share=Fraction(1))


def study_of(*edits, sites=tuple(TABLES)):
    return virtual_study(UnsealedStudy.read(protocol_text(*FEW, *edits)), list(sites), {})


def trial(study, participation, *, reverse=False, tables=TABLES, engine=None):
    hospitals = virtual_hospitals(study, tables, 0, 0)
    if reverse:
        hospitals = hospitals[::-1]
    return run_trial(
        study,
        hospitals,
        Samplers(),
        seed=0,
        repeat=0,
        participation=participation,
        engine=engine,
    )


def lots(rule, sites=100, least=2, repeat=0):
    return Lots(rule, virtual_names(sites), least, seed=0, repeat=repeat)


def test_a_lot_of_so_many_takes_so_many_and_each_hospital_alike():
    drawn = lots(Participation(count=10))
    rounds = [drawn.draw() for _ in range(400)]
    assert {len(one) for one in rounds} == {10}
    assert sum(drawn.rounds.values()) == 4000
    # 400 draws at one in ten: 40 each, 6 one deviation.
    assert 15 < min(drawn.rounds.values()) < 40 < max(drawn.rounds.values()) < 65


def test_a_lot_of_each_is_independent_and_as_likely_as_said():
    drawn = lots(Participation(share=Fraction(1, 10)))
    sizes = [len(drawn.draw()) for _ in range(400)]
    assert np.mean(sizes) == pytest.approx(10, abs=0.6)
    assert np.var(sizes) == pytest.approx(9, rel=0.3)


def test_a_lot_with_too_few_is_drawn_again():
    rule = Participation(share=Fraction(1, 10))
    few = lots(rule, 30, least=2)
    many = lots(rule, 30, least=5)
    assert min(len(few.draw()) for _ in range(100)) in (2, 3)
    assert min(len(many.draw()) for _ in range(100)) == 5


def test_the_lot_follows_from_seed_and_repeat():
    rule = Participation(count=10)
    assert lots(rule).draw() == lots(rule).draw()
    assert lots(rule).draw() != lots(rule, repeat=1).draw()


def test_all_hospitals_by_lot_are_all_hospitals():
    study = study_of()
    every = trial(study, None).model_sha256
    assert trial(study, ALL).model_sha256 == every
    assert trial(study, Participation(count=8)).model_sha256 == every
    some = trial(study, Participation(count=4))
    assert some.model_sha256 != every
    assert set(some.took_part) == set(TABLES)
    assert sum(some.took_part.values()) == 4 * training_of(study).rounds


def test_a_sample_is_the_same_in_whatever_order_hospitals_answer():
    study, rule = study_of(), Participation(share=Fraction(1, 2))
    assert trial(study, rule).model_sha256 == trial(study, rule, reverse=True).model_sha256


def test_a_part_of_the_hospitals_makes_a_step_of_the_same_size():
    """Eight hospitals with the same rows and next to no noise: half of them step as all do."""
    same = dict.fromkeys(TABLES, TABLES["site0"])
    study = study_of(
        ('noise_multiplier = "2.14"', 'noise_multiplier = "0.3"'),
        ('sample_rate = "1/5"', 'sample_rate = "1"'),
        ('normaliser = "200"', 'normaliser = "400"'),
    )
    every = trial(study, None, tables=same).theta
    half = trial(study, Participation(count=4), tables=same).theta
    assert np.linalg.norm(half - every) < 0.25 * np.linalg.norm(every)
    # control: a server that divides by all hospitals' patients steps half as far
    server = server_of(study, Fraction(1, 2))
    assert sum_unit(server) == pytest.approx(sum_unit(study) / 2)
    assert wire_of(server) == wire_of(study)


class Noted(OneByOne):
    """An engine that notes how many hospitals answered which release."""

    def __init__(self):
        self.seen = set()

    def answers(self, ends, places, release, public):
        self.seen.add((release.kind, len(places)))
        return super().answers(ends, places, release, public)


def test_counts_and_evaluations_are_of_all_hospitals():
    engine = Noted()
    found = trial(study_of(COUNTED), Participation(count=2), engine=engine)
    assert engine.seen == {("preparation", 8), ("update", 2), ("evaluation", 8)}
    assert found.evaluation is not None


def priced(share):
    study = study_of(sites=virtual_names(100))
    rule = Participation(share=share)
    drawn = Lots(rule, study.cohort, 2, seed=0, repeat=0)
    for _ in range(training_of(study).rounds):
        drawn.draw()
    return participated(study, rule, [drawn.rounds])


def test_epsilon_rises_with_the_rounds_of_the_own_hospital_and_ends_at_all_of_them():
    shares = [Fraction(1, 20), Fraction(1, 4), Fraction(1, 2), Fraction(1)]
    found = [priced(share) for share in shares]
    most = [one.most for one in found]
    charged = [float(one.charged) for one in found]
    assert most == sorted(most)
    assert charged == sorted(charged)
    assert charged[0] < charged[-1]
    # Before the lot a hospital sets aside for every round, however small its part.
    assert {one.reserved for one in found} == {found[-1].charged}
    assert charged[-1] == pytest.approx(float(training_of(study_of()).epsilon), abs=0.002)
    # The figure that is not claimed is smaller than the one that is charged.
    assert float(found[0].multiplied) < charged[0]
    assert float(found[-1].multiplied) == charged[-1]


def test_what_nobody_can_run_is_refused():
    study = study_of(sites=virtual_names(40))
    Participation(count=2).check(study)
    Participation(share=Fraction(1, 20)).check(study)
    for rule in (Participation(count=41), Participation(share=Fraction(3, 2))):
        with pytest.raises(UsageError, match="cannot be drawn so"):
            rule.check(study)
    for rule in (Participation(count=1), Participation(share=Fraction(1, 40))):
        with pytest.raises(UsageError, match="opens no sum of fewer than 2 hospitals"):
            rule.check(study)
    remembers = study_of(
        ('strategy = "fedavg"', 'strategy = "scaffold"'),
        ('server_momentum = "0.8"', 'server_momentum = "0"'),
    )
    with pytest.raises(UsageError, match="reads a hospital's last round"):
        Participation(count=4).check(remembers)


def simulated(**wishes):
    text = protocol_text(*FEW).encode()
    source = Source("tables of a test", TABLES)
    return simulate_study(text, source, Wishes(repeat=2, advise=False, **wishes))


def test_page_and_json_say_what_is_charged_and_that_real_studies_do_not_sample():
    found = simulated(participation=Participation(count=4))
    shown = " ".join(plain_text(SimulatedStudy(found).page(), 400).split())
    for text in (shown, found.to_dict()["label"], SimulatedStudy(found).picture()):
        assert "eal studies do not sample" in " ".join(text.split())
    assert "not claimed" in shown
    said = found.to_dict()["clients"]
    assert said["real_studies_sample"] is False
    assert said["amplification_claimed"] is False
    assert said["took_part"]["fewest"] <= said["took_part"]["mean"] <= said["took_part"]["most"]
    assert f"{said['epsilon_charged']}: a patient" in shown


def test_control_without_a_sample_nothing_is_said_of_one():
    found = simulated()
    assert found.to_dict()["clients"] is None
    shown = plain_text(SimulatedStudy(found).page(), 400)
    assert "A part of the hospitals" not in shown
    assert "do not sample" not in shown


def test_the_command_takes_a_share_or_a_number(tmp_path):
    file = tmp_path / "protocol.toml"
    file.write_text(protocol_text(*FEW))

    def run(*given):
        fixed = ("--mock", "--sites", "10", "--repeat", "1", "--no-advice", "--json", "-")
        return CliRunner().invoke(cli, ["study", "simulate", str(file), *fixed, *given])

    done = run("--clients-per-round", "4")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["clients"]["rule"] == "4, by lot"
    half = run("--participation", "0.5")
    assert json.loads(half.stdout)["clients"]["rule"].endswith("probability 1/2")
    for given, said in (
        (("--participation", "much"), "no share"),
        (("--participation", "1/2", "--clients-per-round", "4"), "in two ways"),
    ):
        refused = run(*given)
        assert isinstance(refused.exception, UsageError)
        assert said in str(refused.exception)
    with pytest.raises(UsageError, match="no engine 'ray'"):
        sf.simulate(file, mock=True, engine="ray")


def test_a_decimal_of_python_is_the_share_that_it_reads_as(tmp_path):
    file = tmp_path / "protocol.toml"
    file.write_text(protocol_text(*FEW))
    for share in (0.5, "1/2", Fraction(1, 2), Decimal("0.5")):
        found = sf.simulate(file, mock=True, sites=10, participation=share, repeat=1, advise=False)
        assert found.facts.participated.rule.endswith("1/2")
