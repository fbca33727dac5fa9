"""Audit, rounds and machine as facts: what an owner can look at without a terminal."""

from __future__ import annotations

import pytest
from consortium import NAMES, Consortium
from worker_isolation import FILES_OPEN, NETWORK_OPEN

from securefl.errors import SecureFLError, UnreadableError, UsageError
from securefl.node import isolation
from securefl.node.own_policy import keep_policy
from securefl.node.owner import audit, machine
from securefl.node.owner.rounds import hospital_rounds
from securefl.party.failure_note import NOT_KEPT, keep_reason
from securefl.study.owner_policy import read_policy

ME, OTHER, _ = NAMES


@pytest.fixture
def c(tmp_path):
    return Consortium(tmp_path)


@pytest.fixture
def here(c):
    site = c.site(ME)
    yield site
    site.ledger.close()


def test_an_audit_holds_and_names_the_checkpoint_it_was_compared_with(c, here):
    found = audit.read_audit(here.path)
    assert (found.report.verified, found.card, found.checkpoint) == (True, here.identity.card, None)
    file = c.root / "held"
    file.write_bytes(here.ledger.checkpoint())
    found = audit.read_audit(here.path, checkpoint=file)
    assert (found.report.verified, found.checkpoint.size) == (True, here.ledger.size)
    file.write_bytes(c.site(OTHER).ledger.checkpoint())
    with pytest.raises(UnreadableError, match=f"no checkpoint of {ME}'s ledger"):
        audit.read_audit(here.path, checkpoint=file)


def test_a_ledger_that_forgot_what_another_holds_is_altered(c, here):
    returned = here.path / "checkpoints" / "returned"
    returned.mkdir(parents=True)
    before = here.ledger_path.read_bytes()
    here.ledger.pause("later")
    here.ledger.close()
    site = c.site(ME)
    (returned / OTHER).write_bytes(site.ledger.checkpoint())
    site.ledger.close()
    assert audit.read_audit(here.path).report.verified
    for file in here.path.glob("ledger.sqlite*"):
        file.unlink()
    here.ledger_path.write_bytes(before)
    found = audit.read_audit(here.path)
    assert not found.report.verified
    assert found.checkpoint is not None


def test_a_checkpoint_of_another_ledger_or_half_written_counts_for_nothing(c, here):
    returned = here.path / "checkpoints" / "returned"
    returned.mkdir(parents=True)
    (returned / OTHER).write_bytes(c.site(OTHER).ledger.checkpoint())
    (returned / "half").write_bytes(b"half written")
    found = audit.read_audit(here.path)
    assert (found.report.verified, found.checkpoint) == (True, None)


def test_a_failed_study_has_a_reason(c, here):
    study = c.new_study("first")
    c.hand_over(study, ME)
    c.approve(ME, study)
    site = c.site(ME)
    site.ledger.settle(study.digest, "failed")
    site.ledger.close()
    assert audit.read_audit(here.path).reasons == {study.digest: NOT_KEPT}
    keep_reason(here.path, study.digest, SecureFLError("The disk was full."))
    assert "The disk was full." in audit.read_audit(here.path).reasons[study.digest]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-31", "2026-01-31T00:00:00"),
        ("2026-01-31T12:00Z", "2026-01-31T12:00:00"),
        ("2026-01-31T12:00+02:00", "2026-01-31T10:00:00"),
    ],
)
def test_a_time_is_read_as_the_ledger_compares_it(text, time):
    assert audit.read_since(text) == time


def test_what_is_no_time_and_no_hospital_is_refused(tmp_path):
    with pytest.raises(UsageError, match="is not a time"):
        audit.read_since("yesterday")
    with pytest.raises(UsageError, match=r"has no site\.toml"):
        audit.read_audit(tmp_path)


def test_rounds_are_of_approved_studies_only(c, here):
    study = c.new_study("first")
    c.hand_over(study, ME)
    with pytest.raises(UsageError, match="There is no study here yet"):
        hospital_rounds(here)
    c.approve(ME, study)
    site = c.site(ME)
    view = hospital_rounds(site)
    assert (view.name, view.site, view.sent) == (f"first-{study.digest[:12]}", ME, {})
    site.ledger.close()


def test_keys_that_do_not_sign_the_ledger_are_refused(c, here):
    assert machine.check_keys(here.path).name == ME
    here.ledger.close()
    kept = c.root / "kept"
    here.keys.rename(kept)
    (c.root / OTHER / "keys").rename(here.keys)
    with pytest.raises(SecureFLError):
        machine.check_keys(here.path)


def test_a_machine_that_cannot_block_the_network_is_refused_with_the_switch(monkeypatch):
    assert machine.check_isolation(None).startswith("isolation: network blocked")
    monkeypatch.setattr(isolation, "_tried", lambda: NETWORK_OPEN.walls)
    with pytest.raises(SecureFLError, match="forbids user namespaces") as caught:
        machine.check_isolation(None)
    assert "user namespaces" in caught.value.next_step


def test_the_walls_of_a_machine_are_judged_by_the_hospitals_own_policy(here, monkeypatch):
    """The network's wall alone is up: enough where there is no rule, too little for this policy."""
    monkeypatch.setattr(isolation, "_tried", lambda: FILES_OPEN.walls)
    assert "network blocked" in machine.check_isolation(here.path)
    keep_policy(here, read_policy(b'schema = "securefl-policy/1"\nwalls = ["files"]\n'))
    with pytest.raises(SecureFLError, match="wall files does not hold"):
        machine.check_isolation(here.path)
    monkeypatch.undo()
    assert "required by this hospital's policy: files" in machine.check_isolation(here.path)
