"""Software that runs here: its version, and the hash of requirements.lock for a study's digest."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

from securefl.errors import UnreadableError


@cache
def version() -> str:
    """Return the version of this installation, from its package metadata.

    pyproject.toml is the one place that states it. Found once a process: an upgrade beside a
    running agent changes no code that it has loaded.
    """
    return metadata.version("securefl")


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


def wrong_versions() -> list[str]:
    """List installed packages that differ from the lock; optional ones may be absent."""
    wrong = []
    for line in lock_text().splitlines():
        package, _, pinned = line.partition("==")
        name = package.partition("[")[0]
        want = pinned.split(" ")[0]
        # A comment, or one of a package's hashes.
        if not want or line.startswith(("#", " ")):
            continue
        try:
            have = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        # A local suffix (+cpu) names another build of the same version.
        if have.split("+")[0] != want:
            wrong.append(f"{name} is {have}, the lock says {want}")
    return wrong
