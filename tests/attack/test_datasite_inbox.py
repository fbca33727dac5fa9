"""What an approved peer, or whoever can write to the store, cannot do to a hospital through its
inbox.
"""

import gzip

import pytest
from datasite_parties import Parties, drop, job_files, message

from securefl.datasite.address import site_email
from securefl.datasite.layout import MAX_FILE, MAX_HEADER_FILE, MAX_MESSAGE
from securefl.datasite.models import SyncReport

R = site_email("researcher")
BASE = f"app_data/job/inbox/{R}/v1/bad"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    parties = Parties(tmp_path_factory.mktemp("template"))
    parties.make_peers("SVI")
    parties.make_peers("SVI", researcher="second")
    parties.submit("SVI", "first")
    with parties.open("SVI") as site:
        site.sync()
    return parties.root


@pytest.fixture
def parties(template, tmp_path):
    """A hospital with two approved researchers; it has one request, still pending."""
    import shutil

    shutil.copytree(template, tmp_path / "all")
    return Parties(tmp_path / "all")


def proper(**changed):
    return message("researcher", job_files("bad", "researcher", recipient="SVI", **changed))


def with_file(path, content="x", **more):
    from syft.sync.messages.proposed_filechange import ProposedFileChange

    change = ProposedFileChange(
        path_in_datasite=path, content=content, datasite_email=site_email("SVI"), **more
    )
    return message("researcher", [*job_files("bad", "researcher", recipient="SVI"), change])


def only(path, content="x", **more):
    from syft.sync.messages.proposed_filechange import ProposedFileChange

    return message(
        "researcher",
        [
            ProposedFileChange(
                path_in_datasite=path, content=content, datasite_email=site_email("SVI"), **more
            )
        ],
    )


def nan_time():
    from syft.sync.utils.syftbox_utils import compress_data, uncompress_data

    text = uncompress_data(proper())
    start = text.index(b'"submitted_timestamp"', text.index(b"proposed_file_changes"))
    end = text.index(b",", start)
    return compress_data(text[:start] + b'"submitted_timestamp": NaN' + text[end:])


BAD = {
    "a request in another researcher's name": lambda: message(
        "second", job_files("bad", "second", recipient="SVI")
    ),
    "the owner's name in the message": lambda: message(
        "SVI", job_files("bad", "researcher", recipient="SVI")
    ),
    "another peer's inbox": lambda: message(
        "researcher", job_files("bad", "second", recipient="SVI")
    ),
    "a review state": lambda: only(
        f"app_data/job/review/{R}/v1/first/state.yaml", "status: approved\n"
    ),
    "a permission file of the inbox": lambda: only(
        f"app_data/job/inbox/{R}/syft.pub.yaml", "rules: []\n"
    ),
    "a permission file inside the request": lambda: with_file(f"{BASE}/code/syft.pub.yaml"),
    "a file outside any request": lambda: only("public/x.txt"),
    "a file in the private tree": lambda: only("private/x.txt"),
    "a path that climbs": lambda: with_file(f"{BASE}/code/../../../x"),
    "a path that climbs out of the datasite": lambda: with_file(f"{BASE}/../../../../../../../x"),
    "an absolute path": lambda: with_file("/etc/x"),
    "a hidden file": lambda: with_file(f"{BASE}/code/.x"),
    "a name with a line end": lambda: with_file(f"{BASE}/code/a\nb"),
    "a file added to a request that was taken in": lambda: only(
        f"app_data/job/inbox/{R}/v1/first/code/more.py"
    ),
    "a request under a name that was taken": lambda: message(
        "researcher", job_files("first", "researcher", recipient="SVI")
    ),
    "a change of a file": lambda: proper(old_hash="0" * 64),
    "a deletion": lambda: only(
        f"app_data/job/inbox/{R}/v1/first/code/study.toml", None, is_deleted=True
    ),
    "a file twice": lambda: with_file(f"{BASE}/code/study.toml"),
    "two requests at once": lambda: message(
        "researcher",
        job_files("bad", "researcher", recipient="SVI")
        + job_files("bad2", "researcher", recipient="SVI"),
    ),
    "no file": lambda: message("researcher", []),
    "half a request": lambda: message(
        "researcher", job_files("bad", "researcher", recipient="SVI")[:3]
    ),
    "a file beside the code": lambda: with_file(f"{BASE}/x.txt"),
    "a run script of its own": lambda: message(
        "researcher",
        [
            c
            for c in job_files("bad", "researcher", recipient="SVI")
            if c.path_in_datasite.name != "run.sh"
        ],
    ),
    "another entry script": lambda: with_file(f"{BASE}/code/main.py", "import os\n"),
    "a binary file": lambda: with_file(f"{BASE}/code/x.bin", b"\xff\x00"),
    "text with a zero byte": lambda: proper(content="a\0b"),
    "a long file": lambda: proper(content="x" * (MAX_FILE + 1)),
    "a long header": lambda: with_file(f"{BASE}/config.yaml", "x" * (MAX_HEADER_FILE + 1)),
    "many files": lambda: message(
        "researcher",
        job_files("bad", "researcher", recipient="SVI")
        + [
            c.model_copy(update={"path_in_datasite": c.path_in_datasite.with_name(f"n{i}")})
            for i in range(70)
            for c in job_files("bad", "researcher", recipient="SVI")[-1:]
        ],
    ),
    "a hash that does not fit": lambda: proper(new_hash="0" * 64),
    "another hospital's datasite": lambda: proper(datasite_email=site_email("SVHC")),
    "a time that is none": nan_time,
    "no JSON": (
        lambda: __import__("syft.sync.utils.syftbox_utils", fromlist=["x"]).compress_data(b"{")
    ),
    "other JSON": (
        lambda: __import__("syft.sync.utils.syftbox_utils", fromlist=["x"]).compress_data(b"[1]")
    ),
    "no archive": lambda: b"hello",
    "an archive that unpacks to very much": lambda: gzip.compress(b"\0" * 60_000_000),
}


