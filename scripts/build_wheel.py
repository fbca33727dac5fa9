"""Build the wheel and the sdist of what was committed, so that the same commit gives the same wheel.

Whatever varies is taken out: the files come from ``git archive``, with fixed modes, their times are
the commit's (``SOURCE_DATE_EPOCH``, https://reproducible-builds.org/specs/source-date-epoch/), the
build tools are those of ``requirements-dev.lock``. Run by ``make wheel``.

``--light`` builds securefl-light: the same files under another name, which asks for neither PySyft
nor PyTorch (pyproject.toml says what it leaves out). Only one of the two is installed in one place.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def committed_at() -> str:
    """Seconds since 1970 of the newest commit."""
    return _git("log", "-1", "--format=%ct").decode().strip()


def committed_time() -> str:
    """The same, UTC in ISO 8601."""
    return f"{datetime.fromtimestamp(int(committed_at()), UTC):%Y-%m-%dT%H:%M:%SZ}"


def version() -> str:
    """The version that pyproject.toml states."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    return str(tomllib.loads(text)["project"]["version"])


def export(target: Path) -> None:
    """Write the committed files into a folder, each with one of two modes."""
    with tarfile.open(fileobj=io.BytesIO(_git("archive", "HEAD"))) as archive:
        archive.extractall(target, filter="data")
    for path in target.rglob("*"):
        if path.is_symlink():
            continue
        runs = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if runs else 0o644)


def lighten(project: str) -> str:
    """The project's file as that of securefl-light: its name, and fewer dependencies."""
    named = project.replace('name = "securefl"\n', 'name = "securefl-light"\n', 1)
    head, begin, rest = named.partition("\ndependencies = [\n")
    listed, end, tail = rest.partition("\n]\n")
    left_out = set(
        tomllib.loads(project).get("tool", {}).get("securefl", {}).get("light-without", ())
    )
    kept = [line for line in listed.splitlines() if _package(line) not in left_out]
    return head + begin + "\n".join(kept) + end + tail


def _package(line: str) -> str:
    """The package's name in a line of a list of dependencies."""
    return re.split(r"[<>=]", line.strip().strip('",'))[0]


def build(target: Path, *, light: bool = False) -> Path:
    """Make both in ``target``; the wheel's path."""
    os.umask(0o022)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        made = Path(folder) / "made"
        source.mkdir()
        export(source)
        if light:
            project = source / "pyproject.toml"
            project.write_text(lighten(project.read_text("utf-8")), "utf-8")
        environment = {**os.environ, "SOURCE_DATE_EPOCH": committed_at()}
        subprocess.run(
            [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(made), str(source)],
            check=True,
            stdout=subprocess.DEVNULL,
            env=environment,
        )
        target.mkdir(parents=True, exist_ok=True)
        for file in made.iterdir():
            (target / file.name).write_bytes(file.read_bytes())
        return target / next(made.glob("*.whl")).name


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True).stdout


def main() -> int:
    """Say where the wheel is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--light", action="store_true", help="securefl-light")
    given = parser.parse_args()
    print(build(given.out, light=given.light))
    return 0


if __name__ == "__main__":
    sys.exit(main())
