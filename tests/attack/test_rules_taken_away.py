"""Somebody who can write the hospital's folder takes its signed rules away, or puts older ones back.

The ledger names the file in force, so that neither gives an approval. The control is a folder of a
version whose ledger knew nothing of such files: there the same deletion takes the rules away.
"""

import hashlib
from datetime import UTC, datetime

import pytest
from consortium import NAMES, Consortium

from securefl.errors import NotApprovedError, UnreadableError
from securefl.node import decisions, own_policy, people
from securefl.node.notices import notice_settings
from securefl.node.owner import policy as owner_policy
from securefl.node.policy import review
from securefl.node.policy_files import OWN_FILES, note_own_files
from securefl.signed import dump_signed
from securefl.study.owner_policy import read_policy

ME = NAMES[0]
HEAD = 'schema = "securefl-policy/1"\n'
NOBODY = read_policy((HEAD + "researchers = []\n").encode())
ANYBODY = read_policy(HEAD.encode())
TWO = read_policy((HEAD + "approvers = 2\n").encode())
PASS = {"anna": "four words of anna", "bela": "four words of bela"}
NOTICES = b'schema = "securefl-notices/1"\n[command]\nrun = ["/bin/true"]\n'


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    made = Consortium(tmp_path_factory.mktemp("taken"))
    made.study = made.new_study("asked")
    made.hand_over(made.study, ME)
    return made


@pytest.fixture
def here(c):
    site = c.site(ME)
    yield site
    own_policy.drop_policy(site)
    site.ledger.close()


def now():
    return datetime.now(UTC)


def faults(c, site):
    return review(site, c.study.sealed, now()).faults


def test_a_policy_that_was_deleted_by_hand_still_stands_against_every_request(c, here):
    own_policy.keep_policy(here, NOBODY)
    (here.path / "policy.signed").unlink()
    (fault,) = faults(c, here)
    assert isinstance(fault, UnreadableError)
    assert "is gone, and the ledger says that it is in force" in fault.what
    with pytest.raises(UnreadableError):
        decisions.approve(here, review(here, c.study.sealed, now()))
    assert c.study.digest not in here.ledger.state.studies


def test_the_control_a_ledger_that_knows_of_no_policy_misses_none(c):
    site = c.site(NAMES[1])
    c.hand_over(c.study, NAMES[1])
    body = {
        "type": "securefl-own-policy/1",
        "site": site.name,
        "rules": NOBODY.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
    file = site.path / "policy.signed"
    signed = dump_signed(body, site.identity.sign)
    file.write_bytes(signed)
    assert faults(c, site)
    file.unlink()
    assert not faults(c, site)
    # and an agent that starts over such a folder mends it
    file.write_bytes(signed)
    note_own_files(site)
    file.unlink()
    assert faults(c, site)
    site.ledger.close()


def test_an_older_and_laxer_policy_that_is_put_back_is_none(c, here):
    own_policy.keep_policy(here, ANYBODY)
    older = (here.path / "policy.signed").read_bytes()
    own_policy.keep_policy(here, NOBODY)
    (here.path / "policy.signed").write_bytes(older)
    (fault,) = faults(c, here)
    assert "an older one was put back" in fault.what
    # the control: what the ledger names is in force
    own_policy.keep_policy(here, ANYBODY)
    assert (here.path / "policy.signed").read_bytes() == older
    assert not faults(c, here)


def test_a_policy_that_was_taken_away_does_not_come_back_by_a_copy(c, here):
    own_policy.keep_policy(here, NOBODY)
    copy = (here.path / "policy.signed").read_bytes()
    own_policy.drop_policy(here)
    (here.path / "policy.signed").write_bytes(copy)
    assert own_policy.kept_policy(here) is None
    assert here.ledger.state.own_files["policy.signed"] is None


@pytest.mark.parametrize("killed", ["before the ledger", "after the ledger"])
def test_a_process_killed_while_it_signs_leaves_one_policy_in_force(c, here, monkeypatch, killed):
    from securefl.node import own_signed

    own_policy.keep_policy(here, ANYBODY)
    writes = []

    def replace_file(path, data):
        if path.name == "policy.signed":
            raise KeyboardInterrupt
        writes.append(path.name)
        path.write_bytes(data)

    monkeypatch.setattr(own_signed, "replace_file", replace_file)
    if killed == "before the ledger":
        monkeypatch.setattr(here.ledger, "keep_file", lambda *_: (_ for _ in ()).throw(OSError))
    with pytest.raises((KeyboardInterrupt, OSError)):
        own_policy.keep_policy(here, NOBODY)
    assert writes == ["policy.signed.next"]
    wanted = ANYBODY if killed == "before the ledger" else NOBODY
    assert own_policy.kept_policy(here) == wanted
    monkeypatch.undo()


def test_one_of_two_people_does_not_spoil_the_policy_to_sign_another_alone(c, here, monkeypatch):
    monkeypatch.setattr(people, "_SCRYPT_N", 1 << 4)
    for name, passphrase in PASS.items():
        people.add_person(here, name, passphrase, "2026-03-01T12:00:00Z")
    own_policy.keep_policy(here, TWO)
    (here.path / "policy.signed").unlink()
    plan = owner_policy.plan_policy(here, HEAD.encode())
    with pytest.raises(NotApprovedError, match="asks two people"):
        owner_policy.set_policy(here, plan, {"anna": PASS["anna"]})
    with pytest.raises(NotApprovedError, match="asks two people"):
        owner_policy.drop_policy(here)
    # nor by taking the list of people away beside it
    kept = (here.path / "people.signed").read_bytes()
    (here.path / "people.signed").unlink()
    with pytest.raises(UnreadableError):
        owner_policy.set_policy(here, plan)
    (here.path / "people.signed").write_bytes(kept)
    owner_policy.set_policy(here, plan, PASS)
    assert own_policy.kept_policy(here) == ANYBODY


def test_notices_and_people_are_missed_as_well(here):
    notice_settings.keep_notice_settings(here, notice_settings.read_notice_settings(NOTICES))
    (here.path / "notices.signed").unlink()
    with pytest.raises(UnreadableError, match="is gone"):
        notice_settings.kept_notice_settings(here)
    notice_settings.drop_notice_settings(here)
    assert notice_settings.kept_notice_settings(here) is None


def test_every_file_that_is_signed_here_has_its_digest_in_the_ledger(here):
    own_policy.keep_policy(here, ANYBODY)
    for file in OWN_FILES:
        lying = file.path(here)
        if lying.exists():
            assert file.digest(here) == hashlib.sha256(lying.read_bytes()).hexdigest()
