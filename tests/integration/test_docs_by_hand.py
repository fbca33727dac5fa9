"""docs/by-hand.md, executed: every line as it is typed, each role in its own folder, real
processes, and the screens compared.
"""

import pytest
from by_hand_terminals import Terminals, shows, steps

pytestmark = pytest.mark.slow


@pytest.fixture
def terminals(tmp_path):
    made = Terminals(tmp_path)
    yield made
    made.close()


def test_every_line_of_the_page_works_and_the_screens_are_as_shown(terminals):
    for step in steps():
        terminals.play(step)
    assert (terminals.folder("STMW") / "scores.json").exists()
    assert not list(terminals.root.glob("by-hand/*/agent.json")), "an agent still runs"
    assert not terminals.running


def test_the_page_was_read():
    assert {s.section for s in steps()} == set(range(12))
    assert {s.role for s in steps()} == {"you", "SVI", "SVHC", "STMW", "researcher", "sums"}


def test_the_comparison_of_screens_can_fail():
    assert shows(
        "Made first-study-0a1b. Any\nedit makes it another", ["Made first-study-…. Any edit"]
    )
    assert not shows("Made first-study-0a1b.", ["Made another-…."])
    assert not shows("b a", ["a", "b"])
