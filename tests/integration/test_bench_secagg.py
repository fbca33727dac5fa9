"""``securefl bench secagg``: the figures are there, whole, and about the bytes that it leaves
behind.
"""

import json

import pytest
from click.testing import CliRunner

from securefl.bench.sums import bench_secagg
from securefl.cli.main import cli

KEYS = {
    "bytes_per_parameter",
    "plaintext_bytes_same_bits",
    "encrypt_seconds",
    "sum_seconds",
    "decrypt_seconds",
    "max_abs_error",
    "exact",
    "peak_rss_mb",
}


def measured(*arguments):
    done = CliRunner().invoke(
        cli, ["bench", "secagg", *map(str, arguments), "--json", "-"], catch_exceptions=False
    )
    assert done.exit_code == 0
    return json.loads(done.output)


def test_the_figures_are_one_json_object_on_standard_output():
    figures = measured("--parameters", 481, "--sites", 3, "--bits", 16)
    assert set(figures) >= KEYS
    assert (figures["parameters"], figures["sites"], figures["bits"]) == (481, 3, 16)
    assert figures["plaintext_bytes_same_bits"] == 2.0
    assert all(figures[k] > 0 for k in KEYS if k.endswith("_seconds") or k == "peak_rss_mb")


@pytest.mark.parametrize("bits", [8, 12, 16, 24])
def test_the_sum_is_exact_at_every_width(bits):
    figures = measured("--parameters", 100, "--sites", 2, "--bits", bits)
    assert figures["exact"] is True
    assert figures["max_abs_error"] == 0


def test_bytes_per_parameter_are_those_of_the_kept_files(tmp_path):
    figures = measured(
        "--parameters", 9000, "--sites", 3, "--bits", 12, "--keep", tmp_path / "kept"
    )
    files = sorted((tmp_path / "kept").iterdir())
    assert [f.name for f in files] == [
        "site0000.contribution",
        "site0001.contribution",
        "site0002.contribution",
    ]
    assert figures["bytes_per_parameter"] == max(f.stat().st_size for f in files) / 9000


def test_a_small_model_fits_one_ciphertext(tmp_path):
    bench_secagg(481, 2, 16, tmp_path)
    assert {f.stat().st_size // 26112 for f in tmp_path.iterdir()} == {1}
