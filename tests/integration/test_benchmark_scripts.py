"""Benchmark scripts still run, at the smallest sizes: their figures are looked at elsewhere."""

import json
import subprocess
import sys
from pathlib import Path

SECAGG = Path(__file__).parents[2] / "benchmarks" / "secagg"


def said(*command):
    done = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_memory_of_large_models_in_both_packings():
    found = said(SECAGG / "large.py", "--sizes", "300", "60000", "--json", "-")
    small, large = found["rounds"]
    assert all(one["exact"] for one in (small, large))
    assert small["upload_bytes_per_parameter"] > 50 > 5 > large["upload_bytes_per_parameter"]


def test_bfv_beside_ckks():
    found = said(SECAGG / "bfv.py", "500", "2", "8", "1")
    assert all(scheme["exact"] for scheme in found["schemes"])
    assert len(found["schemes"]) == 3
