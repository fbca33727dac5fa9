import hashlib
from importlib import metadata
from pathlib import Path

import pytest

import securefl
from securefl import environment
from securefl.environment import lock_text, software, wrong_versions
from securefl.errors import UnreadableError

ROOT = Path(securefl.__file__).parents[1]


def test_the_installed_lock_is_the_lock_of_the_project():
    assert lock_text() == (ROOT / "requirements.lock").read_text("utf-8")


def test_a_study_made_here_names_this_version_and_this_lock():
    assert software() == {
        "securefl": securefl.__version__,
        "lock_sha256": hashlib.sha256((ROOT / "requirements.lock").read_bytes()).hexdigest(),
    }


def test_the_version_of_the_package_is_that_of_its_metadata():
    assert metadata.version("securefl") == securefl.__version__


def test_an_incomplete_installation_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "environment.py"))
    with pytest.raises(UnreadableError, match=r"requirements\.lock cannot be read") as caught:
        lock_text()
    assert caught.value.next_step == "Install securefl again."


def test_the_light_distribution_has_the_version_too(monkeypatch):
    def version(name):
        if name != "securefl-light":
            raise metadata.PackageNotFoundError(name)
        return "9.8.7"

    monkeypatch.setattr(environment.metadata, "version", version)
    assert environment.version.__wrapped__() == "9.8.7"
    monkeypatch.setattr(environment, "DISTRIBUTIONS", ())
    with pytest.raises(UnreadableError, match="is not installed"):
        environment.version.__wrapped__()


def test_what_nobody_here_asks_for_is_no_wrong_version(monkeypatch):
    """setuptools of a new virtual environment: the lock names it because torch asks for it."""
    real, asks = metadata.version, metadata.requires
    stale = {"setuptools": "65.5.0"}
    monkeypatch.setattr(environment.metadata, "version", lambda n: stale.get(n) or real(n))
    assert [line.split()[0] for line in wrong_versions()] == ["setuptools"]
    without = {"securefl": ["click>=8.1", "setuptools; extra == 'build'"]}
    monkeypatch.setattr(
        environment.metadata, "requires", lambda n: without.get(n, []) if n in without else asks(n)
    )
    assert wrong_versions() == []


def test_packages_that_differ_from_the_lock_are_named_and_absent_ones_are_not(monkeypatch):
    have = {"torch": "2.13.0+cpu", "syft": "0.9.9", "numpy": "2.4.6"}

    def version(name):
        if name not in have:
            raise metadata.PackageNotFoundError(name)
        return have[name]

    monkeypatch.setattr(environment.metadata, "version", version)
    assert wrong_versions() == ["syft is 0.9.9, the lock says 0.10.0"]
