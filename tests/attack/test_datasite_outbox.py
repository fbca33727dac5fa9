"""What an approved but dishonest datasite, or whoever can write to the store, cannot do to a
researcher.
"""

import shutil
import time
from uuid import UUID, uuid4

import pytest
from datasite_parties import Parties

from securefl.datasite.address import site_email

R, SVI, SVHC = (site_email(n) for n in ("researcher", "SVI", "SVHC"))
REVIEW = f"app_data/job/review/{R}/v1/st/state.yaml"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    parties = Parties(tmp_path_factory.mktemp("template"))
    parties.make_peers("SVI", "SVHC")
    for name in ("SVI", "SVHC"):
        parties.submit(name, "st")
        with parties.open(name) as site:
            site.sync()
    with parties.researcher() as site:
        site.sync()
    return parties.root


@pytest.fixture
def parties(template, tmp_path):
    shutil.copytree(template, tmp_path / "all")
    return Parties(tmp_path / "all")


def tell(parties, *events, name="", signer="SVI", folder="SVI", sealed=True):
    """Put a message for the researcher into ``folder``'s outbox, signed by ``signer``."""
    from securefl.datasite.pysyft import FileChangeEventsMessage, FileChangeEventsMessageFileName

    filename = FileChangeEventsMessageFileName(id=uuid4(), timestamp=time.time())
    body = FileChangeEventsMessage(events=events, message_filepath=filename)
    packed = body.as_compressed_data()
    with parties.open(signer) as site:
        site._client.load_peers()
        data = site._client.peer_manager.peer_store.encrypt(R, packed) if sealed else packed
    (parties.area(folder) / "outbox" / R / (name or filename.as_string())).write_bytes(data)


def event(path=REVIEW, content="status: done\n", datasite=SVI, **more):
    from syft.sync.events.file_change_event import FileChangeEvent

    now = time.time()
    fields = {
        "id": uuid4(),
        "path_in_datasite": path,
        "datasite_email": datasite,
        "content": content,
        "new_hash": "0",
        "submitted_timestamp": now,
        "timestamp": now,
    }
    return FileChangeEvent(**(fields | more))


BAD = {
    "another datasite's state": lambda p: tell(p, event(datasite=SVHC)),
    "a path outside the researcher's requests": lambda p: tell(p, event("public/x")),
    "another researcher's requests": lambda p: tell(
        p, event(REVIEW.replace("researcher", "second"))
    ),
    "a path that climbs": lambda p: tell(p, event(f"app_data/job/review/{R}/../../../../x")),
    "the researcher's own tree": lambda p: tell(p, event("x", datasite=R)),
    "a binary file": lambda p: tell(p, event(content=b"\xff")),
    "a long file": lambda p: tell(p, event(content="x" * 2_000_000)),
    "no event": tell,
    "very many events": lambda p: tell(p, *[event() for _ in range(300)]),
    "a time that is none": lambda p: tell(p, event(submitted_timestamp=-1)),
    "a message under another name": lambda p: tell(
        p, event(), name=f"syfteventsmessagev3_9999999999.5_{UUID(int=1)}.tar.gz"
    ),
    "a plain message": lambda p: tell(p, event(), sealed=False),
    "a message signed by another datasite": lambda p: tell(p, event(datasite=SVI), signer="SVHC"),
}


@pytest.mark.parametrize("case", BAD)
def test_refuses(parties, case):
    """Nothing of it is written, and what the honest datasites say afterwards still arrives."""
    trees = [parties.root / "researcher" / "syftbox", parties.root / "researcher"]
    BAD[case](parties)
    for name in ("SVI", "SVHC"):
        with parties.open(name) as site:
            site.set_status(f"{R}/st", "approved", "read by two people")
            site.sync()
    with parties.researcher() as site:
        report = site.sync()
        assert [q.sender for q in report.quarantined] == [SVI]
        assert {(r.hospital, r.status, r.note) for r in site.requests()} == {
            (h, "approved", "read by two people") for h in (SVI, SVHC)
        }
    assert not list(trees[0].rglob("x"))
    assert not list(trees[1].glob("x"))


def test_control_without_the_guard_one_datasite_speaks_for_another(parties, monkeypatch):
    tell(
        parties,
        event(content="canonical_name: JobState\nversion: '1'\nstatus: done\n", datasite=SVHC),
    )
    with parties.researcher() as site:
        monkeypatch.setattr(site._connection.guard, "events", lambda *_: None)
        site.sync()
        assert {r.hospital: r.status for r in site.requests()} == {SVI: "pending", SVHC: "done"}


def test_refuses_a_data_set_that_names_files_elsewhere(parties):
    """A collection is plain and unsigned: whoever writes to the store can alter it, and gets no
    further than its own folder.
    """
    with parties.open("SVI") as site:
        site.publish_dataset("thyroid", b"a\n1\n", b"{}")
    (folder,) = (parties.area("SVI") / "collections").iterdir()
    text = (folder / "dataset.yaml").read_text()
    (folder / "dataset.yaml").write_text(text.replace("mock.csv", "../../../../../../etc/passwd"))
    (folder / "link.csv").symlink_to("/etc/passwd")
    with parties.researcher() as site:
        site.sync()
        (dataset,) = site.datasets()
        own = parties.tree("researcher", "SVI")
        assert all(path.resolve().is_relative_to(own.resolve()) for path in dataset.files.values())
        assert dataset.mock.read_bytes() == b"a\n1\n"
