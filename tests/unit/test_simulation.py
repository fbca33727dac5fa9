"""A simulation is the study's own programme: the same model as a real round's, repeatable, in whatever
order hospitals answer.
"""

import ast
import hashlib
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import make_study, protocol_text
from in_process_federation import Room, sealed_study
from simulated_tables import csv_of, tables_of
from small_study import COUNTED
from worker_hospital import WorkerHospital

import securefl
from securefl.errors import DataError, RoundError, StudyError, UsageError
from securefl.learning.models import weights_sha256
from securefl.learning.table import read_table
from securefl.node.worker import _Task
from securefl.report.simulation import simulation_page
from securefl.report.terminal import plain_text
from securefl.secagg.layouts import body_bytes, cipher_layout_of, layout_for
from securefl.secagg.number_layout import NumberLayout
from securefl.simulation.advice import comparison, neighbours, told_apart
from securefl.simulation.draws import Samplers, SeededDraws, key_of
from securefl.simulation.encrypted import EncryptedSum
from securefl.simulation.facts import PointFacts, Spread, spread_of
from securefl.simulation.poisoning import GroupedSum
from securefl.simulation.settings import changed, grid, read_sweep
from securefl.simulation.simulate import Wishes, simulate_study
from securefl.simulation.sweep_price import sweep_price
from securefl.simulation.tables import (
    Source,
    Whole,
    divided_by,
    divided_by_lot,
    from_folder,
    virtual_names,
)
from securefl.simulation.trial import VirtualHospital, plain_sum, run_trial, virtual_hospitals
from securefl.simulation.virtual_study import read_template, virtual_study
from securefl.study.parse import parse_protocol
from securefl.study.sealed import UnsealedStudy
from securefl.study.training import training_of

PACKAGE = Path(securefl.__file__).parent
TABLES = tables_of()


def prepared(*edits, tables=TABLES, seed=0):
    template = UnsealedStudy.read(protocol_text(*edits))
    study = virtual_study(template, sorted(tables), {})
    return study, virtual_hospitals(study, tables, seed, 0)


def trial(study, hospitals, seed=0, **changes):
    return run_trial(study, hospitals, Samplers(), seed=seed, repeat=0, **changes)


def simulated(*edits, tables=TABLES, **wishes):
    wishes = {"repeat": 2, "advise": False} | wishes
    text = protocol_text(*edits).encode()
    return simulate_study(text, Source("tables of a test", tables), Wishes(**wishes))


def test_the_same_seed_makes_the_same_model_in_whatever_order_hospitals_answer():
    study, hospitals = prepared()
    first = trial(study, hospitals)
    orders = [hospitals[::-1], [hospitals[i] for i in (1, 2, 0)], hospitals]
    assert {trial(study, order).model_sha256 for order in orders} == {first.model_sha256}
    assert first.evaluation == trial(study, hospitals[::-1]).evaluation


def test_control_another_seed_makes_another_model():
    study, hospitals = prepared()
    assert trial(study, hospitals).model_sha256 != trial(study, hospitals, seed=1).model_sha256


class SeededHospital(WorkerHospital):
    """The worker's own code, but for where its noise comes from."""

    def __init__(self, plan, hospital: VirtualHospital) -> None:
        draws = SeededDraws(key_of("noise", 0, 0, hospital.site), Samplers())
        self._task = _Task(plan.study, hospital.site, hospital.rows, draws)
        self.produced = []


def test_real_rounds_with_masks_and_cipher_make_the_same_model_of_the_same_noise():
    _, plan = sealed_study()
    names = plan.study.cohort
    tables = dict(zip(names, TABLES.values(), strict=True))
    hospitals = virtual_hospitals(plan.study, tables, 0, 0)
    room = Room(plan)
    room.hospitals = {h.site: SeededHospital(plan, h) for h in hospitals}
    outcome = room.coordinator().run()
    study, same = prepared(tables=tables)
    assert weights_sha256(outcome.theta) == trial(study, same).model_sha256


