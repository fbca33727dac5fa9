"""The hospital's desk at PySyft: it shows, takes in and reports; it decides nothing. The datasite
here is a plain double; the real one is used in tests/integration.
"""

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from consortium import NAMES, Consortium

from securefl.datasite.address import site_email
from securefl.datasite.models import DatasetInfo, Peer, Request
from securefl.errors import UsageError
from securefl.node import decisions, request_intake
from securefl.node.requests import kept_requests
from securefl.party.journal import Journal
from securefl.party.pysyft_keys import publish_pysyft_keys

ME, OTHER, THIRD = NAMES
RESEARCHER = site_email("researcher")


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


@pytest.fixture
def site(c):
    found = c.site(ME)
    yield found
    found.ledger.close()


@dataclass
class Desk:
    """A datasite that remembers what it was told."""

    waiting: tuple = ()
    shown: dict = field(default_factory=dict)
    notes: dict = field(default_factory=dict)
    approved: dict = field(default_factory=dict)
    final: tuple = ()

    def peers(self):
        return self.waiting

    def approve_peer(self, email, fingerprint):
        self.approved[email] = fingerprint

    def set_status(self, job, status, note):
        if job in self.final:
            raise UsageError("later state")
        self.shown.setdefault(job, []).append((status, note))

    def attach_note(self, job, note):
        self.notes[job] = note


def asked(study, job="job-1", sender=RESEARCHER, status="pending", text=None):
    files = {"study.toml": study.text if text is None else text}
    return Request(
        job,
        site_email(ME),
        sender,
        study.name,
        status=status,
        received="2026-01-02T03:04:05Z",
        files=files,
    )


# --- peers
# -----------------------------------------------------------------------------------------------------------


def peer(name="researcher", state="requested-by-peer"):
    return Peer(site_email(name), state, "ab" * 32)


def approve_peers(site, *peers):
    here, lines = Desk(waiting=peers), []
    request_intake._approve_peers(site, here, lines.append)
    return here.approved, lines


def test_a_peer_is_approved_with_the_keys_that_its_trusted_card_signed(c, site):
    publish_pysyft_keys(c.lab.folder.board, c.lab.folder.identity, RESEARCHER, "cd" * 32)
    assert approve_peers(site, peer())[0] == {RESEARCHER: "cd" * 32}


def test_a_peer_whose_card_said_nothing_of_its_keys_waits(c, site):
    c.lab.folder.board.erase("identities/researcher/pysyft")
    assert approve_peers(site, peer()) == ({}, [])


def test_a_peer_whose_keys_somebody_else_signed_is_not_approved(c, site):
    publish_pysyft_keys(c.lab.folder.board, c.site(OTHER).identity, RESEARCHER, "cd" * 32)
    data = c.lab.folder.board.read(f"identities/{OTHER}/pysyft", 4096)
    c.lab.folder.board.post("identities/researcher/pysyft", data)
    approved, lines = approve_peers(site, peer())
    assert approved == {}
    assert "not approved as a peer" in lines[0]


def test_neither_a_stranger_nor_a_hospital_becomes_a_peer(c, site):
    publish_pysyft_keys(c.lab.folder.board, c.site(OTHER).identity, site_email(OTHER), "cd" * 32)
    assert approve_peers(site, peer("stranger"), peer(OTHER), peer(state="approved"))[0] == {}


# --- requests
# --------------------------------------------------------------------------------------------------------


def take_in(site, request, final=()):
    here, lines = Desk(final=final), []
    return request_intake._take_in(site, here, request, lines.append), here, lines


def test_a_request_is_kept_and_its_note_says_that_pysyft_alone_runs_nothing(c, site):
    study = c.new_study("kept")
    changed, here, _ = take_in(site, asked(study))
    assert changed
    assert "Approving in PySyft alone runs nothing" in here.notes["job-1"]
    assert [r.sender for r in kept_requests(site) if r.digest == study.digest] == [RESEARCHER]
    assert take_in(site, asked(study))[0] is False  # at the next look it is known


def test_why_a_request_was_refused_stands_in_the_log_on_short_lines_behind_a_mark(site, tmp_path):
    """The reason repeats the file's own words: they begin no line of the log, at 80 columns either."""
    forged = "\u3164 2026-01-01T00:00:00Z all is well " * 20
    text = f'schema = "securefl-study/2"\n"{forged}" = 1\n'.encode()
    request = Request(
        "job-x",
        site_email(ME),
        RESEARCHER,
        "x",
        status="pending",
        received="2026-01-02T03:04:05Z",
        files={"study.toml": text},
    )
    log = Journal(tmp_path / "agent.log")
    request_intake._take_in(site, Desk(), request, log.say)
    log.close()
    first, *more = (tmp_path / "agent.log").read_text("utf-8").splitlines()
    assert first.endswith("the request job-x was refused:")
    assert "all is well" in "".join(more)
    assert "\u3164" not in "".join(more)
    assert all(line.startswith("    | ") and len(line) <= 80 for line in more)


