"""Pack what a machine without a network needs: wheels of the runtime alone, their hashes, a script.

The wheels are those that ``requirements.lock`` names, the CPU build of PyTorch among them, each
fetched by pip against its SHA-256. The bundle is a folder and a tar file of it; ``install.sh`` in
it checks every file, then installs with ``--no-index --require-hashes``. Run by ``make bundle``.
With ``--light`` it is securefl-light and the wheels of ``requirements-light.lock``.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import build_wheel
from lock import read_lock

ROOT = Path(__file__).resolve().parents[1]
SUMS = "SHA256SUMS"
LIGHT_LOCK = "requirements-light.lock"


def fetch(wheels: Path, pip_args: list[str], *, light: bool = False) -> None:
    """Fetch the wheels of the runtime, or of its light part; pip refuses any other file.

    Raises:
        subprocess.CalledProcessError: one of them is not found.
    """
    with tempfile.TemporaryDirectory() as folder:
        rest = Path(folder) / "rest.lock"
        rest.write_text(without_torch((ROOT / "requirements.lock").read_text("utf-8")), "utf-8")
        files = [ROOT / "requirements-cpu.lock", rest]
        if light:
            files = [ROOT / LIGHT_LOCK]
        for file in files:
            command = [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--disable-pip-version-check", "--only-binary", ":all:", "--require-hashes"),
                *("--dest", str(wheels), "--requirement", str(file)),
                *pip_args,
            ]
            subprocess.run(command, check=True)


def without_torch(lock: str) -> str:
    """Leave out PyTorch: the bundle takes the CPU build, which another file names."""
    return re.sub(r"^torch==(?:.*\\\n)*.*\n", "", lock, flags=re.MULTILINE)


def requirements(wheels: Path) -> str:
    """Every wheel by its version and its one hash, as pip takes it."""
    lines = []
    for wheel in sorted(wheels.iterdir()):
        name, version = wheel.name.split("-")[:2]
        lines.append(f"{name.replace('_', '-')}=={version} --hash=sha256:{_hash(wheel)}")
    return "\n".join(lines) + "\n"


def check_whole(wheels: Path, *, light: bool = False) -> None:
    """Compare the wheels with the lock, package by package.

    Raises:
        SystemExit: one is missing or too much.
    """
    lock, own = "requirements.lock", "securefl"
    if light:
        lock, own = LIGHT_LOCK, "securefl-light"
    locked = read_lock((ROOT / lock).read_text("utf-8"))
    wanted = {_plain(name.partition("[")[0]) for name in locked} | {own}
    there = {_plain(wheel.name.split("-")[0]) for wheel in wheels.iterdir()}
    if there != wanted:
        sys.exit(f"not what the lock says: {', '.join(sorted(there ^ wanted))}")


def sums(folder: Path) -> str:
    """The list of hashes of every file, as sha256sum(1) reads it."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != SUMS)
    return "".join(f"{_hash(p)}  {p.relative_to(folder).as_posix()}\n" for p in files)


def make(
    target: Path, pip_args: list[str], reuse: Path | None = None, *, light: bool = False
) -> Path:
    """Make the bundle's folder below ``target``."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel.build(Path(folder), light=light)
        name, version = wheel.name.split("-")[:2]
        bundle = target / f"{_plain(name)}-{version}-cp311-linux-x86_64"
        shutil.rmtree(bundle, ignore_errors=True)
        wheels = bundle / "wheels"
        wheels.mkdir(parents=True)
        if reuse is not None:
            # pip looks here first, and checks the hash all the same
            pip_args = ["--find-links", str(reuse), *pip_args]
        fetch(wheels, pip_args, light=light)
        shutil.copy(wheel, wheels)
    check_whole(wheels, light=light)
    (bundle / "requirements.txt").write_text(requirements(wheels), "utf-8")
    shutil.copy(ROOT / "packaging" / "install.sh", bundle)
    shutil.copy(ROOT / "LICENSE", bundle)
    (bundle / SUMS).write_text(sums(bundle), "utf-8")
    return bundle


def pack(bundle: Path) -> Path:
    """Put the folder into a tar file; wheels are compressed already."""
    packed = bundle.with_suffix(bundle.suffix + ".tar")
    when = int(build_wheel.committed_at())
    with tarfile.open(packed, "w") as archive:
        for path in sorted(bundle.rglob("*")):
            info = archive.gettarinfo(path, str(path.relative_to(bundle.parent)))
            info.uid = info.gid = 0
            info.uname = info.gname = ""
            info.mtime = when
            if path.is_file():
                with path.open("rb") as file:
                    archive.addfile(info, file)
            else:
                archive.addfile(info)
    return packed


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> int:
    """Say where the bundle is, and how large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--wheels", type=Path, help="a folder of wheels that pip looks in first")
    parser.add_argument("--pip-args", default="", help="more options for pip, as one word")
    parser.add_argument("--light", action="store_true", help="securefl-light: without PySyft")
    given = parser.parse_args()
    bundle = make(given.out, shlex.split(given.pip_args), given.wheels, light=given.light)
    packed = pack(bundle)
    wheels = len(list((bundle / "wheels").iterdir()))
    print(f"{packed}: {packed.stat().st_size / 1e6:.0f} MB, {wheels} wheels")
    print(f"On the other machine: tar xf {packed.name}; cd {bundle.name}; ./install.sh FOLDER")
    return 0


if __name__ == "__main__":
    sys.exit(main())