def test_the_cipher_changes_no_figure():
    study, hospitals = prepared()
    plain, cipher = trial(study, hospitals), EncryptedSum()
    encrypted = trial(study, hospitals, summer=cipher)
    assert encrypted.model_sha256 == plain.model_sha256
    assert encrypted.evaluation == plain.evaluation
    assert cipher.bytes == 5 * 26_112


@pytest.mark.parametrize(
    ("bits", "length", "degree", "numbers"),
    [(8, 15, 1024, False), (16, 15, 2048, False), (16, 60_000, 4096, True)],
)
def test_sums_are_encrypted_as_a_round_of_as_many_hospitals_would(bits, length, degree, numbers):
    """Few numbers in a small ring, many under keys that add up: what :func:`layout_for` says."""
    layout = layout_for(bits, 3, length)
    assert isinstance(layout, NumberLayout) == numbers
    assert cipher_layout_of(layout).ring.degree == degree
    most = layout.max_value
    answers = [np.arange(length, dtype=np.int64) % (2 * most + 1) - most] * 3
    release = SimpleNamespace(kind="update", bits=bits, length=length, bound=most)
    cipher = EncryptedSum()
    assert cipher(release, answers).tolist() == plain_sum(release, answers).tolist()
    assert (cipher.bytes, set(cipher.degrees)) == (body_bytes(layout, length), {degree})


def test_control_a_sum_that_lacks_an_answer_does_not_open(monkeypatch):
    release = SimpleNamespace(kind="update", bits=8, length=15, bound=100)
    answers = [np.zeros(15, dtype=np.int64)] * 3
    cipher = EncryptedSum()
    added = cipher._added
    monkeypatch.setattr(cipher, "_added", lambda given, *rest: added(given[1:], *rest))
    with pytest.raises(RoundError, match=r"does not open|no complete set"):
        cipher(release, answers)


def test_groups_take_the_ring_of_the_whole_round():
    """Nine hospitals leave seven bits no room in the smallest ring, and three of them would."""
    alone, whole = (cipher_layout_of(layout_for(8, n, 15)).ring.degree for n in (3, 9))
    assert alone < whole
    release = SimpleNamespace(kind="update", bits=8, length=15, bound=100)
    cipher = EncryptedSum(9)
    cipher(release, [np.ones(15, dtype=np.int64)] * 3)
    assert set(cipher.degrees) == {whole}


BY_GROUPS = (
    ("min_contributors = 5", 'min_contributors = 3\ngroups = "median"'),
    ("colluders = 3", "colluders = 1"),
)


def test_a_study_that_trains_by_groups_is_simulated_by_groups():
    names = [f"site{n}" for n in range(9)]
    tables = dict(zip(names, 3 * list(TABLES.values()), strict=True))
    found = simulated(*BY_GROUPS, tables=tables, repeat=1)
    study, hospitals = prepared(*BY_GROUPS, tables=tables)
    summer = GroupedSum(names, 3, "median", 0)
    assert found.base.models == (trial(study, hospitals, summer=summer).model_sha256,)
    assert found.base.models != (trial(study, hospitals).model_sha256,)  # control: one sum
    encrypted = simulated(*BY_GROUPS, tables=tables, repeat=1, encrypted=True)
    assert encrypted.base.models == found.base.models
    with pytest.raises(UsageError, match="3 hospitals make 1 group of 3"):
        simulated(*BY_GROUPS, repeat=1)


def seeded_modules(package):
    """Modules that name the stream which a key repeats, below a folder."""
    found = set()
    for file in package.rglob("*.py"):
        names = {n.id for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Name)}
        if names & {"ChaChaStream", "SeededDraws"}:
            found.add(file.relative_to(package).as_posix())
    return found


