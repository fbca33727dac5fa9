"""Make everything that a release is, and sign it with a named key: wheel, sdist, bundle, list of
packages, versions for pip and pipx, and the hashes of all.

``SHA256SUMS`` names every file; ``SHA256SUMS.sig`` is by the key that ``--key`` names (``ssh-keygen
-Y sign``, namespace ``securefl-release``), the list in the bundle likewise. Whoever receives them
needs that key's line of allowed signers, by a way of its own. Run by ``make release KEY=...``.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import build_wheel
import bundle
import sbom
from lock import read_lock

ROOT = Path(__file__).resolve().parents[1]
NAMESPACE = "securefl-release"


def check_ready(changelog: str, version: str) -> None:
    """Refuse what is no release yet.

    Raises:
        SystemExit: files are not committed, or the changelog has no date for this version.
    """
    state = subprocess.run(
        ["git", "status", "--porcelain"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    if state:
        sys.exit(f"Commit first; a release is what was committed:\n{state}")
    if not re.search(rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)$", changelog, re.MULTILINE):
        sys.exit(f"CHANGELOG.md has no heading '## {version} (DATE)'. Write what changed.")


def check_maintainers(page: str) -> None:
    """Refuse a release about whose faults nobody could be told.

    Args:
        page: text of MAINTAINERS.md.

    Raises:
        SystemExit: no row of its table has all four cells filled.
    """
    rows = [line.strip().strip("|").split("|") for line in page.splitlines() if line[:1] == "|"]
    named = [row for row in rows[2:] if len(row) == 4 and all(cell.strip() for cell in row)]
    if not named:
        sys.exit("MAINTAINERS.md names nobody. Write who is told of faults, and how in private.")


def sign(file: Path, key: Path) -> Path:
    """Sign a file; the signature lies beside it.

    Raises:
        subprocess.CalledProcessError: the key cannot be used.
    """
    signature = file.with_name(f"{file.name}.sig")
    signature.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(file)]
    subprocess.run(command, check=True)
    return signature


def constraints(lock: str) -> str:
    """The lock's versions without hashes, as ``pip install --constraint`` takes them.

    pip takes hashes only where every file has one, the wheel of securefl itself included.
    """
    pins = read_lock(lock).items()
    lines = {f"{name.partition('[')[0]}=={version}" for name, (version, _) in pins}
    return "".join(f"{line}\n" for line in sorted(lines))


def make(out: Path, key: Path, pip_args: list[str], wheels: Path | None) -> Path:
    """Make the release's folder."""
    shutil.rmtree(out, ignore_errors=True)
    wheel = build_wheel.build(out)
    folder = bundle.make(out, pip_args, wheels)
    sign(folder / bundle.SUMS, key)
    bundle.pack(folder)
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    listed = sbom.bill(lock, build_wheel.committed_time(), folder / "wheels")
    shutil.rmtree(folder)
    (out / f"{wheel.name.split('-py3')[0]}.cdx.json").write_text(sbom.dump(listed), "utf-8")
    (out / "constraints.txt").write_text(constraints(lock), "utf-8")
    (out / bundle.SUMS).write_text(bundle.sums(out), "utf-8")
    sign(out / bundle.SUMS, key)
    return out


def main() -> int:
    """Say where the release lies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--key", type=Path, required=True, help="an SSH key; its name is said")
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "release")
    parser.add_argument("--wheels", type=Path, help="a folder of wheels that pip looks in first")
    parser.add_argument("--pip-args", default="", help="more options for pip, as one word")
    given = parser.parse_args()
    version = build_wheel.version()
    check_maintainers((ROOT / "MAINTAINERS.md").read_text("utf-8"))
    check_ready((ROOT / "CHANGELOG.md").read_text("utf-8"), version)
    made = make(given.out, given.key, shlex.split(given.pip_args), given.wheels)
    print(f"securefl {version} is in {made}, signed with {given.key}:")
    for file in sorted(made.iterdir()):
        print(f"  {file.stat().st_size / 1e6:9.2f} MB  {file.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