def snapshot(parties):
    tree = parties.tree("SVI")
    return {p.relative_to(tree).as_posix(): p.read_bytes() for p in tree.rglob("*") if p.is_file()}


@pytest.mark.parametrize("case", BAD)
def test_refuses(parties, case):
    """Nothing of it is written, its sender is named, and a good request of another peer that came
    later still arrives.
    """
    with parties.researcher() as site:
        drop(parties, site, "SVI", BAD[case]())
    before = snapshot(parties)
    parties.submit("SVI", "good", researcher="second")
    with parties.open("SVI") as site:
        report = site.sync()
        assert report.new_requests == (f"{site_email('second')}/good",)
        (refused,) = report.quarantined
        assert (refused.sender, refused.kept) == (R, True)
        assert site.quarantined() == (refused,)
        assert {r.name for r in site.requests()} == {"first", "good"}
    after = snapshot(parties)
    assert {p for p in after if "second@" not in p} == {p for p in before if "second@" not in p}
    assert all(after[p] == data for p, data in before.items())
    assert not list((parties.area("SVI") / "inbox" / R).iterdir())


def test_refuses_a_message_longer_than_any_request_without_reading_it(parties):
    with parties.researcher() as site:
        drop(parties, site, "SVI", b"\0" * (MAX_MESSAGE + 1), sealed=False)
    with parties.open("SVI") as site:
        (refused,) = site.sync().quarantined
    assert not refused.kept


def test_refuses_what_is_not_signed_by_the_peer_whose_folder_it_lies_in(parties):
    """Plain, signed by another approved peer, altered, and made for another reader."""
    with parties.researcher("second") as second:
        packed = proper()
        drop(parties, second, "SVI", packed)
        stolen = next((parties.area("SVI") / "inbox" / site_email("second")).iterdir())
    with parties.researcher() as site:
        folder = drop(parties, site, "SVI", packed, sealed=False).parent
        stolen.rename(folder / stolen.name)
        path = drop(parties, site, "SVI", packed)
        altered = bytearray(path.read_bytes())
        altered[-5] ^= 1  # in the middle lies PySyft's padding, which nobody reads
        path.write_bytes(bytes(altered))
    with parties.open("SVI") as site:
        assert len(site.sync().quarantined) == 3
        assert {r.name for r in site.requests()} == {"first"}


