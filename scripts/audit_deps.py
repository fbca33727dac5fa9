"""Ask for known faults of every package in ``requirements.lock``.

pip-audit gets an environment of its own (``.venv-audit``) and asks PyPI's advisories. A package that
it could not ask about is never counted as sound: with an index that has no advisories pip-audit
itself skips every package and ends with 0. Run by ``make audit-deps``.

Exit codes: 0 none is known, 1 some are, 3 not every package could be asked about.
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


def verdict(answer: str) -> tuple[int, list[str]]:
    """Read what pip-audit wrote as JSON: the exit code, and lines for a person."""
    try:
        packages: list[dict[str, Any]] = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return NOT_CHECKED, ["NOT CHECKED: the advisories could not be read from here."]
    faults = [
        f"{p['name']} {p['version']}: {v['id']}, mended in {', '.join(v['fix_versions']) or 'none'}"
        for p in packages
        for v in p.get("vulns", ())
    ]
    skipped = [p for p in packages if "skip_reason" in p]
    asked = len(packages) - len(skipped)
    lines = [*faults, f"{asked} packages checked, {len(faults)} known faults."]
    if skipped or not packages:
        lines.append(f"NOT CHECKED: {len(skipped)} packages could not be asked about.")
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
        subprocess.run([str(PLACE / "bin" / "python"), "-m", "pip", *install], check=False)
    if not program.exists():
        return ""
    lock = str(ROOT / "requirements.lock")
    options = ("--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off")
    done = subprocess.run(
        [str(program), *options, "--requirement", lock],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.stdout


def main() -> int:
    """Print the answer."""
    code, lines = verdict(ask())
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
