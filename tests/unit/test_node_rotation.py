"""New keys for a hospital: what stays, what goes, what refuses, and that a crash anywhere leaves
one whole identity.
"""

import errno
import os
import shutil
import signal
import sys
from contextlib import contextmanager, nullcontext

import pytest
from checkpoint_hospitals import approved, three_hospitals
from click.testing import CliRunner
from conftest import fixed_identity
from consortium import Consortium
from ledger_site import digest

from securefl.cli.main import cli
from securefl.errors import NotApprovedError, UnreadableError, UsageError
from securefl.identity import Identity
from securefl.node.rotation import BEFORE, NEXT, rotate_key
from securefl.node.site import Site
from securefl.partners import AddressBook
from securefl.party.clock import utc_now
from securefl.party.pidfile import Presence
from securefl.privacy.ledger import read_ledger

NOW = "2026-11-24T12:00:00Z"


@pytest.fixture
def site(tmp_path):
    made = three_hospitals(tmp_path)
    for other in ("B", "C"):
        made[other].ledger.close()
    yield made["A"]
    made["A"].ledger.close()


def private_bytes(folder):
    return [(folder / "keys" / n).read_bytes() for n in ("signing.key", "sealing.key")]


def everything(folder):
    return b"".join(p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file())


def test_new_keys_take_over_and_nothing_of_the_old_private_ones_is_left(site):
    old, before, secret = site.identity.card, private_bytes(site.path), site.secret
    (site.path / "keys" / "note.txt").write_text("by the owner")
    card = rotate_key(site, NOW)
    again = Site.at(site.path)
    assert again.identity.card == card
    assert [(e.signing_public, e.until) for e in card.earlier] == [(old.signing_public, NOW)]
    assert again.secret == secret
    assert sorted(again.book.cards()) == ["B", "C"]
    assert (again.keys / "note.txt").read_text() == "by the owner"
    assert again.ledger.state.keys == (old.signing_public, card.signing_public)
    again.ledger.pause("by the new key")
    for trusted in (old, card):
        assert read_ledger(again.ledger_path, trusted.verify).fault is None
    left = everything(site.path)
    assert not any(key in left for key in before)
    assert {p.stat().st_mode & 0o777 for p in again.keys.iterdir() if p.is_file()} == {0o600}
    assert again.keys.stat().st_mode & 0o777 == 0o700
    assert not (site.path / NEXT).exists()
    assert not (site.path / BEFORE).exists()
    again.ledger.close()


def test_twice_is_a_longer_chain_and_each_earlier_key_still_verifies(site):
    cards = [site.identity.card, rotate_key(site, NOW)]
    second = Site.at(site.path)
    cards.append(rotate_key(second, NOW))
    second.ledger.close()
    assert [e.signing_public for e in cards[-1].earlier] == [c.signing_public for c in cards[:2]]
    for card in cards:
        assert read_ledger(site.ledger_path, card.verify).fault is None


def refused(site, error, words):
    old = site.identity.card
    with pytest.raises(error, match=words):
        rotate_key(site, NOW)
    assert Site.at(site.path).identity.card == old
    assert not (site.path / NEXT).exists()


def test_refused_while_a_study_is_approved_or_running_and_not_after_its_end(site):
    approved(site)
    refused(site, NotApprovedError, r"s1-0+ \(approved\) names the old key")
    site.ledger.start(digest(1))
    refused(site, NotApprovedError, r"\(running\)")
    site.ledger.settle(digest(1), "completed")
    rotate_key(site, NOW)


def test_refused_while_the_agent_runs(site):
    agent = Presence(site.path, "agent")
    assert agent.take()
    refused(site, UsageError, "agent runs, with the old keys")
    agent.leave()
    rotate_key(site, NOW)


def test_a_study_is_named_before_the_agent_so_that_nobody_stops_it_for_new_keys(site):
    approved(site)
    agent = Presence(site.path, "agent")
    assert agent.take()
    refused(site, NotApprovedError, "names the old key")
    agent.leave()


def test_an_approval_given_while_the_change_begins_stops_it(site, monkeypatch):
    @contextmanager
    def slow(*_):
        approved(site)
        yield True

    monkeypatch.setattr("securefl.node.rotation.exclude_role", slow)
    refused(site, NotApprovedError, "names the old key")


def test_a_process_that_read_the_old_keys_changes_nothing_more(site):
    late = Site.at(site.path)
    assert late.identity
    rotate_key(site, NOW)
    with pytest.raises(UsageError, match="they were replaced"):
        late.ledger.pause("x")
    with pytest.raises(UsageError, match="replaced meanwhile"):
        rotate_key(late, NOW)
    with pytest.raises(UsageError, match="replaced meanwhile"):
        late.book.distrust("B")
    assert sorted(Site.at(site.path).book.cards()) == ["B", "C"]
    late.ledger.close()


