"""The self-test can pass, can fail, and says when it can do neither."""

import json
from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import securefl
from securefl.cli.selftest import selftest
from securefl.errors import UsageError
from securefl.learning.selftest import DELTA, SAMPLED, ReleasePath, product, run_selftest
from securefl.learning.selftest_controls import _Weakened, controls
from securefl.learning.steps import RandomDraws
from securefl.privacy.accounting import pld_epsilon
from securefl.privacy.draw_checks import Draws
from securefl.privacy.mechanisms import Gaussian
from securefl.privacy.randomness import ChaChaStream, SystemRandomness
from securefl.privacy.worker_answers import Answers, WorkerFinding, _sound
from securefl.report.selftest import selftest_page
from securefl.report.terminal import plain_text

#: "One batch for all steps" is missed once in 3,000 runs of 20,000 trials, never in 3,000 of these.
TRIALS = 30_000
NAMES = [
    "noise off",
    "half noise",
    "clipping off",
    "size-derived normaliser",
    "sampling off",
    "one batch for all steps",
]
SAMPLING = NAMES[-2:]


class TwiceTheRate(RandomDraws):
    """Draws every patient with twice the chance that was asked for."""

    def poisson_sample(self, n, rate):
        return super().poisson_sample(n, min(Fraction(1), 2 * rate))


@pytest.fixture(scope="module")
def outcome():
    seen = []
    found = run_selftest(
        product(),
        controls(),
        SystemRandomness(),
        trials=TRIALS,
        watch=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(i + 1, 28) for i in range(28)]
    return found


def test_the_product_passes(outcome):
    assert outcome.verdict == "PASS"
    assert (
        0.3 < outcome.finding.lower_bound < outcome.claimed_epsilon < outcome.max_detectable_epsilon
    )
    assert outcome.finding.mu_fit == pytest.approx(
        0.5, abs=0.06
    )  # 4 standard errors of 10,000 trials


def test_every_broken_mechanism_fails(outcome):
    assert list(outcome.controls) == NAMES
    assert {f.verdict for f in outcome.controls.values()} == {"FAIL"}
    certain = [
        outcome.controls[n].lower_bound for n in ("noise off", "clipping off", "sampling off")
    ]
    assert min(certain) > 2 * outcome.claimed_epsilon


def test_each_look_is_held_to_its_own_claim(outcome):
    assert set(outcome.claims) == {"canary", "sampling", "histogram", "size"}
    whole = pld_epsilon((Gaussian(SAMPLED.noise_multiplier, SAMPLED.local_steps),), DELTA)
    assert outcome.claims["sampling"] < outcome.claimed_epsilon < float(whole)
    assert all(outcome.finding.bounds[look] < claim for look, claim in outcome.claims.items())


@pytest.mark.parametrize("name", SAMPLING)
def test_a_broken_sampler_is_seen_where_the_claim_rests_on_sampling_and_nowhere_else(outcome, name):
    bounds = outcome.controls[name].bounds
    assert [look for look, claim in outcome.claims.items() if bounds[look] > claim] == ["sampling"]
    assert bounds["sampling"] > outcome.claimed_epsilon


def test_twice_the_rate_is_found_by_the_fit():
    found = run_selftest(
        ReleasePath(TwiceTheRate(SystemRandomness())), {}, SystemRandomness(), trials=TRIALS
    )
    assert found.verdict == "FAIL"
    assert found.finding.bounds["sampling"] < found.claims["sampling"]


def test_a_sampler_that_nothing_convicts_lets_nothing_pass():
    found = run_selftest(product(), {"sampling off": product()}, SystemRandomness(), trials=TRIALS)
    assert found.finding.verdict == "PASS"
    assert found.verdict == "INCONCLUSIVE"


def test_the_json_has_exactly_the_keys_that_others_rely_on(outcome):
    found = json.loads(json.dumps(outcome.to_json(), allow_nan=False))
    assert list(found) == [
        "verdict",
        "claimed_epsilon",
        "lower_bound",
        "mu_fit",
        "max_detectable_epsilon",
        "controls",
        "worker",
    ]
    assert found["worker"] is None
    assert [list(c) for c in found["controls"]] == [["name", "verdict", "lower_bound"]] * len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_product_fails(name):
    found = run_selftest(controls()[name], {}, SystemRandomness(), trials=TRIALS)
    assert found.verdict == "FAIL"
    assert found.finding.verdict == "FAIL"


def test_too_few_trials_never_pass_and_never_convict_the_product():
    found = run_selftest(product(), controls(), SystemRandomness(), trials=200)
    assert found.verdict == "INCONCLUSIVE"
    assert found.max_detectable_epsilon < found.claimed_epsilon
    assert all(c.verdict in {"FAIL", "INCONCLUSIVE"} for c in found.controls.values())


