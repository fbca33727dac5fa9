"""Five parties by the command line, in this process: from empty folders to an approved study under
an agreement, its amendment, and a party that leaves.
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from securefl.api import connect
from securefl.cli.main import main
from securefl.errors import ExitCode, MessageError
from securefl.files import replace_file
from securefl.identity import read_card
from securefl.node.owner import requests
from securefl.node.owner.folder import open_site
from securefl.node.requests import keep_request
from securefl.party.invitation import unpack
from securefl.study.sealed import SealedStudy

HOSPITALS = ("Nord", "Mitte", "West")
ROLES = {**dict.fromkeys(HOSPITALS, "site"), "uni": "researcher", "sums": "aggregator"}
GROUPS = {"site": "site", "researcher": "study", "aggregator": "aggregator"}
TABLE = "patient_id,age,condition\n" + "".join(
    f"P{n},{20 + n % 60},{'yes' if n % 3 else 'no'}\n" for n in range(90)
)


class Ring:
    """Everybody's folder below ``root``, and a copy of the consortium's folder for each."""

    def __init__(self, root, capsys):
        self.root, self.capsys = root, capsys

    def run(self, *words, code=0):
        """Run a command; what it printed."""
        ended = 0
        try:
            main([str(word) for word in words])
        except SystemExit as done:
            ended = done.code
        said = self.capsys.readouterr()
        assert ended == code, (words, said.out, said.err)
        if "--json" in words:
            return said.out
        return " ".join((said.out + said.err).replace("│", " ").split())

    def mine(self, name):
        return (f"--{ROLES[name]}", self.root / name)

    def folder(self, name):
        return self.root / f"{name}-ring"

    def everybody(self, command, *words):
        for name in ROLES:
            self.run("consortium", command, self.folder(name), *words, *self.mine(name))

    def spread(self, kind):
        """Hand every party's files of a kind to all others, as by mail."""
        for giver in ROLES:
            for file in (self.folder(giver) / kind).glob(f"{giver}.*"):
                for taker in ROLES:
                    if taker != giver:
                        target = self.folder(taker) / kind / file.name
                        target.parent.mkdir(exist_ok=True)
                        shutil.copy(file, target)

    def check(self, name, *words):
        words = ("consortium", "check", self.folder(name), "--json", "-", *words)
        return json.loads(self.run(*words, *self.mine(name)))


@pytest.fixture
def ring(tmp_path, capsys):
    made = Ring(tmp_path, capsys)
    for name, role in ROLES.items():
        made.run(
            GROUPS[role],
            "init",
            tmp_path / name,
            "--name",
            name,
            "--legal-name",
            f"Institution {name}",
            "--email",
            "a@b.example",
            "--store",
            tmp_path / "store",
        )
    return made


def found_and_join(ring):
    """New, invite, join, the telephone calls."""
    start = ring.root / "draft"
    said = ring.run(
        *("consortium", "new", start, "--id", "ring", "--title", 'The "ring"'),
        *("--population", "clinic", "--country", "DE", "--hospitals", 3),
    )
    assert "securefl consortium invite" in said
    cards = [ring.root / name / "keys" / "card.json" for name in ROLES]
    invitation = ring.root / "invitation.json"
    few = ring.run("consortium", "invite", start, *cards[1:], "--country", "DE")
    assert "article 5 asks for 3 hospitals in a study, and 2 are parties" in few
    assert "lines of agreement.md end in '...'" in few
    prose = start / "agreement.md"
    prose.write_text(prose.read_text().replace("...", "as agreed."))
    said = ring.run("consortium", "invite", start, *cards, "--country", "DE", "--to", invitation)
    assert "It can be signed: ring, version 1" in said
    assert "But" not in said
    groups = [read_card((ring.root / name / "keys" / "card.json").read_bytes()) for name in ROLES]
    for name, role in ROLES.items():
        said = ring.run("consortium", "join", invitation, ring.folder(name), *ring.mine(name))
        assert "Telephone each of them" in said
        # the groups that each party was shown for itself are what the others compare
        assert [card.name for card in groups if card.spoken not in said] == []
        others = [ring.folder(name) / "cards" / f"{n}.json" for n in ROLES if n != name]
        ring.run(GROUPS[role], "trust", *others, "--yes", *ring.mine(name))
        said = ring.run("consortium", "join", ring.folder(name), *ring.mine(name))
        assert "You know every party by its card." in said


