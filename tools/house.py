"""Measures how densely and how plainly the package is written, and fails above its limits.

``python tools/house.py`` prints the figures of ``securefl/`` and ends with 1 where one is over its
limit. ``--report`` only prints. ``--rooms`` adds a row for each folder, ``--where`` the place of
everything that is counted against a limit. Run by ``make lint``.

A code line is neither blank, nor a comment, nor part of a docstring. A syntax-tree node is whatever
``ast.walk`` yields. Carefully written Python has 5 to 7 nodes a line; above that, a line holds more
than one idea.
"""

from __future__ import annotations

import argparse
import ast
import io
import sys
import tokenize
from collections import defaultdict
from dataclasses import dataclass, field, fields
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "securefl"

#: Syntax-tree nodes a code line, at most.
NODES_A_LINE = 7.5
#: Conditional expressions in a thousand code lines, at most.
CONDITIONALS = 8.0
#: Docstrings that begin with a question word, in percent: fewer than this.
RIDDLES = 3.0
#: Lines over COLUMNS: fewer than this.
LONG_LINES = 50
COLUMNS = 120
#: Code lines of a module and of a function from which on it is named, without failing.
MODULE = 400
FUNCTION = 60

#: A docstring that begins so makes the reader guess its subject.
QUESTION_WORDS = frozenset(
    (
        *("what", "whatever", "who", "whoever", "whose", "whether", "that", "how", "however"),
        *("where", "wherever", "when", "whenever", "which", "why"),
    )
)

Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Figures:
    """Counts of one file, or of several together; places are ``file:line``."""

    code: int = 0
    lines: int = 0
    nodes: int = 0
    comments: int = 0
    docstrings: int = 0
    conditionals: list[str] = field(default_factory=list)
    riddles: list[str] = field(default_factory=list)
    run_on: list[str] = field(default_factory=list)
    long_lines: list[str] = field(default_factory=list)
    long_modules: list[str] = field(default_factory=list)
    long_functions: list[str] = field(default_factory=list)

    def add(self, other: Figures) -> None:
        """Add another file's counts to these."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    @property
    def nodes_a_line(self) -> float:
        """Syntax-tree nodes a code line."""
        return self.nodes / max(self.code, 1)

    @property
    def conditionals_a_thousand(self) -> float:
        """Conditional expressions a thousand code lines."""
        return 1000 * len(self.conditionals) / max(self.code, 1)

    @property
    def riddles_percent(self) -> float:
        """Share of the docstrings that begin with a question word."""
        return 100 * len(self.riddles) / max(self.docstrings, 1)

    @property
    def comments_a_hundred(self) -> float:
        """Comments a hundred lines, blank ones and docstrings among them."""
        return 100 * self.comments / max(self.lines, 1)


def docstring_of(node: Documented) -> ast.Constant | None:
    """Return the docstring's own node, or none."""
    first = node.body[0] if node.body else None
    if not isinstance(first, ast.Expr) or not isinstance(first.value, ast.Constant):
        return None
    return first.value if isinstance(first.value.value, str) else None


def code_lines(text: str, tree: ast.Module) -> set[int]:
    """Return the numbers of the lines that are neither blank, comment nor docstring."""
    prose: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, Documented) and (found := docstring_of(node)):
            prose.update(range(found.lineno, (found.end_lineno or found.lineno) + 1))
    numbered = enumerate(text.splitlines(), 1)
    written = {n for n, line in numbered if line.strip() and not line.strip().startswith("#")}
    return written - prose


def measure(text: str, name: str) -> Figures:
    """Count one file's text; ``name`` stands in the places."""
    tree = ast.parse(text)
    lines = text.splitlines()
    code = code_lines(text, tree)
    figures = Figures(code=len(code), lines=len(lines))
    figures.long_lines = [
        f"{name}:{n} ({len(line)} columns)"
        for n, line in enumerate(lines, 1)
        if len(line) > COLUMNS
    ]
    if len(code) > MODULE:
        figures.long_modules = [f"{name} ({len(code)} lines of code)"]
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    figures.comments = sum(token.type == tokenize.COMMENT for token in tokens)
    for node in ast.walk(tree):
        figures.nodes += 1
        if isinstance(node, ast.IfExp):
            figures.conditionals.append(f"{name}:{node.lineno}")
        if isinstance(node, Documented):
            _count_docstring(figures, node, name)
        if isinstance(node, Function):
            _count_length(figures, node, name, code)
    return figures


def _count_docstring(figures: Figures, node: Documented, name: str) -> None:
    """Count a docstring, its first word, and whether its first sentence fits one line."""
    found = docstring_of(node)
    if found is None or not str(found.value).strip():
        return
    figures.docstrings += 1
    lines = str(found.value).strip().splitlines()
    place = f"{name}:{found.lineno} {lines[0]}"
    first = lines[0].split()[0].strip("`'\",.:;").lower()
    if first in QUESTION_WORDS:
        figures.riddles.append(place)
    if len(lines) > 1 and lines[1].strip():
        figures.run_on.append(place)