def test_a_study_whose_coordinator_is_not_its_sender_is_rejected(c, site):
    study = c.new_study("spoofed")
    changed, here, lines = take_in(site, asked(study, "job-2", sender=site_email("another")))
    assert changed
    assert here.shown["job-2"][0][0] == "rejected"
    assert "another sent a study whose coordinator is researcher" in lines[0]
    assert not any(r.digest == study.digest for r in kept_requests(site))


@pytest.mark.parametrize(
    "text",
    [b"", b"not toml [", b"\xff", b"x" * 2_000_000],
    ids=["empty", "not TOML", "not text", "huge"],
)
def test_a_request_that_is_no_study_is_rejected_without_details(c, site, text):
    study = c.new_study(f"no-study-{len(text)}-{text[:1].hex()}")
    _, here, _ = take_in(site, asked(study, "job-3", text=text))
    assert here.shown["job-3"] == [
        ("rejected", "The study file breaks the contract; run 'securefl study check' on it.")
    ]


def test_the_same_study_sent_again_is_rejected_once_and_the_first_request_stands(c, site):
    study = c.new_study("again")
    take_in(site, asked(study, "job-4"))
    _, here, _ = take_in(site, asked(study, "job-5"))
    assert here.shown["job-5"] == [
        ("rejected", "The same study was requested before; that request stands.")
    ]
    assert [r.job for r in kept_requests(site) if r.digest == study.digest] == ["job-4"]


def test_a_request_that_was_decided_at_pysyft_is_not_taken_in(c, site):
    study = c.new_study("decided")
    assert take_in(site, asked(study, "job-6", status="approved"))[0] is False
    assert not any(r.digest == study.digest for r in kept_requests(site))


# --- states
# ----------------------------------------------------------------------------------------------------------


def shown_for(site, study, job, status, final=()):
    here = Desk(final=final)
    changed = request_intake._show_states(site, here, (asked(study, job, status=status),))
    return changed, [s for s, _ in here.shown.get(job, [])]


def test_pysyft_shows_the_way_to_the_state_that_the_ledger_has(c, site):
    study = c.new_study("states")
    take_in(site, asked(study, "job-7"))
    assert shown_for(site, study, "job-7", "pending") == (False, [])
    c.approve(ME, study)
    assert shown_for(site, study, "job-7", "pending") == (True, ["approved"])
    assert shown_for(site, study, "job-7", "approved") == (False, [])
    site.ledger.start(study.digest)
    assert shown_for(site, study, "job-7", "approved") == (True, ["running"])
    site.ledger.settle(study.digest, "completed")
    assert shown_for(site, study, "job-7", "pending") == (True, ["approved", "running", "done"])
    assert shown_for(site, study, "job-7", "done") == (False, [])
    assert shown_for(site, study, "job-7", "rejected", final=("job-7",)) == (False, [])


def test_an_approval_given_in_pysyft_alone_changes_no_ledger(c, site):
    study = c.new_study("alone")
    take_in(site, asked(study, "job-8"))
    shown_for(site, study, "job-8", "approved")
    assert study.digest not in site.ledger.state.studies


def test_a_refusal_is_shown_without_its_reason(c, site):
    study = c.new_study("no")
    take_in(site, asked(study, "job-9"))
    _, found = c.review(ME, study)
    decisions.refuse(site, found, "patient Miller objects")
    here = Desk()
    request_intake._show_states(site, here, (asked(study, "job-9"), asked(study, "unknown job")))
    assert here.shown == {"job-9": [("rejected", "Refused by the data owner.")]}
    assert shown_for(site, study, "job-9", "rejected") == (False, [])


# --- data sets


def test_a_data_set_that_was_taken_away_is_shown_no_more_and_the_others_are(site):
    email, gone = site_email(ME), []
    kept = site.settings.datasets[0].name
    shown = [
        DatasetInfo(email, kept, {}),
        DatasetInfo(email, "old-table", {}),
        DatasetInfo(site_email(OTHER), "old-table", {}),
    ]
    desk = SimpleNamespace(
        datasets=lambda: shown,
        withdraw_dataset=gone.append,
        publish_dataset=lambda *_: None,
    )
    request_intake._publish(site, desk, email)
    assert gone == ["old-table"]