def test_noise_that_can_be_repeated_is_made_in_simulation_alone():
    made = seeded_modules(PACKAGE) - {"privacy/randomness.py"}
    assert made
    assert {file.partition("/")[0] for file in made} == {"simulation"}


def test_control_a_seed_anywhere_else_is_found(tmp_path):
    (tmp_path / "node").mkdir()
    (tmp_path / "node/worker.py").write_text("draws = RandomDraws(ChaChaStream(key))\n")
    assert seeded_modules(tmp_path) == {"node/worker.py"}


def test_no_module_of_a_real_run_may_import_simulation():
    contracts = (PACKAGE.parent / ".importlinter").read_text()
    contract = contracts.partition("[importlinter:contract:seeded]")[2].partition("\n[")[0]
    sources, _, forbidden = contract.partition("forbidden_modules")
    for room in ("node", "party", "federation", "datasite", "researcher"):
        assert f"securefl.{room}\n" in sources
    assert "securefl.simulation" in forbidden
    assert "ignore_imports" not in contract


def test_noise_of_a_simulation_is_as_large_as_it_should_be():
    draws = SeededDraws(key_of("noise", 3, 0, "x"), Samplers())
    values = draws.gaussian(Decimal(2_000_000), 20_000)
    assert values.std() == pytest.approx(2_000_000, rel=0.03)
    assert draws.poisson_sample(20_000, Fraction(1, 5)).mean() == pytest.approx(0.2, abs=0.02)
    assert draws.quotient(np.full(20_000, 5), 10).mean() == pytest.approx(0.5, abs=0.02)


def test_hospitals_share_tables_of_noise_and_no_noise():
    samplers = Samplers()
    a, b = (SeededDraws(key_of("noise", 0, 0, site), samplers) for site in "ab")
    first, other = a.gaussian(Decimal(50), 200), b.gaussian(Decimal(50), 200)
    again = SeededDraws(key_of("noise", 0, 0, "a"), Samplers()).gaussian(Decimal(50), 200)
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_the_share_of_clipped_gradients_is_that_of_gradients_longer_than_the_norm():
    def share(norm):
        study, hospitals = prepared(('clip_norm = "1"', f'clip_norm = "{norm}"'))
        return trial(study, hospitals).probes[0].clipped

    assert share("0.001") == 1.0
    assert share("1000") == 0.0
    # At weights of zero every patient's gradient is half the length of its row with the bias.
    study, hospitals = prepared()
    rows = np.concatenate([h.rows.train.X for h in hospitals]).astype(float)
    lengths = 0.5 * np.sqrt(1 + (rows**2).sum(axis=1))
    assert trial(study, hospitals).probes[0].clipped == pytest.approx((lengths > 1).mean())


def test_several_rows_of_a_patient_are_clipped_together():
    study, hospitals = prepared(("max_rows_per_patient = 1", "max_rows_per_patient = 2"))
    probe = trial(study, hospitals).probes[0]
    clipped, patients = 0, 0
    for hospital in hospitals:
        train = hospital.rows.train
        x = np.column_stack([train.X.astype(float), np.ones(len(train.y))])
        rows = (0.5 - train.y)[:, None] * x
        for patient in set(train.patients):
            mine = np.array([p == patient for p in train.patients])
            clipped += np.linalg.norm(rows[mine].sum(axis=0)) > 1
            patients += 1
        assert len(set(train.patients)) < len(train.patients)
    assert probe.clipped == pytest.approx(clipped / patients)


def test_rows_divided_by_lot_are_all_there_and_a_patient_is_at_one_site():
    table = read_table(csv_of(500))
    sites = virtual_names(7)
    parts = divided_by_lot(table, "patient_id", sites, 0, 0)
    counts = Counter(p for part in parts.values() for p in part.columns["patient_id"])
    assert counts == Counter(table.columns["patient_id"])
    homes = Counter(p for part in parts.values() for p in set(part.columns["patient_id"]))
    assert set(homes.values()) == {1}
    assert min(part.rows for part in parts.values()) > 40
    assert parts != divided_by_lot(table, "patient_id", sites, 0, 1)