def _count_length(figures: Figures, node: Function, name: str, code: set[int]) -> None:
    """Note a function of more than FUNCTION code lines."""
    length = sum(n in code for n in range(node.lineno, (node.end_lineno or node.lineno) + 1))
    if length > FUNCTION:
        figures.long_functions.append(f"{name}:{node.lineno} {node.name} ({length} lines of code)")


def by_room(package: Path) -> dict[str, Figures]:
    """Return the counts of each folder of a package, and of the files beside them (``.``)."""
    rooms: defaultdict[str, Figures] = defaultdict(Figures)
    for path in sorted(package.rglob("*.py")):
        inside = path.relative_to(package)
        room = inside.parts[0] if len(inside.parts) > 1 else "."
        name = f"{package.name}/{inside.as_posix()}"
        rooms[room].add(measure(path.read_text("utf-8"), name))
    return dict(rooms)


def total(rooms: dict[str, Figures]) -> Figures:
    """Return the counts of all rooms together."""
    whole = Figures()
    for figures in rooms.values():
        whole.add(figures)
    return whole


def rows(figures: Figures) -> list[tuple[str, str, str, bool]]:
    """Return each limited measure: its words, figure and limit, and if the limit is kept."""
    nodes, conditionals = figures.nodes_a_line, figures.conditionals_a_thousand
    riddles, long_lines = figures.riddles_percent, len(figures.long_lines)
    return [
        (
            "syntax-tree nodes a line of code",
            f"{nodes:.2f}",
            f"at most {NODES_A_LINE}",
            nodes <= NODES_A_LINE,
        ),
        (
            "conditional expressions a thousand lines",
            f"{conditionals:.1f}",
            f"at most {CONDITIONALS:.0f}",
            conditionals <= CONDITIONALS,
        ),
        (
            "docstrings that begin with a question word",
            f"{riddles:.1f} %",
            f"under {RIDDLES:.0f} %",
            riddles < RIDDLES,
        ),
        (
            f"lines over {COLUMNS} columns",
            str(long_lines),
            f"fewer than {LONG_LINES}",
            long_lines < LONG_LINES,
        ),
    ]


def report(figures: Figures) -> str:
    """Return the figures for people, a line each; a figure over its limit is marked."""
    out = []
    for words, figure, limit, kept in rows(figures):
        mark = "" if kept else "  TOO MANY"
        out.append(f"{words:<46}{figure:>8}   {limit}{mark}")
    out += [
        f"{'comments a hundred lines':<46}{figures.comments_a_hundred:>8.1f}",
        f"{'docstrings whose first sentence runs on':<46}{len(figures.run_on):>8}",
        f"{f'modules over {MODULE} lines of code':<46}{len(figures.long_modules):>8}",
        f"{f'functions over {FUNCTION} lines of code':<46}{len(figures.long_functions):>8}",
    ]
    out += [f"  {place}" for place in figures.long_modules + figures.long_functions]
    return "\n".join(out)


def room_table(rooms: dict[str, Figures]) -> str:
    """Return a table of the same figures, a row for each room."""
    out = [f"{'room':<12}{'code':>7}{'nodes':>7}{'cond.':>7}{'quest.':>8}{'long':>6}{'comm.':>7}"]
    for room, figures in sorted(rooms.items()):
        out.append(
            f"{room:<12}{figures.code:>7}{figures.nodes_a_line:>7.2f}"
            f"{figures.conditionals_a_thousand:>7.1f}{figures.riddles_percent:>6.1f} %"
            f"{len(figures.long_lines):>6}{figures.comments_a_hundred:>7.1f}"
        )
    return "\n".join(out)


def places(figures: Figures) -> str:
    """Return the place of everything that is counted, a heading for each kind."""
    kinds = {
        "conditional expressions": figures.conditionals,
        "docstrings that begin with a question word": figures.riddles,
        "docstrings whose first sentence runs on": figures.run_on,
        f"lines over {COLUMNS} columns": figures.long_lines,
    }
    return "\n".join(
        line for kind, found in kinds.items() for line in (f"{kind}:", *(f"  {f}" for f in found))
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the figures; return 1 where a limit is passed and it is not only a report."""
    parser = argparse.ArgumentParser(description="How densely and how plainly securefl is written.")
    parser.add_argument("package", nargs="?", type=Path, default=PACKAGE)
    parser.add_argument("--report", action="store_true", help="print, and fail on nothing")
    parser.add_argument("--rooms", action="store_true", help="add a row for each folder")
    parser.add_argument("--where", action="store_true", help="add the place of each offence")
    options = parser.parse_args(arguments)
    rooms = by_room(options.package)
    whole = total(rooms)
    print(report(whole))
    if options.rooms:
        print(room_table(rooms))
    if options.where:
        print(places(whole))
    kept = all(kept for *_, kept in rows(whole))
    return 0 if kept or options.report else 1


if __name__ == "__main__":
    sys.exit(main())
