"""Which small faults in the secure sum and the ledger would no test notice? Every one that is left
is killed or explained.

    python benchmarks/mutants/run.py                          all modules
    python benchmarks/mutants/run.py secagg/ring --show       these only, every mutant by name
    python benchmarks/mutants/run.py --write                  and write the figures of what was run into the page

Ends with 1 when a survivor is not in survivors.toml. One process works at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import tomllib
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from judge import (
    BY_TIME,
    ROOT,
    SURVIVED,
    Session,
    collect,
    in_child,
    judge_import,
    load_libraries,
    read_reach,
)
from mutate import Mutant, error_makers, mutants

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

HERE = Path(__file__).resolve().parent
SCOPE = (
    "securefl/secagg/[a-z]*.py",
    "securefl/privacy/ledger*.py",
    "securefl/signed.py",
    "securefl/federation/verified_totals.py",
)
#: What holds these rooms, a few seconds in all. The long plays of the adversary and the random
#: orders of losses are left out: a rule is to be held by a test that names it, not by luck.
TESTS = (
    "tests/unit/test_secagg_*.py", "tests/unit/test_privacy_ledger*.py", "tests/unit/test_wire_vectors.py",
    "tests/property/test_secagg_codecs.py", "tests/attack/test_privacy_restored_ledger.py", "tests/attack/test_secagg_crafted_bytes.py",
    "tests/attack/test_secagg_[dks]*[!g].py", "tests/unit/test_signed.py", "tests/property/test_signed_properties.py",
    "tests/unit/test_federation_verified_totals.py", "tests/unit/test_federation_missed_rounds.py", "tests/unit/test_federation_survivor_round.py", "tests/unit/test_group_draw.py",
    "tests/attack/test_hospital_exchanges_its_frame.py", "tests/attack/test_coordinator_off_the_rule.py",
)  # fmt: skip


class Run:
    """The modules to be judged, and what was found.

    Args:
        modules: paths from the root.
        scope: all modules there are, whose lines the tests are asked about.
        show: print every mutant.
    """

    def __init__(self, modules: list[str], scope: list[str], *, show: bool) -> None:
        makers = set().union(*(error_makers((ROOT / module).read_text()) for module in scope))
        self.mutants = {module: mutants((ROOT / module).read_text(), makers) for module in modules}
        self.verdicts: dict[str, dict[str, str]] = {module: {} for module in modules}
        self.seconds: dict[str, float] = defaultdict(float)
        self._scope, self._show = scope, show

    def judge(self, scratch: Path) -> None:
        """All of them: first what acts inside functions, in one session; then what acts at import."""
        tests = sorted(
            str(path.relative_to(ROOT)) for pattern in TESTS for path in ROOT.glob(pattern)
        )
        found, verdicts = scratch / "reach.json", scratch / "verdicts.json"

        def in_session(session: Session) -> None:
            reach = session.reach(self._scope, found)
            self._each(lambda module, mutant: session.judge(module, mutant, reach))
            verdicts.write_text(json.dumps([self.verdicts, self.seconds]))

        if in_child(lambda: collect(tests, in_session, scratch), limited=False) != 0:
            raise SystemExit("The session broke off; its last words are above.")
        self.verdicts, seconds = json.loads(verdicts.read_text())
        self.seconds.update(seconds)
        load_libraries(found)
        reach = read_reach(found)
        self._each(lambda module, mutant: judge_import(module, mutant, reach, scratch))

    def _each(self, judge: Callable[[str, Mutant], str | None]) -> None:
        for module, found in self.mutants.items():
            began = time.monotonic()
            for mutant in found:
                if (
                    mutant.name not in self.verdicts[module]
                    and (verdict := judge(module, mutant)) is not None
                ):
                    self.verdicts[module][mutant.name] = verdict
                    if self._show or verdict == SURVIVED:
                        print(f"{verdict:9} {module}:{mutant.lines[0]} {mutant.name}", flush=True)
            self.seconds[module] += time.monotonic() - began

    def figures(self, module: str) -> dict[str, object]:
        """A row of the page."""
        said = list(self.verdicts[module].values())
        return {
            "mutants": len(said), "survived": said.count(SURVIVED), "killed by time": said.count(BY_TIME),
            "seconds": round(self.seconds[module]), "date": f"{datetime.now(tz=UTC):%Y-%m-%d}",
        }  # fmt: skip

    def unexplained(self, module: str, known: Collection[str]) -> list[str]:
        """Survivors that are neither killed nor explained."""
        return [
            name
            for name, said in self.verdicts[module].items()
            if said == SURVIVED and name not in known
        ]

    def outdated(self, module: str, known: Collection[str]) -> list[str]:
        """Explanations of what is no mutant any more, or is killed by now."""
        return [name for name in known if self.verdicts[module].get(name) != SURVIVED]


def explained() -> dict[str, dict[str, str]]:
    """For each module its explained survivors and why."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for entry in tomllib.loads((HERE / "survivors.toml").read_text()).get("survivor", []):
        for name in entry["mutants"]:
            found[f"securefl/{entry['module']}.py"][name] = entry["why"]
    return found