def test_rows_divided_by_a_column_or_by_files_are_as_they_say(tmp_path):
    table = read_table(csv_of(300))
    parts = divided_by(table, "place")
    assert sorted(parts) == ["east", "north", "south"]
    assert {part.rows for part in parts.values()} == {100}
    for name in ("north", "south"):
        (tmp_path / f"{name}.csv").write_bytes(csv_of(50))
    assert sorted(from_folder(tmp_path, parse_protocol(protocol_text()).data)) == ["north", "south"]
    (tmp_path / "9 lives.csv").write_bytes(csv_of(50))
    with pytest.raises(UsageError, match="no name of a site"):
        from_folder(tmp_path, parse_protocol(protocol_text()).data)
    with pytest.raises(UsageError, match="no column"):
        divided_by(table, "where")


def test_a_table_without_a_column_of_the_study_is_refused_to_the_researcher():
    lacking = read_table(csv_of().replace(b"TSH", b"tsh"))
    with pytest.raises(DataError, match="of site1 has no column 'TSH'") as caught:
        simulated(tables={**TABLES, "site1": lacking})
    assert caught.value.whose == "the researcher"
    with pytest.raises(DataError, match="the table has no column 'TSH'"):
        simulated(tables=Whole(lacking, 3))


def test_a_sealed_study_is_simulated_with_its_own_weights():
    text = make_study(3, ('recipients = ["participants"]', 'recipients = ["SVHC"]'))[0]
    heavier = text.replace('"1/3"', '"1/2"', 1).replace('"1/3"', '"1/4"')
    template, weights = read_template(heavier.encode())
    assert sorted(weights.values()) == ["1/2", "1/4", "1/4"]
    study = virtual_study(template, sorted(weights), weights)
    assert {p.name: str(p.weight) for p in study.participants} == weights
    # Other sites than the study's: equal shares.
    others = virtual_study(template, ["a", "b"], weights)
    assert {str(p.weight) for p in others.participants} == {"1/2"}


def test_a_thousand_hospitals_are_one_study():
    template = UnsealedStudy.read(protocol_text())
    study = virtual_study(template, virtual_names(1000), {})
    assert len(study.cohort) == 1000
    assert sum(p.weight for p in study.participants) == 1
    for sites in (1, 1001):
        with pytest.raises(UsageError, match="cannot be simulated"):
            virtual_names(sites)


def test_a_study_that_ends_early_says_so():
    minimum = ("minimum = 60", "minimum = 100000")
    edits = [(COUNTED[0], COUNTED[1].replace(*minimum))]
    edits += [('normaliser = "200"', 'normaliser = "20000"')]
    found = simulated(*edits)
    assert sum(found.base.ended.values()) == 2
    assert "were counted in all" in next(iter(found.base.ended))
    assert not found.base.figure.known
    assert found.to_dict()["exact"] is None


def test_a_count_that_lets_the_study_go_on_is_told():
    found = simulated(COUNTED)
    assert [label for label, _ in found.base.rows] == ["trained on"]
    assert not found.base.ended
    assert found.rounds == 6


def test_repeats_have_a_spread_and_a_model_each():
    found = simulated(repeat=4, seed=7)
    assert len(set(found.base.models)) == 4
    assert found.base.figure.sd > 0
    assert found.base.figure.mean > 0.7
    assert found.base.models == simulated(repeat=4, seed=7).base.models
    assert max(found.base.curve) == 4


def test_warned_of_tables_of_another_size_than_the_study_plans_for():
    assert any("plans for about 1,000" in w for w in simulated().warnings)
    fits = simulated(('normaliser = "200"', 'normaliser = "80"'))
    assert not any("plans for" in w for w in fits.warnings)
    assert any("no spread" in w for w in simulated(repeat=1).warnings)