def agreed(ring):
    """All sign, all hospitals hold to it."""
    ring.everybody("sign", "--yes")
    before = ring.check("Nord")
    assert not before["complete"]
    assert "Mitte" in before["missing"]
    refused = ring.run(
        *("consortium", "enforce", ring.folder("Nord"), "--yes", *ring.mine("Nord")),
        code=ExitCode.NOT_APPROVED,
    )
    assert "Still to sign:" in refused
    ring.spread("signatures")
    for name in ROLES:
        assert ring.check(name)["complete"]
    for name in HOSPITALS:
        ring.run("consortium", "enforce", ring.folder(name), "--yes", *ring.mine(name))
        assert ring.check(name)["bound"] == ["clinic"]


def first_study(ring, *words, code=0):
    """The first study of the starter, made by the researcher; its text."""
    protocol = ring.folder("uni") / "first-study" / "protocol.toml"
    said = ring.run(
        *("study", "new", protocol),
        *(w for name in HOSPITALS for w in ("--hospital", name)),
        *("--aggregator", "sums", *words, *ring.mine("uni")),
        code=code,
    )
    if code:
        return said
    assert "Still to be written, and every owner reads it: study.lead" in said
    made = sorted((ring.root / "uni" / "studies").iterdir(), key=lambda p: p.stat().st_mtime)
    return (made[-1] / "study.toml").read_bytes()


def reviewed(ring, name, text):
    """A request at a hospital, handed over without PySyft."""
    site = open_site(ring.root / name)
    sealed = SealedStudy.read(text)
    now = datetime.now(UTC)
    keep_request(
        site,
        sealed,
        job=f"job-{sealed.digest[:6]}",
        sender="uni@securefl.example",
        received=f"{now:%Y-%m-%dT%H:%M:%SZ}",
    )
    return site, requests.plan_approval(site, sealed.digest[:12], now)


def test_five_parties_from_nothing_to_an_approved_study_an_amendment_and_a_leaving(ring):
    found_and_join(ring)
    agreed(ring)
    protocol = ring.folder("uni") / "first-study" / "protocol.toml"
    table = ring.root / "table.csv"
    table.write_text(TABLE)
    for name in HOSPITALS:
        mine = ring.mine(name)
        ring.run(
            *("site", "data", "add", "records", table, "--population", "clinic"),
            *("--columns", protocol, "--yes", *mine),
        )
        ring.run(
            *("site", "budget", "set", "clinic", "--epsilon", 4, "--delta", "1e-5"),
            *("--typical", protocol, "--yes", *mine),
        )
    text = first_study(ring, "--agreement", ring.folder("uni") / "agreement.toml")
    for name in HOSPITALS:
        site, found = reviewed(ring, name, text)
        assert found.faults == ()
        requests.approve(site, found)
        site.ledger.close()
    # a study that names no agreement, and one that comes too soon
    site, found = reviewed(ring, "Nord", first_study(ring, "--id", "bare"))
    assert "names it; this one names none" in found.faults[0].what
    again = first_study(ring, "--id", "soon", "--agreement", ring.folder("uni") / "agreement.toml")
    site.ledger.close()
    site, found = reviewed(ring, "Nord", again)
    assert "Article 8, days between studies" in found.faults[0].what
    site.ledger.close()
    amend_and_leave(ring)


