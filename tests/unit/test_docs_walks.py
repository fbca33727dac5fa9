"""`docs/walks.md`: every stop is a function of the code, and the counts are those of the tables."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "walks.md").read_text("utf-8")
STOP = re.compile(r"^\| (?:→ )?`(securefl/[\w/]+\.py)` `([\w.]+)` \| (.+) \|$", re.MULTILINE)
STOPS = STOP.findall(PAGE)
#: Stops, and functions that are asked on the way.
FUNCTION = re.compile(r"`(securefl/[\w/]+\.py)` `([\w.]+)`")
NAMED = sorted(set(FUNCTION.findall(PAGE)))


def named(path, name):
    """The function, method or class of that dotted name; None where there is none."""
    node = ast.parse((ROOT / path).read_text("utf-8"))
    for part in name.split("."):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        node = next((n for n in node.body if isinstance(n, kinds) and n.name == part), None)
        if node is None:
            return None
    return node


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_each_stop_is_in_the_code(path, name):
    assert named(path, name) is not None, f"{path} has no {name}"


def test_a_name_that_is_not_there_is_noticed():
    assert named("securefl/node/agent.py", "Agent._turn") is not None
    assert named("securefl/node/agent.py", "Agent._turned") is None
    assert named("securefl/node/agent.py", "_turn") is None


def test_every_row_is_a_stop_and_the_headings_count_them():
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    assert len(sections) == 4
    for section in sections:
        said = int(re.search(r": (\d+) stops$", section.splitlines()[0])[1])
        rows = [line for line in section.splitlines() if line.startswith("| ") and "`" in line]
        assert len(STOP.findall(section)) == len(rows) == said, section.splitlines()[0]


def test_the_page_says_how_many_functions_each_walk_names():
    said = re.search(r"name (\d+), (\d+), (\d+) and (\d+) functions", PAGE).groups()
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    assert [len(set(FUNCTION.findall(section))) for section in sections] == list(map(int, said))


def test_each_stop_says_why_it_is_there():
    assert all(len(why.split()) >= 2 for *_, why in STOPS)


def test_no_walk_names_a_line_number():
    assert not re.search(r"\.py:\d", PAGE)
