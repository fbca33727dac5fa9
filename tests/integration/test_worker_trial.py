"""The worker process itself: noise and draws judged from its answers, and broken draws in the same
process convicted.
"""

import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from broken_worker import MUTANTS, stand_in

from securefl.node.launcher import Worker
from securefl.node.worker_trial import ask_workers, trial_workers, write_trial_table
from securefl.privacy.worker_answers import judge_with_controls
from securefl.sources.csv import CsvSource
from securefl.study.worker_walls import WorkerRules

SUPPORT = Path(__file__).parents[1] / "support"


def test_the_real_worker_draws_fresh_noise_and_chooses_patients_as_promised(tmp_path):
    with trial_workers(tmp_path) as workers:
        found = judge_with_controls(ask_workers(workers), np.random.default_rng())
    assert found.faults == ()
    assert found.missed == ()
    assert found.deviation == pytest.approx(
        1.0, abs=0.05
    )  # 8,040 values: more than six standard errors


def test_a_worker_with_broken_draws_is_convicted(tmp_path, monkeypatch):
    """The control: the same process, the same questions, other draws; no file, flag or variable of
    the product leads there.
    """
    script = tmp_path / "python"
    script.write_text(stand_in(sys.executable, str(SUPPORT)))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr("securefl.node.launcher.sys.executable", str(script))
    write_trial_table(tmp_path / "trial.csv")
    with Worker(
        CsvSource(tmp_path / "trial.csv"),
        max_bytes=8 * 4096,
        log=tmp_path / "worker.log",
        rules=WorkerRules(),
    ) as worker:
        for mutant, word in MUTANTS.items():
            found = judge_with_controls(ask_workers([worker], releases=16), np.random.default_rng())
            assert bool(found.faults) is bool(word), f"{mutant.__name__}: {found.faults}"
            assert any(fault.endswith(word) for fault in found.faults) or not word, (
                f"{mutant.__name__}: {found.faults}"
            )
