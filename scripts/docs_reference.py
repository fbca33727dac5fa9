"""Pages of the reference, from docstrings and signatures: a page for each room of the package.

The code is parsed and not imported, so no framework is loaded and nothing runs.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLE = re.compile(r":(?:mod|class|func|meth|data|attr|exc|obj):`~?([^`]+)`")
HEADED = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):$")
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def reference_pages(package: Path) -> dict[str, str]:
    """Pages by file name: ``securefl.study.md`` holds the modules of ``securefl/study``."""
    found = {}
    for folder in sorted({file.parent for file in package.rglob("*.py")}):
        parts = [package.name, *folder.relative_to(package).parts]
        found[".".join(parts) + ".md"] = room_page(folder, ".".join(parts))
    return found


def room_page(folder: Path, dotted: str) -> str:
    """The page of one room: what it is for, then its modules."""
    lines = [f"# {dotted}", ""]
    start = folder / "__init__.py"
    if start.is_file():
        lines += [*docstring_lines(ast.parse(start.read_text("utf-8"))), ""]
    for file in sorted(folder.glob("*.py")):
        if file.name != "__init__.py":
            lines += module_lines(file.stem, ast.parse(file.read_text("utf-8")))
    return "\n".join(lines) + "\n"


def module_lines(name: str, tree: ast.Module) -> list[str]:
    """A module: its docstring, then what is public in it."""
    lines = [f"## {name}", "", *docstring_lines(tree), ""]
    for node in public(tree.body):
        lines += definition_lines(node, node.name)
        if isinstance(node, ast.ClassDef):
            for method in public(node.body):
                lines += definition_lines(method, f"{node.name}.{method.name}")
    return lines


def public(body: list[ast.stmt]) -> Iterator[Definition]:
    """Classes and functions that are for others, in their order, where they say what they do."""
    for node in body:
        if not isinstance(node, Definition) or node.name.startswith("_"):
            continue
        if ast.get_docstring(node):
            yield node


def definition_lines(node: Definition, name: str) -> list[str]:
    """A class or function: its name, signature and docstring."""
    shown = ["```python", *signature(node), "```", ""]
    return [f"### {name}", "", *shown, *docstring_lines(node), ""]


def signature(node: Definition) -> list[str]:
    """The line that defines it, as in the source but for its defaults' layout."""
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        return [f"class {node.name}({bases})" if bases else f"class {node.name}"]
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    start = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    whole = f"{start} {node.name}({ast.unparse(node.args)}){returns}"
    decorators = [f"@{ast.unparse(d)}" for d in node.decorator_list if _is_told(d)]
    return [*decorators, whole]


def _is_told(decorator: ast.expr) -> bool:
    return ast.unparse(decorator) in {"property", "classmethod", "staticmethod"}


def docstring_lines(node: ast.Module | Definition) -> list[str]:
    """A docstring as Markdown: examples as code, lists of arguments as lists, roles as names."""
    text = ast.get_docstring(node) or ""
    lines: list[str] = []
    example = listed = False
    for line in text.splitlines():
        if example and not line.strip():
            lines.append("```")
            example = False
        if line.lstrip().startswith(">>>") and not example:
            lines += ["", "```pycon"]
            example = True
        if example:
            lines.append(line.strip())
            continue
        if head := HEADED.match(line):
            lines += ["", f"**{head[1]}**", ""]
            listed = True
            continue
        listed = listed and (not line.strip() or line.startswith("    "))
        lines.append(_item(line) if listed else _prose(line))
    if example:
        lines.append("```")
    return lines


def _item(line: str) -> str:
    deeper = line.startswith("        ")
    words = _prose(line.strip())
    if deeper or not words:
        return f"  {words}".rstrip()
    name, colon, rest = words.partition(": ")
    return f"- `{name}`: {rest}" if colon and re.fullmatch(r"[\w*, .]+", name) else f"- {words}"


def _prose(line: str) -> str:
    """A line of prose: roles and double backticks become code, and nothing is taken for markup."""
    plain = ROLE.sub(r"`\1`", line).replace("``", "`")
    parts = plain.split("`")
    for place in range(0, len(parts), 2):
        parts[place] = re.sub(r"([<\[\]_*])", r"\\\1", parts[place])
    return "`".join(parts)