def test_a_control_that_is_not_recognised_lets_nothing_pass():
    found = run_selftest(product(), {"noise off": product()}, SystemRandomness(), trials=8000)
    assert found.controls["noise off"].verdict == "PASS"
    assert found.verdict == "INCONCLUSIVE"


def test_slightly_too_little_noise_is_found_by_the_fit():
    found = run_selftest(
        ReleasePath(_Weakened(Fraction(4, 5))), {}, SystemRandomness(), trials=TRIALS
    )
    assert found.verdict == "FAIL"
    assert found.finding.lower_bound < found.claimed_epsilon


def test_the_lots_of_the_canaries_can_be_fixed_and_the_noise_still_is_fresh():
    first, second = (
        run_selftest(product(), {}, ChaChaStream(b"k" * 32), trials=200) for _ in range(2)
    )
    assert first.finding.mu_fit != second.finding.mu_fit


def test_so_few_trials_are_refused():
    with pytest.raises(UsageError, match="can show nothing"):
        run_selftest(product(), {}, SystemRandomness(), trials=100)


def test_nothing_but_the_self_test_can_reach_the_broken_mechanisms():
    package = Path(securefl.__file__).parent
    users = {
        p.relative_to(package).as_posix()
        for p in package.rglob("*.py")
        if "selftest_controls import" in p.read_text("utf-8")
    }
    assert users == {"cli/selftest.py"}


def test_the_page_says_what_was_found_and_what_was_not(outcome):
    text = plain_text(selftest_page(outcome), 100)
    assert "PASS" in text
    assert all(name in text for name in NAMES)
    assert "no private data was read" in " ".join(text.split())


FRESH = WorkerFinding((), 1.002)
CONVICTED = WorkerFinding(("noise of the update: other releases",), 1.0)
BLIND = WorkerFinding((), 1.0, ("no noise",))


@pytest.mark.parametrize(
    ("worker", "verdict"), [(FRESH, "PASS"), (CONVICTED, "FAIL"), (BLIND, "INCONCLUSIVE")]
)
def test_what_the_worker_itself_answers_is_part_of_the_verdict(outcome, worker, verdict):
    found = outcome.with_worker(worker)
    assert found.verdict == verdict
    assert found.to_json()["worker"] == {
        "faults": list(worker.faults),
        "deviation": worker.deviation,
        "missed": list(worker.missed),
    }
    words = " ".join(plain_text(selftest_page(found), 100).split())
    assert ("nothing against it" in words) is not bool(worker.faults)
    assert all(fault in words for fault in worker.faults)
    assert ("not recognised no noise" in words) is bool(worker.missed)


def test_a_worker_does_not_mend_a_verdict(outcome):
    assert replace(outcome, verdict="FAIL").with_worker(FRESH).verdict == "FAIL"
    assert replace(outcome, verdict="INCONCLUSIVE").with_worker(BLIND).verdict == "INCONCLUSIVE"


@pytest.fixture
def no_process(monkeypatch):
    """Sound answers without a process; tests/integration/test_worker_trial.py asks the real one."""
    generator = np.random.default_rng(8)
    drawn = Draws(np.zeros((40, 190)), np.zeros(40), 0.7, 0.25, 4)
    answers = _sound(
        Answers(np.zeros((40, 201)), np.zeros((40, 128)), np.zeros((40, 2)), drawn), generator
    )
    monkeypatch.setattr("securefl.node.worker_trial.trial_workers", lambda _: nullcontext([]))
    monkeypatch.setattr("securefl.node.worker_trial.ask_workers", lambda _: answers)


@pytest.mark.usefixtures("no_process")
@pytest.mark.parametrize(
    ("arguments", "code", "verdict"), [([], 0, "PASS"), (["--trials", "200"], 2, "INCONCLUSIVE")]
)
def test_the_command_prints_json_and_its_exit_code_tells_the_verdict(
    monkeypatch, arguments, code, verdict
):
    monkeypatch.setattr("securefl.learning.selftest.TRIALS", TRIALS)
    done = CliRunner().invoke(selftest, ["privacy", "--json", "-", *arguments])
    assert done.exit_code == code
    assert json.loads(done.output)["verdict"] == verdict
    assert json.loads(done.output)["worker"]["faults"] == []


@pytest.mark.usefixtures("no_process")
def test_the_command_shows_a_page_and_writes_a_file(tmp_path):
    files = ["--json", str(tmp_path / "out.json"), "--html", str(tmp_path / "out.html")]
    done = CliRunner().invoke(selftest, ["privacy", "--trials", "200", *files])
    assert "INCONCLUSIVE" in (tmp_path / "out.html").read_text("utf-8")
    assert "INCONCLUSIVE" in done.output
    assert json.loads((tmp_path / "out.json").read_text())["verdict"] == "INCONCLUSIVE"