def test_a_first_partner_that_is_trusted_while_the_keys_change_leaves_no_list_by_the_old_key(
    tmp_path,
):
    """Such a list could be read by nobody, and no later change of keys could sign it anew."""
    alone = Site.init(
        tmp_path / "D",
        name="D",
        legal_name="D",
        email="d@example.org",
        store=str(tmp_path / "store"),
    )
    partner = fixed_identity("B", "hospital").card
    alone.book.check(partner)  # the command has read the keys, and asks its question
    rotate_key(Site.at(alone.path), NOW)
    with pytest.raises(UsageError, match="list of partners is as it was") as caught:
        alone.book.trust(partner)
    assert caught.value.next_step == "Repeat the command."
    again = Site.at(alone.path)
    assert again.book.cards() == {}
    again.book.trust(partner)
    rotate_key(again, NOW)
    assert sorted(Site.at(alone.path).book.cards()) == ["B"]
    for opened in (alone, again):
        opened.ledger.close()


def test_a_list_that_somebody_else_changed_stops_it_before_anything_happens(site):
    (site.keys / "partners").write_bytes(b"x")
    refused(site, UnreadableError, "somebody else changed it")


def test_a_full_disk_leaves_the_old_keys_and_says_so(site, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    (site.keys / "note.txt").write_text("by the owner")
    with monkeypatch.context() as patch:
        patch.setattr("securefl.node.rotation.write_secret", full)
        refused(site, UnreadableError, "No space left on device. The old ones stay")
    rotate_key(site, NOW)


_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_EVENTS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.link"}


def kill_at(path, step, action):
    """``action`` on the folder in a child that is killed before its ``step``-th change to files or
    SQL statement; True if it was.
    """
    child = os.fork()
    if child == 0:  # pragma: no cover - runs in the child
        try:
            site = Site.at(path) if action is rotate_key else None
            if site:
                site.ledger._file.connection.set_trace_callback(lambda _: count("sql"))
                assert site.identity
            left = step

            def count(_name):
                nonlocal left
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            def hook(name, args):
                if name in _EVENTS and (name != "open" or args[2] & _WRITES):
                    count(name)

            sys.addaudithook(hook)
            action(site, NOW) if site else action(path)
            os._exit(0)
        except BaseException:  # noqa: BLE001 - a forked child must end here, whatever happens
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def test_killed_anywhere_one_identity_is_whole_and_the_ledger_goes_on(site, tmp_path):
    """Killed before every change to a file and every SQL statement, and once more while it is put
    right.
    """
    site.ledger.close()
    old, keys, partners = site.identity.card, private_bytes(site.path), sorted(site.book.cards())
    secret, ended, step = site.secret, {"old": 0, "new": 0}, 0
    while True:
        path = tmp_path / "copies" / str(step)
        shutil.copytree(site.path, path)
        killed = kill_at(path, step, rotate_key)
        # on the disk as the crash left it: no folder that is called keys is a mix of two identities
        if (path / "keys").exists():
            whole = Identity.load(path / "keys")
            assert (
                sorted(AddressBook(path / "keys" / "partners", whole, nullcontext, utc_now).cards())
                == partners
            )
        else:
            assert (path / NEXT).exists()
        if step % 3 == 0:
            kill_at(path, step // 3 % 9, Site.at)
        elif step % 3 == 1:  # an audit may come first
            assert (
                CliRunner().invoke(cli, ["audit", "--verify", "--site", str(path)]).exit_code == 0
            )
        again = Site.at(path)
        card = again.identity.card
        new = card != old
        assert again.ledger.state.key == card.signing_public
        again.ledger.pause("goes on")
        assert read_ledger(path / "ledger.sqlite", old.verify).fault is None
        assert (sorted(again.book.cards()), again.secret) == (partners, secret)
        assert sorted(p.name for p in path.iterdir() if p.name.startswith("keys")) == ["keys"]
        assert new == (not any(key in everything(path) for key in keys))
        again.ledger.close()
        ended["new" if new else "old"] += 1
        if not killed:
            break
        shutil.rmtree(path)
        step += 1
    assert new
    # a test that never met both sides of the change would prove nothing
    assert min(ended.values()) > 5, ended


def test_a_study_that_names_the_old_key_cannot_begin_and_a_new_one_can(tmp_path):
    c = Consortium(tmp_path)
    me, other = c.names[:2]
    before = c.new_study("before")
    rotate_key(c.site(me), NOW)
    card = c.site(me).identity.card
    c.site(other).book.trust(card)
    c.lab.folder.book.trust(card)
    for name in (me, other):
        (fault,) = c.review(name, before)[1].faults
        assert f"names the keys that {me} had before 2026-11-24" in fault.what
    after = c.new_study("after")
    assert c.review(other, after)[1].faults == ()
    (fault,) = c.review(c.names[2], after)[1].faults  # which has not trusted the new card
    assert f"trusted here. Who can mend it: {me}" in str(fault)
