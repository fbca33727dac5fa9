"""Software that runs here: its version, and the hash of requirements.lock for a study's digest."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

from securefl.errors import UnreadableError

#: Names under which this package is installed: the whole, and the one for small machines.
DISTRIBUTIONS: Final = ("securefl", "securefl-light")


@cache
def version() -> str:
    """Return the version of this installation, from its package metadata.

    pyproject.toml is the one place that states it. Found once a process: an upgrade beside a
    running agent changes no code that it has loaded.
    """
    for name in DISTRIBUTIONS:
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    raise UnreadableError(
        "securefl runs here, and is not installed.", next_step="Install securefl again."
    )


def lock_text() -> str:
    """Read the requirements.lock that this installation carries.

    Raises:
        UnreadableError: the installation is incomplete.
    """
    try:
        return (Path(__file__).parent / "requirements.lock").read_text("utf-8")
    except OSError as error:
        raise UnreadableError(
            f"requirements.lock cannot be read: {error.strerror}.",
            next_step="Install securefl again.",
        ) from None


def software() -> dict[str, str]:
    """Make the ``[software]`` table of a study made here."""
    return {"securefl": version(), "lock_sha256": hashlib.sha256(lock_text().encode()).hexdigest()}


@cache
def code_sha256() -> str:
    """Hash the Python files of this installation, in hex.

    A version names a release; between two releases checkouts of one version differ, and only this
    tells them apart. It is the same in a checkout and in the wheel that was built from it. Studies
    to play lie elsewhere in a checkout and are left out.
    """
    root = Path(__file__).parent
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*.py")}
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        if not name.startswith("protocols/"):
            digest.update(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n".encode())
    return digest.hexdigest()


def _brought() -> set[str]:
    """Names of this installation's own packages and all that they bring, installed or not.

    What else lies beside them, like the setuptools of a new virtual environment, is not used.
    """
    found: set[str] = set()
    todo = list(DISTRIBUTIONS)
    while todo:
        name = todo.pop()
        found.add(name)
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        wanted = {_plain_name(line) for line in lines if "extra ==" not in line}
        todo += wanted - found
    return found


def _plain_name(requirement: str) -> str:
    """Name of the package that a requirement asks for, as all spell it (PEP 503).

    >>> _plain_name("Ruamel.Yaml_x[jinja2]>=0.18; python_version < '4'")
    'ruamel-yaml-x'
    """
    word = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", word).lower()


def wrong_versions() -> list[str]:
    """List installed packages that differ from the lock; optional ones may be absent."""
    brought = _brought()
    wrong = []
    for line in lock_text().splitlines():
        package, _, pinned = line.partition("==")
        name = package.partition("[")[0]
        want = pinned.split(" ")[0]
        # A comment, or one of a package's hashes.
        if not want or line.startswith(("#", " ")) or _plain_name(name) not in brought:
            continue
        try:
            have = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        # A local suffix (+cpu) names another build of the same version.
        if have.split("+")[0] != want:
            wrong.append(f"{name} is {have}, the lock says {want}")
    return wrong
