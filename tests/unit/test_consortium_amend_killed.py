"""``consortium amend`` and ``enforce`` killed half-way: texts, signatures and machines agree."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from agreed_consortium import AgreedConsortium
from consortium import NAMES

from securefl.errors import MessageError, UsageError
from securefl.node import agreements
from securefl.party import consortium_drafts as drafts
from securefl.party.consortium import LEAVING, SIGNATURES, ConsortiumFolder, find_signatures
from securefl.party.consortium import write_notice as write_leaving

ME = NAMES[0]
EVERYBODY = {*NAMES, "researcher", "sums"}
#: Times that an amendment writes or removes: the prose, five signatures, one notice, the
#: agreement, two folders, the next text.
STEPS = 11


class Killed(BaseException):
    """Stands for a signal: nothing of the program catches it."""


class Switch:
    """Kills the program before its n-th step on the disk."""

    def __init__(self, monkeypatch, module, at):
        self.at, self.done = at, 0
        for name in ("replace_file", "shutil"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, self._watched(getattr(module, name)))

    def _watched(self, real):
        if callable(real):
            return lambda *a, **k: self._step(real, *a, **k)
        switch = self

        class Module:
            """Stands for ``shutil``."""

            def rmtree(self, *a, **k):
                return switch._step(real.rmtree, *a, **k)

        return Module()

    def _step(self, real, *a, **k):
        if self.done == self.at:
            raise Killed
        self.done += 1
        return real(*a, **k)


@pytest.fixture(scope="module")
def agreed(tmp_path_factory):
    """A consortium whose agreement is in force, and a notice of leaving beside it."""
    made = AgreedConsortium(tmp_path_factory.mktemp("ring"))
    sealed = made.agree()
    leaver = made.everybody()[-1]
    write_leaving(made.folder, leaver, sealed.digest, "2026-12-01T00:00:00Z")
    return made


def copied(c, target):
    """A copy of the consortium's folder."""
    import shutil

    shutil.copytree(c.folder.path, target)
    return ConsortiumFolder(target)


def check_one_text(c, folder):
    """No signature in the folder is of another text than the one beside it."""
    sealed = folder.sealed()
    found = find_signatures(folder, sealed, c.researcher)
    assert not found.faults
    return sealed, found.parties


@pytest.mark.parametrize("at", range(STEPS))
def test_killed_at_any_step_the_same_command_finishes_one_amendment(
    agreed, tmp_path, monkeypatch, at
):
    folder = copied(agreed, tmp_path / "copy")
    first = folder.sealed()
    with monkeypatch.context() as killed:
        Switch(killed, drafts, at)
        with pytest.raises(Killed):
            drafts.next_version(folder)
    now, signed = check_one_text(agreed, folder)
    assert now.digest == first.digest
    assert signed <= EVERYBODY
    # Nobody edits what was signed, also where its signatures are away already.
    with pytest.raises(UsageError):
        drafts.take_in(folder, [], country="DE")
    aside = drafts.next_version(folder)
    after, signed = check_one_text(agreed, folder)
    about = after.agreement.consortium
    assert (about.version, about.supersedes) == (2, first.digest)
    assert signed == set()
    kept, signed = check_one_text(agreed, aside)
    assert kept.digest == first.digest
    assert signed == EVERYBODY
    assert [file.stem for file in (aside.path / LEAVING).iterdir()] == ["sums"]
    # There is one version, not two, and it can be worked on.
    with pytest.raises(UsageError, match="Nobody has signed"):
        drafts.next_version(folder)
    drafts.take_in(folder, [], country="DE")


def test_the_steps_are_all_that_there_are(agreed, tmp_path, monkeypatch):
    """The control: one step later nothing is killed."""
    folder = copied(agreed, tmp_path / "copy")
    Switch(monkeypatch, drafts, STEPS)
    drafts.next_version(folder)
    assert folder.sealed().agreement.consortium.version == 2


def test_signatures_beside_the_next_text_would_be_seen(agreed, tmp_path):
    """The control: with the text changed first, the check above fails."""
    folder = copied(agreed, tmp_path / "copy")
    ahead = copied(agreed, tmp_path / "ahead")
    drafts.next_version(ahead)
    (folder.path / "agreement.toml").write_bytes(ahead.text())
    found = find_signatures(folder, folder.sealed(), agreed.researcher)
    assert set(found.faults) == EVERYBODY
    assert all(isinstance(fault, MessageError) for fault in found.faults.values())


def test_a_machine_killed_while_it_goes_over_holds_to_one_version(tmp_path, monkeypatch):
    c = AgreedConsortium(tmp_path)
    first = c.agree()
    drafts.next_version(c.folder)
    drafts.take_in(c.folder, [], country="DE")
    second = c.sign()
    for at in range(2 + len(EVERYBODY)):
        with monkeypatch.context() as killed:
            Switch(killed, agreements, at)
            with pytest.raises(Killed):
                c.enforce(ME)
        site = c.site(ME)
        assert agreements.in_force(site, datetime.now(UTC)) == {"clinic": first.digest}
        assert agreements.kept(site, first.digest).text == first.text
        site.ledger.close()
    c.enforce(ME)
    site = c.site(ME)
    assert agreements.in_force(site, datetime.now(UTC)) == {"clinic": second.digest}
    kept = site.path / "agreements" / second.digest / SIGNATURES
    assert {file.stem for file in kept.iterdir()} == EVERYBODY
    site.ledger.close()
