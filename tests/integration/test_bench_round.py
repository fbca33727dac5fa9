"""``securefl bench round``: real processes, exact sums, and the bare calls of the same run beside
them.
"""

import itertools
import json
import statistics
import subprocess
import sys

import pytest
from click.testing import CliRunner

from securefl.bench.bare import Load, bench_bare
from securefl.bench.consortium import make_consortium, nearest_model
from securefl.bench.memory import peak_mb
from securefl.cli.main import cli
from securefl.errors import SecureFLError
from securefl.study.training import training_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["fail", "continue"])
def figures(request):
    command = [
        "bench",
        "round",
        "--parameters",
        "20",
        "--sites",
        "3",
        "--rounds",
        "6",
        "--on-dropout",
        request.param,
        "--json",
        "-",
    ]
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert done.exit_code == 0
    return json.loads(done.output)


def test_the_round_is_the_median_of_five_warm_ones(figures):
    assert len(figures["round_seconds"]) == 5
    assert figures["warm_round_seconds"] == statistics.median(figures["round_seconds"])


def test_every_round_of_the_run_was_exact(figures):
    assert figures["exact"] is True


def test_the_upload_is_one_ciphertext_and_its_frame(figures):
    assert 26112 < figures["upload_bytes_per_parameter"] * figures["parameters"] < 26112 + 20_000


def test_memory_is_told_as_growth_above_the_start_of_each_process(figures):
    assert set(figures["growth_mb"]) == {"coordinator", "aggregator", "hospital"}
    assert (
        0 < figures["peak_growth_mb"] == max(figures["growth_mb"].values()) < figures["peak_rss_mb"]
    )


def test_a_process_does_not_count_what_its_parent_held():
    held = bytearray(200 << 20)
    before = peak_mb()
    held.clear()
    own = float(
        subprocess.run(
            [sys.executable, "-c", "from securefl.bench.memory import peak_mb; print(peak_mb())"],
            capture_output=True,
            check=True,
        ).stdout
    )
    assert before > 200 > own > 0


def test_rounds_in_which_every_hospital_verifies_stand_beside_them(figures):
    assert figures["verified_processor_seconds"] > 0
    assert figures["verified_round_seconds"] > 0
    assert figures["verified_peak_rss_mb"] > 0


def test_the_ratio_is_to_the_bare_calls_of_the_same_run(figures):
    assert figures["bare_seconds"] == statistics.median(figures["bare_round_seconds"])
    assert figures["ratio"] == figures["warm_round_seconds"] / figures["bare_seconds"]
    assert 0 < figures["bare_processor_seconds"] < figures["processor_seconds"]


def test_a_bare_process_that_ends_is_an_error_and_no_figure():
    with pytest.raises(SecureFLError, match="ended"):
        bench_bare(Load(-1), 2, 1)


def test_more_sites_than_cores_share_the_cores():
    for load in (Load(1), Load(1, 3, 2)):
        assert all(b.seconds > 0 and b.processor_seconds > 0 for b in bench_bare(load, 5, 2))


@pytest.mark.parametrize("wanted", [481, 10_000, 999_937, 10_000_000])
def test_the_model_has_the_wanted_size_within_a_thousandth(wanted):
    features, hidden = nearest_model(wanted)
    sizes = [features, *hidden, 1]
    assert sum((a + 1) * b for a, b in itertools.pairwise(sizes)) == pytest.approx(wanted, rel=1e-3)


def test_a_consortium_is_one_approved_study(tmp_path):
    plan = make_consortium(tmp_path, parameters=9, sites=3, bits=12, rounds=2)
    assert (
        len(plan.study.cohort),
        training_of(plan.study).rounds,
        training_of(plan.study).bits,
    ) == (
        3,
        2,
        12,
    )
    assert len(list((tmp_path / "store" / "studies" / plan.digest / "approvals").iterdir())) == 3