def amend_and_leave(ring):
    """The next version forbids what the first study was; then a party gives notice."""
    for name in ROLES:
        ring.run("consortium", "amend", ring.folder(name))
        file = ring.folder(name) / "agreement.toml"
        text = file.read_text()
        file.write_text(text.replace('epsilon_study = "2"', 'epsilon_study = "0.1"'))
        ring.run("consortium", "invite", ring.folder(name))
    ring.everybody("sign", "--yes")
    ring.spread("signatures")
    for name in HOSPITALS:
        ring.run("consortium", "enforce", ring.folder(name), "--yes", *ring.mine(name))
    newest = ring.folder("uni") / "agreement.toml"
    said = first_study(ring, "--id", "next", "--agreement", newest, code=ExitCode.INVALID)
    assert "Article 3, epsilon a study: the study may cost 0.174, at most 0.1 is agreed." in said
    ring.run("consortium", "leave", ring.folder("West"), "--yes", *ring.mine("West"))
    ring.spread("leaving")
    said = ring.run("consortium", "enforce", ring.folder("Nord"), "--yes", *ring.mine("Nord"))
    assert "West gave notice." in said
    status = json.loads(ring.run("site", "status", "--json", "-", *ring.mine("Nord")))
    (bound,) = status["agreements"]
    assert (bound["population"], bound["consortium"], bound["version"]) == ("clinic", "ring", 2)
    (_, entry) = json.loads(ring.run("audit", "--json", "-", *ring.mine("Nord")))["agreements"]
    assert entry["version"] == 2
    assert [d["party"] for d in entry["departures"]] == ["West"]


def test_a_party_that_cannot_be_telephoned_is_vouched_for(ring):
    """Nord compared the cards of uni and of West; uni cannot telephone West."""
    start, invitation = ring.root / "draft", ring.root / "invitation.json"
    ring.run(
        *("consortium", "new", start, "--id", "ring", "--title", "R", "--population", "clinic"),
        *("--country", "DE", "--hospitals", 3),
    )
    cards = {name: ring.root / name / "keys" / "card.json" for name in ROLES}
    ring.run("consortium", "invite", start, *cards.values(), "--country", "DE")
    known = (cards["uni"], cards["West"])
    ring.run("site", "trust", *known, "--yes", *ring.mine("Nord"))
    vouch = ("consortium", "vouch", start, "West", "--yes")
    said = ring.run(*vouch, *ring.mine("Nord"))
    assert "Institution West" in said
    # the word travels with the invitation
    ring.run("consortium", "invite", start, "--to", invitation)
    folder, mine = ring.folder("uni"), ring.mine("uni")
    said = ring.run("consortium", "join", invitation, folder, *mine)
    assert "vouches for" not in said  # Nord itself is not known to uni yet
    ring.run("study", "trust", cards["Nord"], "--yes", *mine)
    said = ring.run("consortium", "join", folder, *mine)
    words = folder / "vouches" / "Nord.West.vouch"
    assert "Nord vouches for West until" in said
    assert f"--vouch {words}" in said
    card = folder / "cards" / "West.json"
    said = ring.run("study", "trust", card, "--vouch", words, "--yes", *mine)
    assert "Nobody here has compared this card." in said
    ring.run("study", "trust", "--remove", "West", *mine)
    lab = connect(ring.root / "uni")
    with pytest.raises(MessageError):
        lab.trust(cards["Mitte"], vouch=words)
    assert lab.trust(card, vouch=words).name == "West"
    shown = "NOT compared in person; Nord vouched for it until"
    assert shown in ring.run("study", "trust", *mine)
    assert shown in ring.run("consortium", "check", folder, *mine)
    listed = json.loads(ring.run("study", "trust", "--json", "-", *mine))["trusted"]
    assert {one["name"]: (one["vouched"] or {}).get("by") for one in listed} == {
        "Nord": None,
        "West": "Nord",
    }
    # one link, and hospitals only
    said = ring.run(*vouch, "--site", ring.root / "Mitte", code=ExitCode.UNTRUSTED)
    assert "West is not in this party's own list" in said
    ring.run("site", "trust", cards["Nord"], "--yes", *ring.mine("Mitte"))
    ring.run("site", "trust", card, "--vouch", words, "--yes", *ring.mine("Mitte"))
    said = ring.run(*vouch, "--site", ring.root / "Mitte", code=ExitCode.UNTRUSTED)
    assert "one link long" in said
    # a telephone call later makes it a comparison
    ring.run("study", "trust", card, "--yes", *mine)
    assert "NOT compared" not in ring.run("study", "trust", *mine)


