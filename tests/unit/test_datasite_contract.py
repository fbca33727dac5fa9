"""Fails when another PySyft is installed than the one the transport was written for, and says what
changed.
"""

import ast
import inspect
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from securefl.datasite.connection import FsspecConnection
from securefl.datasite.pysyft import SyftboxPlatformConnection

PINNED = {
    "syft": "0.10.0",
    "syft-rds": "0.6.1",
    "syft-job": "0.1.40",
    "syft-dataset": "0.1.21",
    "syft-perms": "0.1.15",
    "syft-permissions": "0.1.15",
    "syft-crypto-python": "0.1.2b4",
    "syft-migration": "0.1.1",
    "syft-notebook-ui": "0.1.1",
}

#: Methods of PySyft's base class, but for one that its callers send through
#: ``watcher_send_raw_bytes_to_inbox``.
BASE = {
    "get_authenticated_email",
    "owner_create_collection_folder",
    "owner_tag_collection_as_any",
    "owner_share_collection",
    "owner_upload_collection_files",
    "owner_list_collections",
    "owner_list_all_collections_with_permissions",
    "owner_delete_collection",
    "watcher_list_collections",
    "watcher_download_collection",
    "watcher_get_collection_file_metadatas",
    "watcher_download_collection_file",
    "watcher_send_raw_bytes_to_inbox",
    "owner_download_next_raw_proposed_message_from_inbox",
    "owner_write_raw_bytes_to_outbox",
    "watcher_download_raw_events_from_outbox",
    "owner_write_raw_bytes_to_syftbox",
    "owner_download_raw_bytes_by_id",
    "owner_download_all_raw_events_from_syftbox",
    "upload_raw_checkpoint",
    "download_raw_latest_checkpoint",
    "upload_raw_incremental_checkpoint",
    "download_all_raw_incremental_checkpoints",
    "upload_raw_rolling_state",
    "download_raw_rolling_state",
    "download_raw_events_since_timestamp",
}

#: Methods that PySyft calls on a connection although its base class has none of them.
CALLED = {
    "add_peer",
    "get_peer_requests",
    "_get_peers_json",
    "_update_peer_state",
    "write_version_file",
    "read_own_version_file",
    "read_peer_version_file",
    "share_version_file_with_peer",
    "write_encryption_bundle",
    "share_encryption_bundles_folder",
    "read_peer_encryption_bundle",
    "owner_remove_proposed_filechange_message_from_inbox",
    "watcher_get_outbox_file_metadatas",
    "download_file",
    "owner_get_all_accepted_event_file_ids",
    "_get_own_datasite_outbox_id",
    "get_file_metadatas_from_folder",
    "get_events_count_since_checkpoint",
    "get_incremental_checkpoint_count",
    "get_next_incremental_sequence_number",
    "delete_all_incremental_checkpoints",
    "delete_rolling_state",
    "reset_caches",
    "delete_file_by_id",
    "delete_multiple_files_by_ids",
    "gather_all_file_and_folder_ids",
    "find_orphaned_message_files",
}


def callers():
    """PySyft's modules that hold a connection, but for those of the Google Drive transport and its
    login.
    """
    for package in ("syft", "syft_rds"):
        root = Path(find_spec(package).origin).parent
        for path in sorted(root.rglob("*.py")):
            if "drive" not in path.parts and path.name not in {"gdrive_utils.py", "login_utils.py"}:
                yield ast.parse(path.read_text())


def is_connection(node):
    if isinstance(node, ast.Name):
        return node.id in {"connection", "conn"}
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr.startswith("connection_for_")
    )


@pytest.mark.parametrize("package", PINNED)
def test_the_pinned_release_is_installed(package):
    assert version(package) == PINNED[package]


def test_the_base_class_has_the_methods_it_had():
    own = {
        n
        for n, v in vars(SyftboxPlatformConnection).items()
        if inspect.isfunction(v) and not n.startswith("_")
    }
    assert own == BASE | {"watcher_send_proposed_file_changes_message"}


def test_the_callers_use_what_they_used():
    called = {
        node.func.attr
        for tree in callers()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and is_connection(node.func.value)
    }
    assert called - BASE - {"copy"} == CALLED  # "copy" is asked of Google Drive's connection only


@pytest.mark.parametrize("name", sorted(BASE | CALLED))
def test_our_transport_has_every_method_with_the_same_parameters(name):
    from syft.sync.connections.drive.gdrive_transport import GDriveConnection

    ours = getattr(FsspecConnection, name)
    assert ours is not getattr(SyftboxPlatformConnection, name, None)
    theirs = inspect.signature(getattr(GDriveConnection, name)).parameters
    assert [(p.name, p.default) for p in inspect.signature(ours).parameters.values()] == [
        (p.name, p.default) for p in theirs.values()
    ]
