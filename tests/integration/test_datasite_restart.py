"""After a restart, a replay or a crash the requests say what this hospital decided, and nothing
half done is in the way.
"""

import shutil

import pytest
from datasite_parties import FILES, MOCK, Parties

from securefl.boards.opening import open_board
from securefl.datasite.address import site_email
from securefl.datasite.client import pysyft_client
from securefl.datasite.entry import COMMAND
from securefl.datasite.import_guard import muted

R, SVI = site_email("researcher"), site_email("SVI")
JOB = f"{R}/st"


@pytest.fixture
def parties(tmp_path):
    parties = Parties(tmp_path)
    parties.make_peers("SVI")
    parties.submit("SVI", "st")
    with parties.open("SVI") as site:
        site.sync()
    return parties


def hospitals_view(parties):
    with parties.open("SVI") as site:
        site.sync()
        (request,) = site.requests()
        return request


def researchers_view(parties):
    with parties.researcher() as site:
        site.sync()
        (request,) = site.requests()
        return request


def state_file(parties):
    return parties.tree("SVI") / f"app_data/job/review/{R}/v1/st/state.yaml"


def test_a_replay_of_old_events_does_not_bring_a_finished_request_back(parties):
    with parties.open("SVI") as site:
        site.set_status(JOB, "approved", "yes")
        site.sync()
        approved = state_file(parties).read_text()
        for status in ("running", "done"):
            site.set_status(JOB, status, "the model is there")
    # PySyft's own client starts cold: it replays its log over the newer file.
    client, _ = pysyft_client(open_board(str(parties.store)), SVI, parties.root / "SVI", "hospital")
    with muted():
        client.sync_engine.datasite_owner_syncer.initial_sync_done = False
        client.load_peers()
        client.sync_engine.datasite_owner_syncer.event_cache.clear_cache()
        client.sync()
    assert state_file(parties).read_text() == approved, "the control: PySyft says approved again"
    assert hospitals_view(parties).status == "done"
    assert "done" in state_file(parties).read_text()
    view = researchers_view(parties)
    assert (view.status, view.note) == ("done", "the model is there")


def test_an_approval_in_pysyft_alone_leaves_the_request_pending_and_names_our_command(parties):
    client, _ = pysyft_client(open_board(str(parties.store)), SVI, parties.root / "SVI", "hospital")
    with muted():
        client.jobs[0].approve("looks fine")
    view = hospitals_view(parties)
    assert view.status == "pending"
    assert COMMAND in view.note
    view = researchers_view(parties)
    assert view.status == "pending"
    assert COMMAND in view.note
    with muted():
        assert COMMAND in client.jobs[0].review_reason
    with parties.open("SVI") as site:
        site.set_status(JOB, "approved", "by signature")
        site.sync()
    assert researchers_view(parties).status == "approved"


def test_a_refusal_in_pysyft_is_the_owners_and_is_kept(parties):
    client, _ = pysyft_client(open_board(str(parties.store)), SVI, parties.root / "SVI", "hospital")
    with muted():
        client.jobs[0].reject("not here")
    assert (hospitals_view(parties).status, researchers_view(parties).note) == (
        "rejected",
        "not here",
    )


def test_a_note_changes_the_text_and_not_the_state(parties):
    with parties.open("SVI") as site:
        site.attach_note(JOB, "read by Ann")
        site.set_status(JOB, "approved", "yes")
        site.attach_note(JOB, "starts on Monday")
        site.sync()
    assert (hospitals_view(parties).status, researchers_view(parties).note) == (
        "approved",
        "starts on Monday",
    )


def test_it_is_known_to_whom_a_request_was_sent(parties):
    with parties.researcher() as site:
        assert site.was_sent(SVI, "st")
        assert not site.was_sent(SVI, "another")
        assert not site.was_sent("stmw@securefl.example", "st")


def test_a_request_that_was_half_taken_in_is_taken_in_again(parties):
    with parties.researcher() as site:
        site.submit(SVI, "next", FILES)
    (message,) = (parties.area("SVI") / "inbox" / R).iterdir()
    data = message.read_bytes()
    with parties.open("SVI") as site:
        site.sync()
    message.write_bytes(data)
    folder = parties.tree("SVI") / f"app_data/job/inbox/{R}/v1/next"
    (folder / "config.yaml").unlink()
    (folder / "code" / "study.toml").unlink()
    shutil.rmtree(parties.tree("SVI") / f"app_data/job/review/{R}/v1/next")
    with parties.open("SVI") as site:
        assert site.sync().quarantined == ()
        assert {r.name: set(r.files) for r in site.requests()}["next"] == {
            "study.toml",
            "README.md",
            "main.py",
        }
    with parties.researcher() as site:
        site.sync()
        assert {r.name: r.status for r in site.requests()} == {"st": "pending", "next": "pending"}


def test_files_torn_by_a_kill_do_not_keep_a_site_from_opening(parties):
    for folder in (
        parties.root / "SVI" / "syftbox-events",
        parties.root / "researcher" / "syftbox-event-messages",
    ):
        newest = max(folder.iterdir()) if folder.exists() and any(folder.iterdir()) else None
        if newest:
            newest.write_bytes(newest.read_bytes()[:40])
    state_file(parties).write_text("")
    assert hospitals_view(parties).status == "pending"
    assert "pending" in state_file(parties).read_text()
    assert researchers_view(parties).status == "pending"
    with parties.open("SVI") as site:
        site.set_status(JOB, "approved", "yes")
    state_file(parties).write_text("")
    assert hospitals_view(parties).status == "approved"
    assert researchers_view(parties).status == "approved"


def test_a_data_set_that_was_half_registered_can_be_registered(parties):
    half = parties.tree("SVI") / "public" / "syft_datasets" / "thyroid"
    half.mkdir(parents=True)
    (half / "mock.csv").write_bytes(b"half")
    with parties.open("SVI") as site:
        site.publish_dataset("thyroid", MOCK, b"{}")
    with parties.researcher() as site:
        site.sync()
        assert [d.mock.read_bytes() for d in site.datasets()] == [MOCK]


def test_a_researcher_killed_between_hearing_and_writing_writes_it_later(parties):
    with parties.open("SVI") as site:
        site.set_status(JOB, "approved", "yes")
        site.sync()
    assert researchers_view(parties).status == "approved"
    copy = parties.tree("researcher", "SVI") / f"app_data/job/review/{R}/v1/st/state.yaml"
    copy.unlink()
    assert researchers_view(parties).status == "approved"


def test_a_data_set_is_replaced_only_where_it_differs_and_can_be_withdrawn(parties):
    with parties.open("SVI") as site:
        site.publish_dataset("thyroid", MOCK, b'{"a":1}', "first")
        listed = sorted(p.name for p in (parties.area("SVI") / "shares").iterdir())
        site.publish_dataset("thyroid", MOCK, b'{"a":1}', "first")
        assert sorted(p.name for p in (parties.area("SVI") / "shares").iterdir()) == listed
    with parties.researcher() as site:
        site.sync()
        assert [d.statement for d in site.datasets()] == [b'{"a":1}']
    with parties.open("SVI") as site:
        site.publish_dataset("thyroid", MOCK, b'{"a":2}', "second")
    with parties.researcher() as site:
        site.sync()
        assert [d.statement for d in site.datasets()] == [b'{"a":2}']
    with parties.open("SVI") as site:
        site.withdraw_dataset("thyroid")
    with parties.researcher() as site:
        site.sync()
        assert site.datasets() == ()
