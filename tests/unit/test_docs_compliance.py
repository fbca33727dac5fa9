"""Each answer on the pages for a privacy officer names a file or test that exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "compliance"
TABLES = ("hipaa.md", "gdpr.md", "ehds-and-ai-act.md")
NAMED = re.compile(r"`((?:securefl|tests|docs|benchmarks)/[\w./-]+)`")


def rows(text):
    """Rows of tables with a column of answers, without their heads."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and not set(cells[0]) <= set("- "):
            found.append(cells)
    return [cells for cells in found if cells[1] != "answered by"]


def faults(cells):
    """Faults of one row: what it names and is not there, or does not say."""
    rule, answer, stays = cells
    missing = [name for name in NAMED.findall(answer) if not (ROOT / name).exists()]
    unnamed = not NAMED.search(answer) and "see article" not in answer and "a place" not in answer
    return [
        *missing,
        *(["names nothing"] if unnamed and "`securefl " not in answer else []),
        *([] if rule and stays else ["leaves a cell empty"]),
    ]


@pytest.mark.parametrize("page", TABLES)
def test_each_answer_names_something_that_exists(page):
    table = rows((PAGES / page).read_text("utf-8"))
    assert len(table) >= 11
    assert {cells[0]: found for cells in table if (found := faults(cells))} == {}


def test_a_file_that_is_gone_and_an_empty_cell_would_be_found():
    assert faults(["1", "as in `securefl/nowhere.py`", "x"]) == ["securefl/nowhere.py"]
    assert faults(["1", "by care", "x"]) == ["names nothing"]
    assert faults(["1", "`docs/audit.md`", ""]) == ["leaves a cell empty"]


@pytest.mark.parametrize("page", sorted(p.name for p in PAGES.glob("*.md")))
def test_a_page_that_tells_of_law_says_that_it_is_no_advice(page):
    text = (PAGES / page).read_text("utf-8").lower()
    assert page == "provisioning.md" or "not legal advice" in text


def test_the_comparison_says_something_of_each_in_every_row():
    table = [
        line.strip("|").split("|")
        for line in (PAGES / "provisioning.md").read_text("utf-8").splitlines()
        if line.startswith("|")
    ]
    assert len(table) > 12
    assert {len(cells) for cells in table} == {6}
    assert all(cell.strip() for cells in table[2:] for cell in cells)