def test_warned_of_fewer_steps_at_a_hospital_that_has_no_table():
    def said(name):
        edits = (
            ('strategy = "fedavg"', 'strategy = "fednova"'),
            ("local_steps = 1", f"local_steps = 2\nfewer_steps = {{ {name} = 1 }}"),
            ("steps = 4", "steps = 8"),
        )
        return any(f"is of {name}" in w for w in simulated(*edits, repeat=1).warnings)

    assert said("Nobody")
    assert not said(next(iter(TABLES)))


def test_a_sweep_runs_every_setting_and_names_the_best():
    sweep = {"learning_rate": ("0.001", "4"), "clip_norm": ("1",)}
    found = simulated(sweep=sweep, repeat=3)
    assert [dict(p.changes) for p in found.points] == grid(sweep)
    means = [p.figure.mean for p in found.points]
    assert found.best == int(np.argmax(means))
    # The second setting is the study as written: on the same noise, the same models.
    assert found.points[1].models == found.base.models
    assert found.runs == 3 * 3 * found.rounds


def test_a_sweep_says_what_it_would_cost_on_records():
    found = simulated(sweep={"learning_rate": ("2", "4", "8")}, repeat=1)
    price = found.to_dict()["price"]
    assert price["points"] == 3
    assert float(price["one"]) < float(price["together"]) < 3 * float(price["one"])
    shown = " ".join(plain_text(simulation_page(found), 400).split())
    assert (
        f"Had these 3 settings been run on patients' records: epsilon {price['together']}" in shown
    )
    # control: without a sweep nothing is priced
    plain = simulated(repeat=1)
    assert plain.to_dict()["price"] is None
    assert "Had these" not in plain_text(simulation_page(plain), 400)


def price_of(*settings):
    template = UnsealedStudy.read(protocol_text())
    return sweep_price([changed(template, setting).study for setting in settings]).together


def test_settings_of_many_noises_have_the_quick_price_which_is_never_lower():
    noises = [{"noise_multiplier": noise} for noise in ("2.14", "2.5", "3", "3.5", "4", "4.5")]
    assert 1 < float(price_of(*noises[:3])) < float(price_of(*noises))
    # The tight figure of four, and the quick one of five of which one says next to nothing.
    faint = {"noise_multiplier": "1000"}
    assert float(price_of(*noises[:4])) < float(price_of(*noises[:4], faint))
    loud = {"noise_multiplier": "0.3", "sample_rate": "1", "rounds": "400"}
    assert price_of(loud, loud) == "more than 200"


def test_a_swept_field_takes_what_follows_from_it_along():
    template = UnsealedStudy.read(protocol_text())
    rounds = training_of(changed(template, {"rounds": "8"}).study)
    assert (rounds.rounds, rounds.steps) == (8, 8)
    rate = training_of(changed(template, {"sample_rate": "1/10"}).study)
    assert (rate.sample_rate, rate.normaliser) == (Fraction(1, 10), Decimal(100))
    fast = training_of(changed(template, {"learning_rate": ".5"}).study)
    assert fast.server_learning_rate == Decimal("0.5")
    assert changed(template, {}) is template


def test_more_rounds_are_said_to_cost_more():
    found = simulated(sweep={"rounds": ("4", "16")}, repeat=1)
    four, sixteen = (float(p.epsilon) for p in found.points)
    assert four == pytest.approx(0.9982, abs=0.001)
    assert sixteen > 1.3 * four


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"colour": "1"}, "no field 'colour'"),
        ({"steps": "8"}, "no field 'steps'"),
        ({"clip_norm": "abc"}, "clip_norm: expected a decimal"),
        ({"clip_norm": "0"}, "clip_norm: must be above 0"),
        ({"rounds": "many"}, "no whole number"),
    ],
)
def test_a_setting_that_makes_no_study_is_refused(changes, said):
    with pytest.raises(UsageError, match=said):
        changed(UnsealedStudy.read(protocol_text()), changes)