def test_an_invitation_holds_the_prose_as_it_is_and_a_killed_join_is_repeated(ring, monkeypatch):
    start, invitation = ring.root / "draft", ring.root / "invitation.json"
    ring.run(
        *("consortium", "new", start, "--id", "ring", "--title", "R", "--population", "clinic"),
        *("--country", "DE", "--hospitals", 3),
    )
    cards = [ring.root / name / "keys" / "card.json" for name in ROLES]
    ring.run("consortium", "invite", start, *cards, "--country", "DE")
    prose = start / "agreement.md"
    prose.write_text(prose.read_text() + "Written later.\n")
    ring.run("consortium", "invite", start, "--to", invitation)
    written = []

    def killed(path, *words, **how):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(path)
        replace_file(path, *words, **how)

    with monkeypatch.context() as patch:
        patch.setattr("securefl.party.invitation.replace_file", killed)
        with pytest.raises(KeyboardInterrupt):
            unpack(invitation, ring.folder("Nord"))
    ring.run("consortium", "join", invitation, ring.folder("Nord"), *ring.mine("Nord"))
    assert ring.check("Nord")["prose_fault"] is None
    assert (ring.folder("Nord").stat().st_mode & 0o777) == 0o755


def test_the_checked_study_is_named_with_its_articles(ring):
    found_and_join(ring)
    said = ring.run("consortium", "check", ring.folder("uni"), *ring.mine("uni"))
    for words in ("Article 12: term", "Still to sign, as uni sees it", "not yet"):
        assert words in said
    text = first_study(ring)
    file = ring.root / "given.toml"
    file.write_bytes(text)
    said = ring.run(
        *("consortium", "check", ring.folder("uni"), "--study", file, *ring.mine("uni")),
        code=ExitCode.INVALID,
    )
    assert "It does not name this version of the agreement." in said


def test_what_was_signed_is_not_changed_but_amended(ring):
    found_and_join(ring)
    folder, mine = ring.folder("Nord"), ring.mine("Nord")
    ring.run("consortium", "amend", folder, code=ExitCode.USAGE)
    ring.run("consortium", "sign", folder, "--yes", *mine)
    said = ring.run("consortium", "invite", folder, "--remove", "West", code=ExitCode.USAGE)
    assert "Nord signed this version" in said
    prose = folder / "agreement.md"
    prose.write_text(prose.read_text() + "Everything belongs to us.\n")
    assert "was changed afterwards" in ring.check("Nord")["prose_fault"]
    ring.run("consortium", "sign", folder, "--yes", *mine, code=ExitCode.UNTRUSTED)


def test_a_file_that_is_no_invitation_is_refused(ring):
    bad = ring.root / "bad.json"
    for text in (
        "[]",
        "{",
        '{"type":"securefl-invitation/1","files":{}}',
        '{"type":"securefl-invitation/1","files":{"agreement.toml":"","../x":"y"}}',
        '{"type":"securefl-invitation/1","files":{"agreement.toml":1}}',
    ):
        bad.write_text(text)
        ring.run(
            *("consortium", "join", bad, ring.root / "out", *ring.mine("Nord")),
            code=ExitCode.UNTRUSTED,
        )
        assert not Path(ring.root / "out").exists()
