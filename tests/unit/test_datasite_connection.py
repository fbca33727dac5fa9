import threading
from types import SimpleNamespace
from uuid import uuid4

import pytest

from securefl.boards.opening import open_board
from securefl.datasite.connection import FsspecConnection, FsspecConnectionConfig
from securefl.datasite.pysyft import VersionInfo
from securefl.errors import MessageError, StoreError

A, B, C = (f"{n}@securefl.invalid" for n in "abc")
PREFIX = "syft_datasetcollection"


class Open:
    """A guard that lets everything pass but messages that say ``bad``."""

    def request(self, sender, raw):
        if raw in {b"bad", b""}:
            raise MessageError("bad", whose=sender)
        return raw != b"known"

    def events(self, peer, filename, raw):
        self.request(peer, raw)


@pytest.fixture(params=["folder", "memory"])
def connect(request, tmp_path):
    url = str(tmp_path / "store") if request.param == "folder" else f"memory://{uuid4().hex}"

    def connect(email, guard=None):
        home = tmp_path / email
        home.mkdir(exist_ok=True)
        config = FsspecConnectionConfig(email=email, home=home, board=open_board(url))
        connection = FsspecConnection.from_config(config)
        assert FsspecConnection.from_config(config) is connection
        connection.guard = guard or Open()
        return connection

    return connect


def msg(time):
    return f"msgv2_{time}_{uuid4()}.tar.gz"


def event(time):
    return f"syfteventsmessagev3_{time}_{uuid4()}.tar.gz"


def test_messages_arrive_oldest_first_and_are_gone_once_taken(connect):
    a, b = connect(A), connect(B)
    for time in (30.5, 4.5, 100.5):
        a.watcher_send_raw_bytes_to_inbox(B, msg(time), str(time).encode())
    taken = []
    while (found := b.owner_download_next_raw_proposed_message_from_inbox(A)) is not None:
        taken.append(found[0])
        b.owner_remove_proposed_filechange_message_from_inbox(SimpleNamespace(platform_id=found[1]))
    assert taken == [b"4.5", b"30.5", b"100.5"]
    assert not b.set_aside_in_hand("x")


def test_a_bad_message_is_set_aside_and_the_next_one_is_handed_out(connect):
    a, b = connect(A), connect(B)
    a.watcher_send_raw_bytes_to_inbox(B, msg(1.5), b"bad")
    a.watcher_send_raw_bytes_to_inbox(B, "notes.txt", b"not a message")
    a.watcher_send_raw_bytes_to_inbox(B, msg("nan"), b"no time")
    a.watcher_send_raw_bytes_to_inbox(B, msg(1.7), b"known")
    a.watcher_send_raw_bytes_to_inbox(B, msg(2.5), b"good")
    raw, path = b.owner_download_next_raw_proposed_message_from_inbox(A)
    assert raw == b"good"
    b.owner_remove_proposed_filechange_message_from_inbox(SimpleNamespace(platform_id=path))
    assert b.owner_download_next_raw_proposed_message_from_inbox(A) is None
    assert len(b.take_refused()) == 3
    assert b.take_refused() == ()
    assert len(b.quarantined()) == 3


def test_a_message_that_pysyft_fails_on_can_be_set_aside(connect):
    a, b = connect(A), connect(B)
    a.watcher_send_raw_bytes_to_inbox(B, msg(1.5), b"odd")
    assert b.owner_download_next_raw_proposed_message_from_inbox(A)
    assert b.set_aside_in_hand("PySyft failed")
    assert b.owner_download_next_raw_proposed_message_from_inbox(A) is None
    assert [q.reason for q in b.quarantined()] == ["PySyft failed"]


def test_without_a_guard_nothing_is_handed_out(connect):
    a, b = connect(A), connect(B)
    b.guard = None
    a.watcher_send_raw_bytes_to_inbox(B, msg(1.5), b"good")
    assert b.owner_download_next_raw_proposed_message_from_inbox(A) is None


def test_a_researcher_gets_the_bytes_that_were_checked(connect):
    owner, reader = connect(A), connect(B)
    for time, data in ((1.5, b"old"), (2.5, b"bad"), (3.5, b"new")):
        owner.owner_write_raw_bytes_to_outbox(B, event(time), data)
    found = reader.watcher_get_outbox_file_metadatas(A, 1.5)
    assert [m["timestamp"] for m in found] == [3.5]
    reader._board.post(found[0]["file_id"], b"swapped")
    assert reader.download_file(found[0]["file_id"]) == b"new"
    assert reader.watcher_download_raw_events_from_outbox(A, None) == [b"old", b"swapped"]
    assert [q.sender for q in reader.quarantined()] == [A]


def test_peer_requests_are_those_not_yet_answered(connect):
    a, b = connect(A), connect(B)
    a.add_peer(B)
    b._board.post(f"datasites/{B}/peers/no-address.json", b"{}")
    assert b.get_peer_requests() == [A]
    for state in ("accepted", "rejected"):
        b._update_peer_state(A, state, {"k": 1})
        assert b.get_peer_requests() == []
    assert connect(B)._get_peers_json() == {
        A: {"state": "rejected", "public_encryption_bundle": {"k": 1}}
    }