def test_refuses_a_replay_of_a_message_that_was_taken_in(parties):
    """It is dropped, as a message that a killed process left behind would be; nothing of the
    finished request changes.
    """
    with parties.researcher() as site:
        path = drop(
            parties,
            site,
            "SVI",
            message("researcher", job_files("again", "researcher", recipient="SVI")),
        )
        data = path.read_bytes()
    with parties.open("SVI") as site:
        site.sync()
        job = f"{R}/again"
        for status in ("approved", "running", "done"):
            site.set_status(job, status)
        site.sync()
    path.write_bytes(data)
    with parties.open("SVI") as site:
        assert site.sync() == SyncReport()
        assert {r.name: r.status for r in site.requests()}["again"] == "done"
    assert not path.exists()


def test_refuses_more_requests_than_a_peer_may_have(parties, monkeypatch):
    monkeypatch.setattr("securefl.datasite.inbox.MAX_JOBS_PER_SENDER", 2)
    for name in ("second", "third"):
        parties.submit("SVI", name)
    with parties.open("SVI") as site:
        report = site.sync()
    assert len(report.new_requests) == len(report.quarantined) == 1


def test_refuses_to_be_blocked_by_a_folder_in_place_of_a_message(parties):
    folder = parties.area("SVI") / "inbox" / R
    (folder / "msgv2_1.5_x.tar.gz").mkdir(parents=True)
    parties.submit("SVI", "good")
    with parties.open("SVI") as site:
        assert site.sync().new_requests == (f"{R}/good",)


def test_refuses_a_message_that_pysyft_itself_fails_on_and_goes_on(parties, monkeypatch):
    """As if a check were missing: PySyft raises in the middle of a synchronisation."""
    with parties.researcher() as site:
        drop(parties, site, "SVI", with_file(f"app_data/job/inbox/{R}/v1/first/code/study.toml"))
    parties.submit("SVI", "good")
    with parties.open("SVI") as site:
        guard = site._connection.guard
        monkeypatch.setattr(guard, "request", lambda *_: True)
        report = site.sync()
        assert [q.sender for q in report.quarantined] == [R]
        assert "PySyft could not take it in" in report.quarantined[0].reason
        assert {r.name for r in site.requests()} >= {"first", "good"}


@pytest.mark.parametrize(
    ("case", "path"),
    [
        ("a review state", f"app_data/job/review/{R}/v1/first/state.yaml"),
        ("the owner's name in the message", f"{BASE}/run.sh"),
        (
            "a file added to a request that was taken in",
            f"app_data/job/inbox/{R}/v1/first/code/more.py",
        ),
        ("a run script of its own", f"{BASE}/code/main.py"),
    ],
)
def test_control_without_the_guard_pysyft_takes_it(parties, monkeypatch, case, path):
    """The same messages do their harm where nothing stands in front of PySyft's inbox; else the
    tests above prove nothing.
    """
    packed = BAD[case]()
    if case == "a review state":
        from syft.sync.messages.proposed_filechange import ProposedFileChangesMessage

        from securefl.datasite.envelope import unpack

        # The sender is taken from the message: as the owner, one may write anything, also over what
        # is there.
        with parties.open("SVI") as site:
            state = site._client.sync_engine.datasite_owner_syncer.event_cache.file_hashes
            old = {str(k): v for k, v in state.items()}[path]
        body = ProposedFileChangesMessage.model_validate_json(unpack(packed))
        body.sender_email = site_email("SVI")
        body.proposed_file_changes[0].old_hash = old
        packed = body.as_compressed_data()
    with parties.researcher() as site:
        drop(parties, site, "SVI", packed)
    with parties.open("SVI") as site:
        monkeypatch.setattr(site._connection.guard, "request", lambda *_: True)
        site._client.sync(auto_checkpoint=False, auto_compact=False)
    written = parties.tree("SVI") / path
    assert written.exists()
    if case == "a review state":
        assert written.read_text() == "status: approved\n"