@pytest.mark.parametrize("typed", ["clip_norm", "clip_norm=", "=1", "clip_norm=1,,2"])
def test_a_sweep_that_is_none_is_refused(typed):
    with pytest.raises(UsageError, match="not of the form"):
        read_sweep([typed])
    with pytest.raises(UsageError, match="not of the form"):
        read_sweep(["bits=8", "bits=9"])


def test_a_sweep_has_an_end():
    with pytest.raises(UsageError, match="at most 100"):
        grid({"rounds": [str(n) for n in range(1, 12)], "bits": [str(n) for n in range(6, 17)]})
    with pytest.raises(UsageError, match="repeats cannot be run"):
        simulated(repeat=0)


def point(values, **changes):
    """Facts of a setting with these figures."""
    nothing = spread_of([])
    return PointFacts(
        changes, Spread(values), *(nothing,) * 3, None, nothing, {}, {}, {}, {}, 0.0, "1", (), {}
    )


def test_another_rate_is_advised_only_where_it_is_clearly_better():
    base = point((0.80, 0.82, 0.81))
    better = point((0.85, 0.87, 0.86), server_learning_rate="8")
    unsure = point((0.90, 0.76, 0.80), server_learning_rate="2")
    assert [a.change for a in comparison(base, [better, unsure])] == ['server_learning_rate = "8"']
    assert [a.change for a in comparison(base, [unsure])] == [""]
    # One repeat tells nothing, however large the gain.
    one = comparison(point((0.5,)), [point((0.9,), clip_norm="2")])
    assert [(a.subject, a.change) for a in one] == [("clip norm", "")]


def test_settings_that_repeats_cannot_tell_from_the_best_are_named():
    points = [point((0.80, 0.82)), point((0.81, 0.81)), point((0.60, 0.62)), point(())]
    assert told_apart(points) == (0, (1,))
    assert told_apart([point(())]) == (None, ())


def test_half_and_twice_the_clip_and_the_rate_are_run_beside_the_study():
    study, _ = prepared()
    assert neighbours(study) == [
        {"clip_norm": "0.5"},
        {"clip_norm": "2"},
        {"server_learning_rate": "2.0"},
        {"server_learning_rate": "8"},
    ]
    found = simulated(advise=True)
    assert {"clip norm", "learning rate"} <= {one.subject for one in found.advice}
    assert found.runs == 2 * 5 * found.rounds


def test_edges_that_blur_the_score_are_advised_against():
    """All scores in one band: the interval holds everything."""
    crowded = ('edges = ["0.1", "0.3", "0.5"]', 'edges = ["0.97", "0.98", "0.99"]')
    quiet = ('noise_multiplier = "3.75"', 'noise_multiplier = "2"')
    long = ("rounds = 4", "rounds = 20"), ("steps = 4", "steps = 20")
    size = ('normaliser = "200"', 'normaliser = "80"')
    still = ('noise_multiplier = "2.14"', 'noise_multiplier = "0.3"')
    found = simulated(crowded, quiet, *long, size, still, advise=True)
    edges = next(one for one in found.advice if one.subject == "edges")
    assert edges.change.startswith("prevalence = ")


def test_every_word_of_it_says_that_it_protects_nothing():
    facts = simulated().to_dict()
    assert facts["simulation"] is True
    assert facts["protects"] == "nothing"
    assert "protects nothing" in facts["label"]


def test_a_file_that_is_no_study_is_refused():
    with pytest.raises(StudyError):
        simulate_study(b"\xff\xfe", Source("nothing", TABLES), Wishes())


def test_keys_of_virtual_parties_are_no_secret():
    """Anybody can work them out: they must protect nothing."""
    secret = hashlib.sha256(b"securefl/simulation/1/signing/site0001").digest()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw().hex()
    study = virtual_study(UnsealedStudy.read(protocol_text()), virtual_names(2), {})
    assert study.participants[0].signing_public == public