def test_a_collection_is_listed_by_those_it_was_shared_with(connect):
    a, b, c = connect(A), connect(B), connect(C)
    for reader in (b, c):
        reader._update_peer_state(A, "requested_by_me")
    a.owner_create_collection_folder(PREFIX, "my_set", "0a1b", A)
    a.owner_upload_collection_files(
        PREFIX, "my_set", "0a1b", {"mock.csv": b"x", "dataset.yaml": b"y"}
    )
    a.owner_tag_collection_as_any(PREFIX, "my_set", "0a1b")
    assert b.watcher_list_collections(PREFIX) == []
    a.owner_share_collection(PREFIX, "my_set", "0a1b", [B])
    assert b.watcher_list_collections(PREFIX) == [
        {"owner_email": A, "tag": "my_set", "content_hash": "0a1b"}
    ]
    assert c.watcher_list_collections(PREFIX) == []
    assert b.watcher_download_collection(PREFIX, "my_set", "0a1b", A) == {
        "dataset.yaml": b"y",
        "mock.csv": b"x",
    }
    assert [
        x.has_any_permission for x in a.owner_list_all_collections_with_permissions(PREFIX)
    ] == [True]
    a.unshare(B)
    assert b.watcher_list_collections(PREFIX) == []
    a.owner_delete_collection(PREFIX, "my_set")
    assert a.owner_list_collections(PREFIX) == []
    assert b.watcher_download_collection(PREFIX, "my_set", "0a1b", A) == {}


def test_a_damaged_share_shows_nothing(connect):
    a, b = connect(A), connect(B)
    b._update_peer_state(A, "requested_by_me")
    for bad in (b"[]", b"{", b'{"users": 1}', b"[" * 50_000, b" " * 100_000):
        a._board.post(f"datasites/{A}/shares/{PREFIX}_s_0a.json", bad)
        assert b.watcher_list_collections(PREFIX) == []


def test_the_event_log_is_kept_in_order(connect):
    a = connect(A)
    ids = [a.owner_write_raw_bytes_to_syftbox(event(t), str(t).encode()) for t in (2.5, 10.5, 1.5)]
    assert a.owner_download_all_raw_events_from_syftbox() == [b"1.5", b"2.5", b"10.5"]
    assert a.download_raw_events_since_timestamp(2.0) == [b"2.5", b"10.5"]
    assert a.get_events_count_since_checkpoint(None) == 3
    assert a.owner_download_raw_bytes_by_id(ids[0]) == b"2.5"
    assert [m["id"] for m in a.get_file_metadatas_from_folder(f"datasites/{A}/log", 2.0)] == [
        ids[0],
        ids[1],
    ]
    a.delete_multiple_files_by_ids(ids[:1])
    with pytest.raises(StoreError):
        a.download_file(ids[0])


def test_checkpoints_replace_and_follow_each_other(connect):
    a = connect(A)
    assert a.download_raw_latest_checkpoint() is None
    assert a.get_next_incremental_sequence_number() == 1
    a.upload_raw_checkpoint("checkpoint_9.5.tar.gz", b"old")
    a.upload_raw_incremental_checkpoint("incremental_checkpoint_1_9.5.tar.gz", b"one")
    a.upload_raw_incremental_checkpoint("incremental_checkpoint_10_9.6.tar.gz", b"ten")
    a.upload_raw_checkpoint("checkpoint_10.5.tar.gz", b"new")
    a.upload_raw_rolling_state("rolling_state_1.5.tar.gz", b"rolling")
    a.upload_raw_rolling_state("rolling_state_2.5.tar.gz", b"on")
    assert (a.download_raw_latest_checkpoint(), a.download_raw_rolling_state()) == (b"new", b"on")
    assert (a.get_incremental_checkpoint_count(), a.get_next_incremental_sequence_number()) == (
        2,
        11,
    )
    assert sorted(a.download_all_raw_incremental_checkpoints()) == [b"one", b"ten"]
    a.delete_all_incremental_checkpoints()
    a.delete_rolling_state()
    assert (a.get_incremental_checkpoint_count(), a.download_raw_rolling_state()) == (0, None)
    assert a.download_raw_latest_checkpoint() == b"new"


def test_versions_and_keys_are_published_and_damaged_ones_count_as_none(connect):
    a, b = connect(A), connect(B)
    assert b.read_peer_version_file(A) is None
    a.write_version_file(VersionInfo.current())
    a.write_encryption_bundle(B, '{"k": 1}')
    assert (
        b.read_peer_version_file(A).syft_client_version
        == a.read_own_version_file().syft_client_version
    )
    assert b.read_peer_encryption_bundle(A) == '{"k": 1}'
    for bad in (b"\xff", b"{", b" " * 100_000):
        a._board.post(f"datasites/{A}/version.json", bad)
        a._board.post(f"datasites/{A}/bundles/{B}.json", bad)
        assert b.read_peer_version_file(A) is None
    assert b.read_peer_encryption_bundle(A) is None


def test_everything_of_a_party_can_be_found(connect):
    a = connect(A)
    a.write_version_file(VersionInfo.current())
    a.owner_upload_collection_files(PREFIX, "s", "0a", {"mock.csv": b"x"})
    assert sorted(a.gather_all_file_and_folder_ids()) == [
        f"datasites/{A}/collections/{PREFIX}_s_0a/mock.csv",
        f"datasites/{A}/version.json",
    ]
    assert a.find_orphaned_message_files() == []
    assert a.get_authenticated_email() == A


def test_threads_share_one_connection(connect):
    a, b = connect(A), connect(B)
    failures = []

    def work(i):
        try:
            for j in range(10):
                a._update_peer_state(f"p{i}-{j}@x.invalid", "accepted")
                a.owner_write_raw_bytes_to_outbox(B, event(i * 100 + j + 0.5), b"x")
                a.owner_share_collection(PREFIX, "s", "0a", [f"p{i}-{j}@x.invalid"])
        except Exception as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(a._get_peers_json()) == 50
    assert len(a._shares(A, f"{PREFIX}_s_0a")["users"]) == 50
    assert len(b.watcher_get_outbox_file_metadatas(A, None)) == 50
