"""The figures of ``make lint`` count what they say that they count."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TEXT = '''\
"""Whether a door is open, and why
it is: two lines.
"""

# A comment of its own.
LIMIT = 4  # and one beside


def door(key):
    """Open a door."""
    return None if key is None else key
'''


@pytest.fixture(scope="module")
def house():
    spec = importlib.util.spec_from_file_location("house", ROOT / "tools" / "house.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["house"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["house"]


def test_code_is_neither_blank_nor_comment_nor_docstring(house):
    figures = house.measure(TEXT, "x.py")
    assert (figures.code, figures.lines, figures.comments) == (3, 11, 2)


def test_every_node_of_the_tree_counts_once(house):
    # Module; Assign, Name, Store, Constant.
    assert house.measure("x = 1\n", "x.py").nodes == 5
    assert house.measure("x = 1\ny = 2\n", "x.py").nodes == 9


def test_conditional_expressions_count_and_conditional_statements_do_not(house):
    assert house.measure(TEXT, "x.py").conditionals == ["x.py:11"]
    assert house.measure("if x:\n    y = 1\nelse:\n    y = 2\n", "x.py").conditionals == []
    assert len(house.measure("y = 1 if a else 2 if b else 3\n", "x.py").conditionals) == 2


@pytest.mark.parametrize(
    ("docstring", "counted"),
    [
        ("What came to a round.", True),
        ("That a role runs.", True),
        ("Whether: yes or no.", True),
        ("However often it is asked.", True),
        ("``How`` in code is a question word too.", True),
        ("Thatcher is a name.", False),
        ("Pidfile and lock of a process.", False),
    ],
)
def test_docstrings_that_begin_with_a_question_word_are_named(house, docstring, counted):
    figures = house.measure(f'def f():\n    """{docstring}"""\n', "x.py")
    assert figures.docstrings == 1
    assert bool(figures.riddles) is counted


def test_a_first_sentence_over_two_lines_is_named_and_a_blank_line_ends_it(house):
    assert house.measure(TEXT, "x.py").run_on == ["x.py:1 Whether a door is open, and why"]
    assert house.measure('"""Door.\n\nMore of it,\nand more.\n"""\n', "x.py").run_on == []


def test_long_lines_functions_and_modules_are_named(house):
    def function(lines):
        body = "".join(f"    x{n} = {n}\n" for n in range(lines - 1))
        return house.measure(f"def f():\n{body}", "x.py").long_functions

    assert function(61) == ["x.py:1 f (61 lines of code)"]
    assert function(60) == []
    assert house.measure("x = 1\n" * 401, "x.py").long_modules == ["x.py (401 lines of code)"]
    assert house.measure("x = 1\n" * 400, "x.py").long_modules == []
    assert house.measure(f"x = '{'x' * 114}'\n", "x.py").long_lines == []
    assert house.measure(f"x = '{'x' * 115}'\n", "x.py").long_lines == ["x.py:1 (121 columns)"]


def test_rooms_add_up_to_the_whole(house, tmp_path):
    (tmp_path / "room").mkdir()
    (tmp_path / "door.py").write_text(TEXT)
    (tmp_path / "room" / "window.py").write_text(TEXT)
    rooms = house.by_room(tmp_path)
    assert set(rooms) == {".", "room"}
    whole = house.total(rooms)
    assert (whole.code, whole.docstrings, len(whole.riddles)) == (6, 4, 2)


def test_a_figure_over_its_limit_fails_and_a_report_does_not(house, tmp_path, capsys):
    (tmp_path / "door.py").write_text(TEXT)
    assert house.main([str(tmp_path)]) == 1
    riddles = next(line for line in capsys.readouterr().out.splitlines() if "question" in line)
    assert riddles.split()[-7:] == ["50.0", "%", "under", "3", "%", "TOO", "MANY"]
    assert house.main([str(tmp_path), "--report", "--rooms", "--where"]) == 0
    assert f"{tmp_path.name}/door.py:11" in capsys.readouterr().out
    (tmp_path / "door.py").write_text("x = 1\n")
    assert house.main([str(tmp_path)]) == 0
