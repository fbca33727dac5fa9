"""What `start --background` says of a role by its own word, and by what it printed."""

import json
import os

import pytest

from securefl.cli import background
from securefl.errors import RoundError, StoreError, UsageError
from securefl.party.pidfile import Presence


def test_a_turn_that_went_well_is_no_fault():
    assert background._fault({"pid": 1, "turned": True}, "agent") is None
    assert background._fault({"pid": 1}, "agent") is None


def test_trouble_in_the_first_turn_is_told_and_the_store_before_all_else():
    found = background._fault({"pid": 1, "trouble": "data: no table"}, "agent")
    assert isinstance(found, RoundError)
    assert found.what == "The agent runs, but its first turn did not go well: data: no table"
    away = {"since": "2026-11-28T17:00:00Z", "reason": "no route"}
    found = background._fault({"pid": 1, "trouble": "x", "store_away": away}, "aggregator")
    assert isinstance(found, StoreError)
    assert found.what == "The aggregator runs, but cannot use its store: no route"


def test_the_reason_of_an_end_is_that_processs_own_note_and_else_what_it_printed(tmp_path):
    output = tmp_path / "agent.out"
    assert background._why(tmp_path, "agent", 7, output) == "it said nothing."
    output.write_text("╭── error ──╮\n│ No keys.  │\n╰───────────╯\n")
    (tmp_path / "agent.end.json").write_text(
        json.dumps({"pid": 8, "at": "", "reason": "an older one"})
    )
    assert background._why(tmp_path, "agent", 7, output) == "error No keys."
    assert background._why(tmp_path, "agent", 8, output) == "an older one"


def test_a_run_that_ends_before_it_begins_says_why(tmp_path):
    output = tmp_path / "run.out"
    with pytest.raises(RoundError, match=r"The run ended: .*No such command") as caught:
        background.start_run(["nothing"], lambda: False, output)
    assert str(output) in caught.value.next_step
    assert output.stat().st_mode & 0o777 == 0o600
    background.start_run(["--version"], lambda: False, output)  # it came to its end


def test_a_second_start_is_refused_before_a_process_is_made(tmp_path):
    presence = Presence(tmp_path, "agent")
    assert presence.take()
    presence.announce("2026-11-28T17:00:00Z")
    assert json.loads((tmp_path / "agent.json").read_text())["pid"] == os.getpid()
    with pytest.raises(UsageError, match="runs already"):
        background.start_role([], tmp_path, "agent", tmp_path / "agent.out")
    assert not (tmp_path / "agent.out").exists()
    presence.leave()
