"""PySyft's own client, built around our transport from PySyft's public configuration classes.

No code of it is changed. Differences from PySyft's own login, and why:

- encryption between peers is on: on a plain folder it is also the only proof of who sent a message;
- keys lie outside the synced tree, readable by their owner only;
- the owner's event log is not replayed at start. PySyft replays it over newer local files, which
  brings finished jobs back to "approved"; the site's folder is the record, and without that folder
  the keys that open the log are gone too;
- the owner's table of file hashes is held in memory (:mod:`securefl.datasite.cached_hashes`).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from securefl.datasite.cached_hashes import HeldHashes
from securefl.datasite.connection import FsspecConnectionConfig
from securefl.datasite.import_guard import muted
from securefl.datasite.inbox import Guard
from securefl.datasite.pysyft import (
    COLLECTION_SUBPATH,
    DATASET_COLLECTION_SPECS,
    PERMISSION_FILE_NAME,
    DataSiteOwnerEventCacheConfig,
    DatasiteOwnerSyncerConfig,
    DataSiteWatcherCacheConfig,
    DatasiteWatcherSyncerConfig,
    PeerManagerConfig,
    SyftBoxConfig,
    SyftboxManagerConfig,
    SyftJobConfig,
    SyftRDSClient,
    SyftRDSClientConfig,
    VersionInfo,
)
from securefl.errors import SecureFLError, UnreadableError
from securefl.files import private_folder
from securefl.undumpable import make_undumpable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from securefl.boards.board import Board
    from securefl.datasite.connection import FsspecConnection
    from securefl.datasite.models import SiteRole


def pysyft_client(
    board: Board,
    email: str,
    folder: Path,
    role: SiteRole,
) -> tuple[Any, FsspecConnection]:
    """Build PySyft's ``SyftRDSClient`` for one party, with the inbox check in place.

    Returned with its connection. Everything else in this room goes through
    :func:`securefl.datasite.site.open_datasite`. Whoever wants PySyft's own interface on the same
    store takes this, and holds no lock.
    """
    private_folder(folder)
    private_folder(folder / "keys")
    tree = (folder / "syftbox").resolve()
    # PySyft's own keys are opened here: no core dump may hold them.
    make_undumpable()
    config = FsspecConnectionConfig(email=email, home=folder, board=board)
    _drop_torn(folder / "syftbox-events")
    _drop_torn(folder / "syftbox-event-messages")
    if tree.exists():
        for path in (tree / email).rglob(PERMISSION_FILE_NAME):
            _drop_if_empty(path)
    # Killed while making its first keys, a party has no peer yet that knows them.
    if not (folder / "peers.json").exists():
        _drop_if_empty(folder / "keys" / "pysyft.json")
    with muted():
        client = SyftRDSClient.from_config(_config(config, tree, email, role))
    (folder / "keys" / "pysyft.json").chmod(0o600)
    connection = config.connection()
    manager = client.sync_engine.peer_manager
    connection.guard = Guard(email, manager.peer_store, tree / email)
    published = connection.read_own_version_file()
    current = VersionInfo.current().syft_client_version
    if published is None or published.syft_client_version != current:
        manager.write_own_version()
    if client.sync_engine.datasite_owner_syncer is not None:
        # PySyft would replay the owner's log over newer files: it is told that this is done.
        client.sync_engine.datasite_owner_syncer.initial_sync_done = True
        cache = client.sync_engine.datasite_owner_syncer.event_cache
        cache.file_hashes = HeldHashes.instead_of(cache.file_hashes)
    else:
        _repair(client.sync_engine.datasite_watcher_syncer.datasite_watcher_cache)
    return client, connection


def _drop_torn(folder: Path) -> None:
    """Remove cached events that a killed process left half written.

    PySyft writes them in place and cannot start with one. Their content is not lost: an owner's
    files are compared with what is left and published again, a researcher's messages are fetched
    again.
    """
    if not folder.is_dir():
        return
    for path in folder.glob("*"):
        # An event is one JSON object: without its last brace it was cut through.
        if not path.read_bytes().endswith(b"}"):
            path.unlink()


def _drop_if_empty(path: Path) -> None:
    """Remove a small file that PySyft had opened for writing when its process was killed.

    It is made again where it is missed.
    """
    if path.exists() and not path.read_bytes().strip():
        path.unlink()


def _repair(cache: Any) -> None:  # noqa: ANN401 - PySyft is untyped
    """Write what a killed researcher's process had received and not written.

    PySyft notes an event first, then its files.
    """
    latest = {str(event.path_in_syftbox): event for event in cache.get_cached_events()}
    for path, event in latest.items():
        if event.is_deleted:
            continue
        target = cache.syftbox_folder / path
        if not target.exists() or target.read_bytes() != event.content.encode():
            cache.file_connection.write_file(path, event.content)


def _config(connection: FsspecConnectionConfig, tree: Path, email: str, role: SiteRole) -> Any:  # noqa: ANN401 - PySyft is untyped
    """Configure PySyft's client for one role, with this transport in every part of it."""
    owner = role == "hospital"
    collections = tree / email / COLLECTION_SUBPATH
    sync = SyftboxManagerConfig(
        email=email,
        syftbox_folder=tree,
        has_do_role=owner,
        has_ds_role=not owner,
        use_in_memory_cache=False,
        datasite_owner_syncer_config=DatasiteOwnerSyncerConfig(
            email=email,
            syftbox_folder=tree,
            collections_folder=collections,
            collection_specs=DATASET_COLLECTION_SPECS,
            connection_configs=[connection],
            cache_config=DataSiteOwnerEventCacheConfig(
                email=email,
                use_in_memory_cache=False,
                syftbox_folder=tree,
                collections_folder=collections,
            ),
        ),
        datasite_watcher_syncer_config=DatasiteWatcherSyncerConfig(
            email=email,
            syftbox_folder=tree,
            connection_configs=[connection],
            datasite_watcher_cache_config=DataSiteWatcherCacheConfig(
                email=email,
                use_in_memory_cache=False,
                syftbox_folder=tree,
                collection_specs=DATASET_COLLECTION_SPECS,
                connection_configs=[connection],
            ),
        ),
        peer_manager_config=PeerManagerConfig(
            email=email,
            syftbox_folder=tree,
            connection_configs=[connection],
            has_do_role=owner,
            has_ds_role=not owner,
            use_encryption=True,
            crypto_keys_path=connection.home / "keys" / "pysyft.json",
            suppress_version_warnings=True,
        ),
    )
    return SyftRDSClientConfig(
        sync=sync,
        job=SyftJobConfig(syftbox_folder=tree, current_user_email=email, has_do_role=owner),
        dataset=SyftBoxConfig(syftbox_folder=tree, email=email),
    )


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Run a piece of PySyft silently; whatever it raises becomes one of our errors.

    Raises:
        UnreadableError: PySyft could not do ``what``; its own message is kept for the owner's
            screen.
    """
    try:
        with muted():
            yield
    except SecureFLError:
        raise
    except Exception as error:
        raise UnreadableError(
            f"PySyft could not {what}: {type(error).__name__}: {error}",
            whose="this site",
            next_step=(
                "Run 'securefl doctor'; if that finds nothing, restore the site's folder from your"
                " backup."
            ),
        ) from error
