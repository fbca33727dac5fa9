"""Wheel and bundle as they are given away: the same each time, and installed without a network."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import build_wheel  # noqa: E402
import bundle  # noqa: E402

pytestmark = pytest.mark.soak


def alone():
    """What takes the network away from a command, where this machine can."""
    words = [shutil.which("unshare") or "unshare", "-rn"]
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine forbids user namespaces")
    return words


def test_the_wheel_of_one_commit_is_the_same_whenever_and_however_it_is_built(tmp_path):
    first = build_wheel.build(tmp_path / "a")
    before = os.umask(0o077)
    try:
        second = build_wheel.build(tmp_path / "b")
    finally:
        os.umask(before)
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as wheel:
        names = set(wheel.namelist())
    # studies to play lie elsewhere in the repository
    studies = {p.parent.name for p in (ROOT / "protocols" / "studies").glob("*/protocol.toml")}
    assert {f"securefl/protocols/studies/{s}/protocol.toml" for s in studies} <= names


def test_without_the_commits_time_it_differs(tmp_path, monkeypatch):
    """The control: what is compared above does depend on something."""
    first = build_wheel.build(tmp_path / "a")
    later = str(int(build_wheel.committed_at()) + 3600)
    monkeypatch.setattr(build_wheel, "committed_at", lambda: later)
    assert first.read_bytes() != build_wheel.build(tmp_path / "b").read_bytes()


def installed(bundled, place, words):
    """Install a bundle where there is no network; its size in bytes."""
    quiet = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    quiet["PYTHON"] = sys.executable
    command = [*words, bundled / "install.sh", place]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=quiet)
    assert done.returncode == 0, done.stderr
    return sum(p.stat().st_size for p in place.rglob("*") if p.is_file() and not p.is_symlink())


def securefl(place, words, *arguments):
    """What an installed command prints: no network, and nothing of this repository."""
    told = subprocess.run(
        [*words, place / "bin" / "securefl", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=place.parent,
        env={"PATH": "/usr/bin:/bin", "HOME": str(place.parent)},
    )
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout


def packages(place):
    return {p.name for p in (place / "lib" / "python3.11" / "site-packages").iterdir()}


def test_a_bundle_installs_without_a_network_and_works(tmp_path):
    """Needs an index, or PIP_FIND_LINKS with the wheels of requirements.lock."""
    words = alone()
    made = bundle.make(tmp_path / "dist", [])
    place = tmp_path / "installed"
    assert installed(made, place, words) < 1.2e9
    securefl(place, words, "doctor", "--json", "-")
    assert packages(place).isdisjoint({"pytest", "mypy", "hypothesis", "ruff"})


def test_a_light_bundle_installs_below_300_mb_and_makes_a_hospital(tmp_path):
    """Needs an index, or PIP_FIND_LINKS with the wheels of requirements-light.lock."""
    words = alone()
    made = bundle.make(tmp_path / "dist", [], light=True)
    place = tmp_path / "installed"
    assert installed(made, place, words) < 300e6  # with pip and setuptools
    assert packages(place).isdisjoint({"pandas", "syft", "torch", "opacus"})
    who = ["--name", "Edge", "--legal-name", "Edge", "--email", "e@example.org"]
    site = ["site", "init", str(tmp_path / "Edge"), *who, "--store", str(tmp_path / "store")]
    with pytest.raises(AssertionError, match="site init --without-pysyft"):
        securefl(place, words, *site)
    securefl(place, words, *site, "--without-pysyft")
    checks = json.loads(
        securefl(place, words, "doctor", "--folder", str(tmp_path / "Edge"), "--json", "-")
    )
    found = {row["check"]: row["detail"] for row in checks["checks"]}
    assert found["requests"] == "signed, from the store, without PySyft"
