"""The data owner's way to a first approval is short: counted in the guide that is run by the tests."""

import re
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "by-hand.md"
#: Commands that a data owner types from an empty folder to the first approval, at most.
MOST = 8


def test_a_data_owner_types_eight_commands_to_the_first_approval():
    typed = re.findall(r"^SVI\$ securefl (\S+ \S+)", GUIDE.read_text("utf-8"), re.MULTILINE)
    until = typed[: typed.index("site approve") + 1]
    needed = {"site init", "site trust", "site data", "site budget", "site start", "site review"}
    assert needed < set(until)
    assert len(until) <= MOST, until
