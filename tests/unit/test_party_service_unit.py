"""Units of systemd: what each role may and may not, and what systemd itself says of them."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line_hospital import here

from securefl.errors import UsageError
from securefl.party import service_unit as module
from securefl.party.folder import PartyFolder, Settings
from securefl.party.service_unit import (
    agent_service,
    aggregator_service,
    run_service,
    steps,
    unit_text,
    user_text,
)

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze here"
)
PYTHON = sys.executable
#: `systemd-analyze security`, from 0 (nothing is open) to 100.
MOST_EXPOSED = 25


def party(role="hospital", *, path="/srv/securefl/stmw", store="/srv/store", name="STMW"):
    facts = {"name": name, "role": role, "legal_name": "L", "email": "a@b.example", "store": store}
    settings = Settings.model_validate({"schema": "securefl-party/1", **facts})
    return PartyFolder(Path(path), settings)


@pytest.fixture(autouse=True)
def installed_for_all(monkeypatch):
    """An installation below /opt, wherever this test runs."""
    monkeypatch.setattr(module.sys, "prefix", "/opt/securefl")
    monkeypatch.setattr(module.sys, "base_prefix", "/usr")
    monkeypatch.setattr(module.sys, "executable", "/opt/securefl/bin/python")


def every():
    store = "s3://bucket/prefix"
    return [
        agent_service(party()),
        agent_service(party(store=store)),
        aggregator_service(party("aggregator", name="sums")),
        aggregator_service(party("aggregator", name="sums", store=store)),
        run_service(party("researcher", name="lab"), "first-study", 60.0),
        run_service(party("researcher", name="lab", store=store), "first-study", 60.0),
    ]


def values(service, key):
    return re.findall(rf"^{key}=(.*)$", unit_text(service), re.MULTILINE)


def test_only_the_agent_makes_namespaces_and_only_those_that_its_worker_needs():
    assert [values(s, "RestrictNamespaces") for s in every()] == [
        ["user net ipc"],
        ["user net ipc"],
        *([["yes"]] * 4),
    ]


def test_what_computes_with_torch_may_write_code_and_the_aggregator_may_not():
    denied = [bool(values(s, "MemoryDenyWriteExecute")) for s in every()]
    assert denied == [False, False, True, True, False, False]


def test_a_store_that_is_a_folder_needs_no_network_and_its_rights_are_kept():
    for service in every():
        folder = "://" not in service.store
        assert values(service, "PrivateNetwork") == ["yes"] * folder
        # set-group-ID of the store's folder is handed on to what is made in it
        assert values(service, "RestrictSUIDSGID") == ["yes"] * (not folder)
        written = values(service, "ReadWritePaths")[0].split()
        assert written == [str(service.folder), *(["/srv/store"] * folder)]


@pytest.mark.parametrize("number", range(6))
def test_every_unit_has_its_own_user_no_new_privileges_and_a_read_only_system(number):
    service = every()[number]
    assert values(service, "User") == [service.user]
    assert service.user not in {"root", ""}
    assert values(service, "NoNewPrivileges") == ["yes"]
    assert values(service, "ProtectSystem") == ["strict"]
    assert values(service, "ProtectHome") == ["yes"]
    assert values(service, "CapabilityBoundingSet") == [""]
    assert values(service, "StandardOutput") == ["journal"]
    assert values(service, "Restart") == ["on-failure"]


def test_what_a_person_has_to_mend_starts_nothing_again():
    agent, run = every()[0], every()[4]
    assert values(agent, "RestartPreventExitStatus") == ["2 3 4 9 130"]
    # a store that is away comes back, and a crash may pass
    for service in (agent, run):
        final = values(service, "RestartPreventExitStatus")[0].split()
        assert {"1", "10"}.isdisjoint(final)
    assert values(run, "SuccessExitStatus") == ["12 130"]


def test_a_program_at_home_is_seen_and_not_written(monkeypatch):
    monkeypatch.setattr(module.sys, "prefix", "/home/anna/securefl")
    assert values(agent_service(party()), "ProtectHome") == ["read-only"]


@pytest.mark.parametrize(
    "facts",
    [
        {"path": "/srv/my folder"},
        {"path": "/srv/a%i"},
        {"path": "/srv/a$HOME"},
        {"path": "/srv/a\nExecStartPre=/bin/sh"},
        {"path": "/srv/a;b"},
        {"store": "/srv/a\\x20b"},
        {"path": "/tmp/h"},  # noqa: S108 - refused
        {"store": "/var/tmp/store"},  # noqa: S108 - refused
    ],
)
def test_what_systemd_would_read_otherwise_is_refused(facts):
    with pytest.raises(UsageError) as caught:
        agent_service(party(**facts))
    assert caught.value.next_step


@pytest.mark.parametrize("user", ["root", "Anna", "a b", "-x", "a:b", "x" * 33])
def test_a_user_that_is_none_or_rules_the_machine_is_refused(user):
    with pytest.raises(UsageError, match="cannot be the user"):
        agent_service(party(), user)


def test_the_users_line_has_no_colon_in_its_comment():
    """systemd-sysusers refuses one, and the unit then has no user to run as."""
    for service in every():
        comment = re.fullmatch(r'u \S+ - "(.*)" /\S+\n', user_text(service))[1]
        assert ":" not in comment


def test_the_steps_name_whole_paths():
    """`systemd-sysusers` looks for others in its own folders."""
    found = steps(every()[0], Path("/srv/units"))
    assert found[1] == "systemd-sysusers /srv/units/securefl-agent-STMW.conf"


@needs_systemd
def test_systemd_reads_every_unit_and_finds_little_open(tmp_path, monkeypatch):
    monkeypatch.setattr(module.sys, "executable", PYTHON)
    files = []
    for number, service in enumerate(every()):
        folder = tmp_path / str(number)
        folder.mkdir()
        file = folder / f"{service.name}.service"
        file.write_text(unit_text(service))
        files.append(file)
        done = _analyze("verify", file)
        assert (done.returncode, done.stdout) == (0, "")
        assert [line for line in done.stderr.splitlines() if str(file.name) in line] == []
    for file in files:
        done = _analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", file)
        assert done.returncode == 0, done.stdout[-200:]


@needs_systemd
def test_control_a_unit_without_the_hardening_is_found_wide_open(tmp_path):
    bare = tmp_path / "bare.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n")
    done = _analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", bare)
    assert done.returncode != 0
    bare.write_text("[Service]\nExecStart=/bin/true\nNoNewPrivilege=yes\n")
    assert "NoNewPrivilege" in _analyze("verify", bare).stderr


def _analyze(*words):
    return subprocess.run(
        [shutil.which("systemd-analyze"), *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_command_writes_both_files_and_says_what_root_does(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_HIDDEN", ())
    place = tmp_path / "h"
    facts = ("--name", "STMW", "--legal-name", "L", "--email", "a@b.example")
    here("site", "init", place, *facts, "--store", tmp_path / "store")
    said = here("site", "service", tmp_path / "units", "--site", place)
    assert "systemctl enable --now securefl-agent-STMW" in said
    names = sorted(p.name for p in (tmp_path / "units").iterdir())
    assert names == ["securefl-agent-STMW.conf", "securefl-agent-STMW.service"]
    told = json.loads(
        here("site", "service", tmp_path / "u", "--user", "me", "--site", place, "--json", "-")
    )
    assert told["user"] == "me"
    assert Path(told["unit"]).read_text() == unit_text(
        agent_service(PartyFolder.open(place, "hospital"), "me")
    )
