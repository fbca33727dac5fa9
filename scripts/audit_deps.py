"""Ask for known faults of every package in ``requirements.lock``.

pip-audit gets an environment of its own (``.venv-audit``) and asks PyPI's advisories. A package that
it could not ask about is never counted as sound: with an index that has no advisories pip-audit
itself skips every package and ends with 0. Run by ``make audit-deps``.

Exit codes: 0 none is known, 1 some are, 3 not every package could be asked about. `make` says
"Error 3" for the last one, and itself ends with 2, as for every recipe that fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / ".venv-audit"
NOT_CHECKED = 3
#: Seconds after which an index that does not answer is one that cannot be asked.
_PATIENCE = 900
_NEXT = (
    "This says nothing about them. Repeat it where https://pypi.org is reached, and make no release"
    " before that."
)


def verdict(answer: str) -> tuple[int, list[str]]:
    """Read what pip-audit wrote as JSON: the exit code, and lines for a person."""
    try:
        packages: list[dict[str, Any]] = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return NOT_CHECKED, ["NOT CHECKED: the advisories could not be read from here.", _NEXT]
    faults = [
        f"{p['name']} {p['version']}: {v['id']}, mended in {', '.join(v['fix_versions']) or 'none'}"
        for p in packages
        for v in p.get("vulns", ())
    ]
    skipped = [p for p in packages if "skip_reason" in p]
    asked = len(packages) - len(skipped)
    lines = list(faults)
    if asked:
        lines.append(f"{asked} packages checked, {len(faults)} known faults.")
    if skipped or not packages:
        lines.append(
            f"NOT CHECKED: {len(skipped)} of {len(packages)} packages could not be asked about."
        )
        lines.append(_NEXT)
    if faults:
        return 1, lines
    if skipped or not packages:
        return NOT_CHECKED, lines
    return 0, lines


def ask() -> str:
    """Run pip-audit, installing it first where that was not done; its JSON, or nothing."""
    program = PLACE / "bin" / "pip-audit"
    if not program.exists():
        venv.create(PLACE, with_pip=True)
        install = ("install", "--quiet", "--disable-pip-version-check", "pip-audit>=2.7,<3")
        run([str(PLACE / "bin" / "python"), "-m", "pip", *install])
    if not program.exists():
        return ""
    lock = str(ROOT / "requirements.lock")
    options = ("--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off")
    return run([str(program), *options, "--requirement", lock])


def run(words: list[str]) -> str:
    """Run a program; what it wrote, or nothing where it found no end.

    What it says besides is shown only where it wrote nothing: pip-audit says "No known
    vulnerabilities found" also where it asked about no package.
    """
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        print(f"{words[0]} did not come to an end in {_PATIENCE} seconds.", file=sys.stderr)
        return ""
    if not done.stdout:
        print(done.stderr, end="", file=sys.stderr)
    return done.stdout


def main() -> int:
    """Print the answer."""
    code, lines = verdict(ask())
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
