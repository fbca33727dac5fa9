"""A party that was never approved, and keys that are not those that were approved."""

import json

import pytest
from datasite_parties import DESCRIPTION, FILES, MOCK, Parties, drop, job_files, message

from securefl.datasite.address import site_email
from securefl.errors import NotApprovedError, UntrustedError, UsageError

R, SVI = site_email("researcher"), site_email("SVI")


@pytest.fixture
def parties(tmp_path):
    parties = Parties(tmp_path)
    with parties.open("SVI") as site:
        site.publish_dataset("thyroid", MOCK, DESCRIPTION)
    return parties


def test_refuses_an_unapproved_peer_the_data_set_and_the_owners_list(parties):
    with parties.researcher() as site:
        site.request_peer(SVI)
        site.sync()
        assert site.datasets() == ()
        with pytest.raises(NotApprovedError, match="has not approved"):
            site.submit(SVI, "st", FILES)
        # Past its own client: straight into the inbox folder, plain.
        drop(
            parties,
            site,
            "SVI",
            message("researcher", job_files("st", "researcher", recipient="SVI")),
            sealed=False,
        )
    with parties.open("SVI") as site:
        site.sync()
        assert site.requests() == ()
        assert [p.state for p in site.peers()] == ["requested-by-peer"]
    # The same data set and the same kind of message after an approval: the control.
    with parties.open("SVI") as site:
        site.approve_peer(R)
        site.sync()
    with parties.researcher() as site:
        site.sync()
        assert [d.name for d in site.datasets()] == ["thyroid"]
        site.submit(SVI, "st2", FILES)
    with parties.open("SVI") as site:
        site.sync()
        assert [r.name for r in site.requests()] == ["st2"]


def test_refuses_an_approval_that_somebody_wrote_into_the_store(parties):
    """PySyft keeps the list of approved peers in the party's own Drive; a folder has no owner, so
    ours is not in it.
    """
    with parties.researcher() as site:
        site.request_peer(SVI)
    for path in ("peers.json", "SYFT_peers.json"):
        (parties.area("SVI") / path).write_text(json.dumps({R: {"state": "accepted"}}))
        (parties.store / path).write_text(json.dumps({R: {"state": "accepted"}}))
    with parties.open("SVI") as site:
        site.sync()
        assert [p.state for p in site.peers()] == ["requested-by-peer"]


def test_refuses_an_approval_under_another_fingerprint(parties):
    with parties.researcher() as site:
        site.request_peer(SVI)
        mine = site.fingerprint
    with parties.open("SVI") as site:
        assert [p.fingerprint for p in site.peers()] == [mine]
        with pytest.raises(UntrustedError, match="not those expected"):
            site.approve_peer(R, "0" * 64)
        assert [p.state for p in site.peers()] == ["requested-by-peer"]
        site.approve_peer(R, mine)
        assert [p.state for p in site.peers()] == ["approved"]


def test_refuses_an_approval_where_the_keys_change_meanwhile(parties, monkeypatch):
    with parties.researcher() as site:
        site.request_peer(SVI)
    with parties.researcher("second") as site:
        site.request_peer(SVI)
    with parties.open("SVI") as site:
        connection = site._connection
        calls = []

        def swapped(email):
            calls.append(email)
            other = email if len(calls) == 1 else site_email("second")
            return (parties.area(other.split("@")[0]) / "bundles" / f"{SVI}.json").read_text()

        monkeypatch.setattr(
            type(connection),
            "read_peer_encryption_bundle",
            lambda _, email: swapped(email) if email == R else None,
        )
        with pytest.raises(UntrustedError, match="changed while"):
            site.approve_peer(R)
        assert {p.email: p.state for p in site.peers()}[R] == "refused"


def test_refuses_keys_that_were_exchanged_in_the_store_after_the_approval(parties):
    """The keys are pinned: a thief who replaces them in the store cannot write in the approved
    peer's name.
    """
    parties.make_peers("SVI")
    with parties.researcher("second") as thief:
        thief.request_peer(SVI)
        stolen = (
            (parties.area("second") / "bundles" / f"{SVI}.json")
            .read_text()
            .replace("second@", "researcher@")
        )
        (parties.area("researcher") / "bundles" / f"{SVI}.json").write_text(stolen)
        thief.sync()
        store = thief._client.peer_manager.peer_store
        store.set_peer_bundle(
            SVI,
            json.loads((parties.area("SVI") / "bundles" / f"{R}.json").read_text())[
                "public_encryption_bundle"
            ],
        )
        data = store.encrypt(
            SVI, message("researcher", job_files("st", "researcher", recipient="SVI"))
        )
    inbox = parties.area("SVI") / "inbox" / R
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / "msgv2_1.5_x.tar.gz").write_bytes(data)
    with parties.open("SVI") as site:
        assert len(site.sync().quarantined) == 1
        assert site.requests() == ()


def test_refuses_a_peer_whose_approval_has_ended(parties):
    parties.make_peers("SVI")
    with parties.open("SVI") as site:
        site.refuse_peer(R)
        assert [p.state for p in site.peers()] == ["refused"]
    with parties.researcher() as site:
        drop(
            parties,
            site,
            "SVI",
            message("researcher", job_files("st", "researcher", recipient="SVI")),
        )
        site.sync()
        assert site.datasets() == ()
    with parties.open("SVI") as site:
        site.sync()
        assert site.requests() == ()
        site.approve_peer(R)
        site.sync()
        assert [r.name for r in site.requests()] == ["st"]


def test_refuses_to_approve_who_did_not_ask_or_has_no_keys(parties):
    with parties.open("SVI") as site:
        with pytest.raises(UsageError, match="has not asked"):
            site.approve_peer(R)
        with pytest.raises(UsageError):
            site.approve_peer("*@securefl.invalid")
    (parties.area("SVI") / "peers").mkdir(exist_ok=True)
    (parties.area("SVI") / "peers" / f"{R}.json").write_text("{}")
    with parties.open("SVI") as site, pytest.raises(UsageError, match="no keys"):
        site.approve_peer(R)


def test_refuses_to_seal_a_request_for_keys_that_are_not_the_hospitals(parties):
    """Somebody answered in the hospital's name before the hospital did."""
    with parties.researcher() as site:
        site.request_peer(SVI)
    with parties.open("SVI") as site:
        real = site.fingerprint
    with parties.open("thief") as site:
        site.request_peer(R)
        stolen = (
            (parties.area("thief") / "bundles" / f"{R}.json").read_text().replace("thief@", "SVI@")
        )
    (parties.area("SVI") / "bundles").mkdir(exist_ok=True)
    (parties.area("SVI") / "bundles" / f"{R}.json").write_text(stolen)
    (parties.area("researcher") / "peers").mkdir(exist_ok=True)
    (parties.area("researcher") / "peers" / f"{SVI}.json").write_text("{}")
    with parties.researcher() as site:
        site.sync()
        assert {p.email: p.state for p in site.peers()}[SVI] == "approved", (
            "the control: PySyft pins what it sees first"
        )
        with pytest.raises(UntrustedError, match="not those expected"):
            site.submit(SVI, "st", FILES, real)
        assert not list((parties.area("SVI")).glob("inbox/*/*"))
        site.refuse_peer(SVI)
        site.request_peer(SVI)
    with parties.open("SVI") as site:
        site.approve_peer(R)
        site.sync()
    with parties.researcher() as site:
        site.sync()
        site.submit(SVI, "st", FILES, real)
    with parties.open("SVI") as site:
        site.sync()
        assert [r.name for r in site.requests()] == ["st"]
