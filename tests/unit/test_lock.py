"""requirements.lock is what is installed and what a study's digest covers."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

import securefl

ROOT = Path(securefl.__file__).parents[1]
LINES = [line for line in (ROOT / "requirements.lock").read_text("utf-8").splitlines() if line and not line.startswith("#")]
PINS = {re.sub(r"[-_.]+", "-", name).lower(): version for name, _, version in (line.partition("==") for line in LINES)}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NEEDED = [*PROJECT["dependencies"], *(d for extra in PROJECT["optional-dependencies"].values() for d in extra)]
SYFT = {
    "syft": "0.10.0", "syft-rds": "0.6.1", "syft-job": "0.1.40", "syft-dataset": "0.1.21", "syft-perms": "0.1.15",
    "syft-permissions": "0.1.15", "syft-crypto-python": "0.1.2b4", "syft-migration": "0.1.1", "syft-notebook-ui": "0.1.1",
}


def test_every_line_pins_one_package_to_one_version():
    bad = [line for line in LINES if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][0-9A-Za-z.!]*", line)]
    assert bad == []
    assert len(PINS) == len(LINES)


def test_no_version_has_a_local_suffix_so_cpu_and_cuda_builds_both_fit():
    assert "+" not in "".join(LINES)


def test_torch_is_the_version_that_was_measured():
    assert PINS["torch"] == "2.13.0"


def test_all_nine_pysyft_packages_are_pinned_as_measured():
    assert {n: v for n, v in PINS.items() if n.startswith("syft")} == SYFT


@pytest.mark.parametrize("needed", NEEDED)
def test_every_dependency_of_the_project_is_in_the_lock_at_a_version_it_allows(needed):
    from packaging.requirements import Requirement

    requirement = Requirement(needed)
    pin = PINS[re.sub(r"[-_.]+", "-", requirement.name).lower()]
    assert requirement.specifier.contains(pin, prereleases=True)


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the lock is resolved on 3.11")
def test_everything_that_an_installed_dependency_brings_is_in_the_lock():
    from importlib import metadata

    from packaging.requirements import Requirement

    missing = set()
    for name in PINS:
        for text in metadata.requires(name) or []:
            requirement = Requirement(text)
            wanted = re.sub(r"[-_.]+", "-", requirement.name).lower()
            # CUDA libraries come with torch's other build; it names them itself
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                missing |= {wanted} - set(PINS)
    assert {m for m in missing if not m.startswith(("nvidia-", "cuda-", "triton"))} == set()
