"""Bundle, list of packages and release: what is checked before anything is installed or signed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import audit_deps  # noqa: E402
import bundle  # noqa: E402
import release  # noqa: E402
import sbom  # noqa: E402
from lock import read_lock  # noqa: E402

LOCK = (ROOT / "requirements.lock").read_text("utf-8")
KEYGEN = shutil.which("ssh-keygen")


@pytest.fixture
def packed(tmp_path):
    """A bundle whose wheels are none: its files are checked before pip sees them."""
    folder = tmp_path / "bundle"
    (folder / "wheels").mkdir(parents=True)
    (folder / "wheels" / "a-1-py3-none-any.whl").write_bytes(b"wheel")
    (folder / "requirements.txt").write_text(bundle.requirements(folder / "wheels"))
    shutil.copy(ROOT / "packaging" / "install.sh", folder)
    (folder / bundle.SUMS).write_text(bundle.sums(folder))
    return folder


def install(folder, *words, **environment):
    return subprocess.run(
        [folder / "install.sh", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHON": sys.executable, **environment},
    )


def test_a_bundle_as_it_was_packed_is_taken(packed):
    done = install(packed, "--check")
    assert (done.returncode, done.stdout) == (0, "All files are as they were packed.\n")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "wheels" / "a-1-py3-none-any.whl").write_bytes(b"other"),
        lambda folder: (folder / "wheels" / "b-1-py3-none-any.whl").write_bytes(b"added"),
        lambda folder: (folder / "requirements.txt").unlink(),
        lambda folder: (folder / "requirements.txt").write_text("a==1\n"),
        lambda folder: (folder / bundle.SUMS).write_text("nonsense\n"),
    ],
    ids=["changed", "added", "missing", "without hashes", "no list"],
)
def test_a_bundle_that_was_changed_installs_nothing(packed, tmp_path, spoil):
    spoil(packed)
    done = install(packed, tmp_path / "made")
    assert done.returncode == 1
    assert "Take the bundle again" in done.stderr
    assert not (tmp_path / "made").exists()


@pytest.mark.soak
def test_what_pip_refuses_leaves_no_installation(packed, tmp_path):
    done = install(packed, tmp_path / "made")
    assert done.returncode != 0
    assert not (tmp_path / "made").exists()


def test_an_installation_is_never_written_over_another_one(packed, tmp_path):
    (tmp_path / "there").mkdir()
    done = install(packed, tmp_path / "there")
    assert "never written over another one" in done.stderr
    assert (tmp_path / "there").exists()


@pytest.mark.skipif(KEYGEN is None, reason="no ssh-keygen here")
def test_only_the_named_key_signs_a_bundle_and_only_where_somebody_asks(packed, tmp_path):
    keys = {}
    for name in ("ours", "other"):
        keys[name] = tmp_path / name
        subprocess.run([KEYGEN, "-q", "-t", "ed25519", "-N", "", "-f", keys[name]], check=True)
    signers = tmp_path / "signers"
    signers.write_text(f"securefl {keys['ours'].with_suffix('.pub').read_text()}")
    asked = {"SIGNERS": str(signers)}
    assert "nobody signed" in install(packed, "--check", **asked).stderr
    release.sign(packed / bundle.SUMS, keys["other"])
    assert install(packed, "--check", **asked).returncode == 1
    # the control: without SIGNERS the signature is not looked at
    assert install(packed, "--check").returncode == 0
    release.sign(packed / bundle.SUMS, keys["ours"])
    assert install(packed, "--check", **asked).returncode == 0
    assert install(packed, "--check", **asked, SIGNER="somebody").returncode == 1


def test_the_bundle_has_every_package_of_the_lock_and_no_other(tmp_path):
    names = {name.partition("[")[0] for name in read_lock(LOCK)} | {"securefl"}
    for name in names:
        (tmp_path / f"{name.replace('-', '_')}-1-py3-none-any.whl").touch()
    bundle.check_whole(tmp_path)
    (tmp_path / "pytest-9-py3-none-any.whl").touch()
    with pytest.raises(SystemExit, match="pytest"):
        bundle.check_whole(tmp_path)


def test_the_light_bundle_has_every_package_of_the_light_lock_and_no_other(tmp_path):
    lock = read_lock((ROOT / bundle.LIGHT_LOCK).read_text("utf-8"))
    for name in {*lock, "securefl-light"}:
        (tmp_path / f"{name.replace('-', '_')}-1-py3-none-any.whl").touch()
    bundle.check_whole(tmp_path, light=True)
    (tmp_path / "torch-2-py3-none-any.whl").touch()
    with pytest.raises(SystemExit, match="torch"):
        bundle.check_whole(tmp_path, light=True)


def test_pip_is_given_each_version_of_the_lock_once_and_no_hash():
    lines = release.constraints(LOCK).splitlines()
    pins = {f"{n.partition('[')[0]}=={version}" for n, (version, _) in read_lock(LOCK).items()}
    assert set(lines) == pins
    assert len(lines) == len({line.partition("==")[0] for line in lines})


def test_of_torch_the_bundle_takes_the_build_without_cuda():
    rest = read_lock(bundle.without_torch(LOCK))
    assert set(read_lock(LOCK)) - set(rest) == {"torch"}
    assert not any(name.startswith(("nvidia", "cuda", "triton")) for name in rest)


def test_the_list_of_packages_is_that_of_the_lock_and_the_same_each_time():
    first = sbom.dump(sbom.bill(LOCK, "2026-01-01T00:00:00Z"))
    assert first == sbom.dump(sbom.bill(LOCK, "2026-01-01T00:00:00Z"))
    found = json.loads(first)
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    pins = {name.partition("[")[0]: version for name, (version, _) in read_lock(LOCK).items()}
    assert {c["name"]: c["version"] for c in found["components"]} == pins
    refs = {c["bom-ref"] for c in found["components"]}
    needed = {d["ref"]: set(d["dependsOn"]) for d in found["dependencies"]}
    own = found["metadata"]["component"]["bom-ref"]
    assert set(needed) == refs | {own}
    assert set().union(*needed.values()) <= refs
    # everything in the lock is there because somebody asks for it
    reached, todo = set(), [own]
    while todo:
        ref = todo.pop()
        if ref not in reached:
            reached.add(ref)
            todo += needed[ref]
    assert refs - reached == set()


def test_a_package_that_nobody_could_ask_about_is_not_called_sound():
    sound = {"name": "a", "version": "1", "vulns": []}
    skipped = {"name": "b", "skip_reason": "not found"}
    fault = {"name": "c", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]}

    def code(*packages):
        return audit_deps.verdict(json.dumps({"dependencies": packages}))[0]

    assert code(sound) == 0
    assert code(sound, skipped) == audit_deps.NOT_CHECKED
    assert code(sound, skipped, fault) == 1
    assert code() == audit_deps.NOT_CHECKED
    assert audit_deps.verdict("no JSON")[0] == audit_deps.NOT_CHECKED
    # it never counts the faults of packages that nobody was asked about
    _, lines = audit_deps.verdict(json.dumps({"dependencies": [skipped]}))
    assert lines[0] == "NOT CHECKED: 1 of 1 packages could not be asked about."
    assert "0 known faults" not in " ".join(lines)


def test_the_list_of_faults_says_aloud_that_nobody_was_asked(monkeypatch, capsys, tmp_path):
    program = tmp_path / "bin" / "pip-audit"
    program.parent.mkdir()
    skipped = json.dumps({"dependencies": [{"name": "b", "skip_reason": "not found"}]})
    program.write_text(f"#!/bin/sh\necho No known vulnerabilities found >&2\necho '{skipped}'\n")
    program.chmod(0o755)
    monkeypatch.setattr(audit_deps, "PLACE", tmp_path)
    assert audit_deps.main() == audit_deps.NOT_CHECKED == 3
    said = capsys.readouterr()
    assert said.out.startswith("NOT CHECKED: 1 of 1 packages")
    assert "No known vulnerabilities" not in said.out + said.err
    # an index that never answers is one that cannot be asked
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(audit_deps, "_PATIENCE", 0.2)
    assert audit_deps.main() == audit_deps.NOT_CHECKED
    assert "did not come to an end" in capsys.readouterr().err


def test_a_release_names_who_is_told_of_faults():
    page = (ROOT / "MAINTAINERS.md").read_text("utf-8")
    for filled in ("", "| Ada | | ada@example.org | 1a2b |\n", "| Ada | Uni |\n"):
        with pytest.raises(SystemExit, match="names nobody"):
            release.check_maintainers(page + filled)
    release.check_maintainers(f"{page}| Ada | Uni | ada@example.org | 1a2b |\n")


def test_a_version_without_its_changes_is_no_release(monkeypatch):
    monkeypatch.setattr(
        release.subprocess, "run", lambda *_, **__: type("Done", (), {"stdout": ""})
    )
    release.check_ready("# Changes\n\n## 9.9.9 (2026-01-01)\n", "9.9.9")
    for heading in ("9.9.8 (2026-01-01)", "9.9.9 (not released yet)", "9.9.90 (2026-01-01)"):
        with pytest.raises(SystemExit, match="has no heading"):
            release.check_ready(f"# Changes\n\n## {heading}\n", "9.9.9")
    monkeypatch.setattr(
        release.subprocess, "run", lambda *_, **__: type("Done", (), {"stdout": " M x"})
    )
    with pytest.raises(SystemExit, match="Commit first"):
        release.check_ready("\n## 9.9.9 (2026-01-01)\n", "9.9.9")


def test_every_file_of_the_package_belongs_into_the_wheel():
    """setuptools leaves out, without a word, what no pattern in pyproject.toml names."""
    import fnmatch
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["securefl"]
    package = ROOT / "securefl"
    files = [
        p.relative_to(package).as_posix()
        for p in package.rglob("*")
        if p.is_file() and p.suffix not in {".py", ".pyc"}
    ]
    assert len(files) > 10
    # fnmatch's * takes slashes too, so ** is one of them
    missed = [
        f for f in files if not any(fnmatch.fnmatch(f, p.replace("**/", "")) for p in patterns)
    ]
    assert missed == []
