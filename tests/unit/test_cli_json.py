"""Every page that an owner reads has its ``--json``, and the shell completes commands and names."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from conftest import PROTOCOL
from consortium import NAMES, Consortium

from securefl.cli.main import cli
from securefl.errors import UsageError

ME, OTHER = NAMES[:2]
#: Commands of a hospital that do something and show no page.
ACTS = {
    "approve",
    "ask",
    "backup",
    "console",
    "counter-offer",
    "data add",
    "data map",
    "data remove",
    "data unmap",
    "budget set",
    "init",
    "notices drop",
    "notices set",
    "pause",
    "people add",
    "people remove",
    "policy drop",
    "policy set",
    "refuse",
    "restore",
    "start",
    "stop",
    "withdraw",
    "word",
}


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    made = Consortium(tmp_path_factory.mktemp("json"))
    made.study = made.new_study("first")
    made.hand_over(made.study, ME)
    return made


def site(c, *words):
    done = CliRunner().invoke(cli, ["site", *words, "--site", str(c.root / ME)])
    if done.exception:
        raise done.exception
    return done.stdout


def leaves(group, before=()):
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from leaves(command, (*before, name))
        else:
            yield " ".join((*before, name)), command


def test_every_page_of_a_hospital_has_its_json():
    commands = dict(leaves(cli.get_command(click.Context(cli), "site")))
    without = {
        name
        for name, command in commands.items()
        if not any("--json" in option.opts for option in command.params)
    }
    assert without == ACTS


def test_a_review_for_programs_has_all_that_a_decision_rests_on(c):
    found = json.loads(site(c, "review", "first", "--json", "-"))
    assert found["digest"] == c.study.digest
    assert (found["state"], found["can_be_approved"], found["faults"]) == ("waiting", True, [])
    assert found["hospitals"] == list(NAMES)
    assert set(found["verified"]) >= {OTHER, "researcher"}
    assert float(found["budget"]["share_asked"]) > 0
    assert found["budget"]["fits"]
    assert found["others"] == {"approved": [], "waiting": sorted({*NAMES} - {ME}), "ended": {}}
    assert (found["rows"]["rows"], found["rows"]["usable"]) == (80, 80)


def test_a_review_for_programs_names_each_fault(c):
    here = c.site(ME)
    card = here.book.cards()[OTHER]
    here.book.distrust(OTHER)
    found = json.loads(site(c, "review", "first", "--json", "-"))
    here.book.trust(card)
    assert not found["can_be_approved"]
    assert [fault["code"] for fault in found["faults"]] == ["untrusted"]
    assert all(found["faults"][0].values())


def test_a_store_that_does_not_answer_tells_programs_nothing_of_the_others(c):
    away = c.store_folder.rename(c.root / "away")
    try:
        assert json.loads(site(c, "review", "first", "--json", "-"))["others"] is None
    finally:
        away.rename(c.store_folder)


def test_the_list_of_partners_for_programs(c, tmp_path):
    trusted = json.loads(site(c, "trust", "--json", "-"))["trusted"]
    assert {t["name"] for t in trusted} == {*NAMES, "researcher"} - {ME}
    assert all(len(t["fingerprint"].split()) == 10 for t in trusted)
    card = c.root / OTHER / "keys" / "card.json"
    site(c, "trust", str(card), "--yes", "--json", str(tmp_path / "list"))
    assert json.loads((tmp_path / "list").read_text())["trusted"] == trusted
    with pytest.raises(UsageError):
        site(c, "trust", str(card), "--yes", "--json", "-")


def test_a_look_at_a_table_for_programs(c, tmp_path):
    (tmp_path / "protocol.toml").write_text(PROTOCOL)
    words = ("--columns", str(tmp_path / "protocol.toml"), "--json", "-")
    found = json.loads(site(c, "data", "check", str(c.table(ME)), *words))
    assert (found["rows"]["rows"], found["missing"], found["fault"]) == (80, {}, None)


def test_the_aggregators_state_for_programs(c):
    words = ["aggregator", "status", "--json", "-", "--aggregator", str(c.root / "sums")]
    found = json.loads(CliRunner().invoke(cli, words).stdout)
    assert (found["running"], found["coordinators"]) == (False, ["researcher"])


# --- the shell


def completed(begun, *words):
    return [
        item.value
        for item in ShellComplete(cli, {}, "securefl", "_SECUREFL_COMPLETE").get_completions(
            list(words), begun
        )
    ]


def test_commands_and_options_are_completed():
    assert completed("con", "site") == ["console"]
    assert "--json" in completed("--", "site", "review")
    assert set(completed("", "completion")) == {"bash", "zsh", "fish"}


@pytest.mark.parametrize("command", ["review", "approve", "refuse", "withdraw"])
def test_names_of_requests_are_completed_from_the_named_folder(c, command, monkeypatch, tmp_path):
    name = f"first-{c.study.digest[:12]}"
    folder = str(c.root / ME)
    assert completed("fi", "site", command, "--site", folder) == [name]
    assert completed("x", "site", command, "--site", folder) == []
    monkeypatch.setenv("SECUREFL_SITE", folder)
    assert completed("", "site", command) == [name]
    monkeypatch.setenv("SECUREFL_SITE", str(tmp_path))
    assert completed("", "site", command) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_calls_this_program(shell):
    text = CliRunner().invoke(cli, ["completion", shell]).stdout
    assert "_SECUREFL_COMPLETE" in text
    assert "securefl" in text


def test_a_shell_gets_the_names_from_the_program(c):
    done = subprocess.run(
        [Path(sys.executable).with_name("securefl")],
        env={
            **os.environ,
            "_SECUREFL_COMPLETE": "bash_complete",
            "COMP_WORDS": "securefl site review fi",
            "COMP_CWORD": "3",
            "SECUREFL_SITE": str(c.root / ME),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == [f"plain,first-{c.study.digest[:12]}"]