def write_page(run: Run) -> None:
    """The figures of this run's modules into figures.json, and the table of all into the page."""
    kept = HERE / "figures.json"
    figures = json.loads(kept.read_text()) if kept.exists() else {}
    figures |= {module: run.figures(module) for module, found in run.mutants.items() if found}
    kept.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    whole = {
        key: sum(row[key] for row in figures.values())
        for key in ("mutants", "survived", "killed by time", "seconds")
    }
    rows = [
        f"| {name} | {row['mutants']} | {row['mutants'] - row['survived']} |"
        f" {row['killed by time']} | {row['survived']} | {row['seconds']} | {row.get('date', '')} |"
        for name, row in [*sorted(figures.items()), ("**all**", whole)]
    ]
    page = HERE / "README.md"
    before, _, rest = page.read_text().partition("<!-- table -->\n")
    after = rest.partition("<!-- end of table -->\n")[2]
    head = (
        "| module | mutants | killed | of these by time | survived, all explained | seconds | date"
        " |\n|---|---|---|---|---|---|---|\n"
    )
    page.write_text(
        f"{before}<!-- table -->\n{head}{chr(10).join(rows)}\n<!-- end of table -->\n{after}"
    )


def main() -> None:
    """Judge what the command line names."""
    parser = argparse.ArgumentParser(
        description="Mutation testing of the secure sum and the ledger."
    )
    parser.add_argument("modules", nargs="*", help="such as secagg/ring; all unless named")
    parser.add_argument(
        "--show", action="store_true", help="print every mutant and what became of it"
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="write the figures into the page, if nothing is left to explain",
    )
    arguments = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    scope = sorted(str(path.relative_to(ROOT)) for pattern in SCOPE for path in ROOT.glob(pattern))
    run = Run(
        [
            m
            for m in scope
            if not arguments.modules or m[len("securefl/") : -len(".py")] in arguments.modules
        ],
        scope,
        show=arguments.show,
    )
    in_memory = "/dev/shm"  # noqa: S108 - the ledgers of tests are flushed at every commit; a disk would set the pace
    scratch = Path(
        tempfile.mkdtemp(
            prefix="securefl-mutants-", dir=in_memory if os.access(in_memory, os.W_OK) else None
        )
    )
    try:
        run.judge(scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    known, wrong = explained(), 0
    for module in run.mutants:
        print(module, run.figures(module))
        print(
            *(
                f"  remove from survivors.toml, it does not survive: {name}"
                for name in run.outdated(module, known[module])
            ),
            sep="\n",
        )
        found = run.unexplained(module, known[module])
        print(*(f"  SURVIVES AND IS NOT EXPLAINED: {name}" for name in found), sep="\n")
        wrong += len(found)
    if arguments.write and not wrong:
        write_page(run)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
