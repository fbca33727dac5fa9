"""Half of the transport that concerns one party alone: version, keys, approved peers, event log.

Approved peers are kept in the site's own folder, not in the store: PySyft keeps them in the party's
own Drive, and a shared folder is nobody's own. The event log stays in the store, sealed by PySyft
for its owner; securefl never replays it.
"""

from __future__ import annotations

import math
import threading
from pathlib import Path  # noqa: TC003 - pydantic reads the annotation
from typing import Any

from pydantic import PrivateAttr

from securefl.boards.board import Board  # noqa: TC001 - pydantic reads the annotation
from securefl.datasite.layout import MAX_NAMES, MAX_PLAIN, MAX_SMALL, datasite
from securefl.datasite.local_files import read_json, write_json
from securefl.datasite.pysyft import (
    FileChangeEventsMessageFileName,
    SyftboxPlatformConnection,
    VersionInfo,
)
from securefl.errors import MessageError, StoreError

_ROLLING = "rolling_state"
_FULL = "checkpoint_"
_INCREMENTAL = "incremental_checkpoint_"


class OwnRecords(SyftboxPlatformConnection):  # type: ignore[misc]  # PySyft is untyped
    """Records that a party keeps for itself. Identifiers of files are their paths in the store.

    Each call reads or writes whole objects of the store; what is shared between threads is guarded
    by ``_guarded``.
    """

    email: str
    home: Path
    board: Any  # a Board; pydantic cannot check a protocol
    _board: Board = PrivateAttr()
    _guarded: threading.RLock = PrivateAttr(default_factory=threading.RLock)

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 - pydantic's own signature
        """Type the board."""
        super().model_post_init(context)
        self._board = self.board

    def get_authenticated_email(self) -> str:
        """Return this party's address; nobody vouches for it but the keys."""
        return self.email

    def reset_caches(self) -> None:
        """Do nothing: other processes write to the store, so nothing is cached."""

    # Version

    def write_version_file(self, version_info: Any) -> None:  # noqa: ANN401 - PySyft is untyped
        """Publish the version of PySyft that this party runs."""
        self._post(datasite(self.email, "version.json"), version_info.to_json().encode())

    def read_own_version_file(self) -> Any:  # noqa: ANN401 - PySyft is untyped
        """Read the version that :meth:`write_version_file` published, or None."""
        return self.read_peer_version_file(self.email)

    def read_peer_version_file(self, peer_email: str) -> Any:  # noqa: ANN401 - PySyft is untyped
        """Read the version of PySyft that a peer says it runs; None where that cannot be read."""
        data = self._small(datasite(peer_email, "version.json"))
        try:
            return VersionInfo.from_json(data.decode()) if data else None
        except ValueError:
            return None

    def share_version_file_with_peer(self, peer_email: str) -> None:
        """Do nothing: a folder has no permissions to set."""

    # Public keys

    def write_encryption_bundle(self, peer_email: str, bundle_json: str) -> None:
        """Publish this party's public keys for a peer."""
        self._put("bundles", f"{peer_email}.json", bundle_json.encode())

    def share_encryption_bundles_folder(self, peer_email: str) -> None:
        """Do nothing: a folder has no permissions to set."""

    def read_peer_encryption_bundle(self, peer_email: str) -> str | None:
        """Read the public keys that a peer published for this party.

        PySyft reads them once and then keeps them in ``peers.json``.
        """
        data = self._small(datasite(peer_email, "bundles", f"{self.email}.json"))
        try:
            return data.decode() if data else None
        except ValueError:
            return None

    # Approved peers

    def _get_peers_json(self, force_download: bool = False) -> dict[str, dict[str, Any]]:  # noqa: ARG002 - PySyft's signature
        with self._guarded:
            return {
                email: entry
                for email, entry in read_json(self.home / "peers.json").items()
                if isinstance(entry, dict)
            }

    def _update_peer_state(
        self,
        peer_email: str,
        state: str,
        public_encryption_bundle: dict[str, Any] | None = None,
    ) -> None:
        with self._guarded:
            peers = self._get_peers_json()
            entry = {**peers.get(peer_email, {}), "state": state}
            if public_encryption_bundle is not None:
                entry["public_encryption_bundle"] = public_encryption_bundle
            write_json(self.home / "peers.json", {**peers, peer_email: entry})

    def drop_peer(self, peer_email: str) -> None:
        """Refuse a peer and forget the keys pinned for it.

        Where it is approved again, its keys are read anew.
        """
        with self._guarded:
            peers = {**self._get_peers_json(), peer_email: {"state": "rejected"}}
            write_json(self.home / "peers.json", peers)

    # Event log

    def owner_write_raw_bytes_to_syftbox(self, filename: str, data: bytes) -> str:
        """Append to the event log; return the file's identifier."""
        return self._put("log", filename, data)

    def owner_download_raw_bytes_by_id(self, file_id: str) -> bytes:
        """Read one file of the store by its identifier."""
        return self.download_file(file_id)

    def owner_download_all_raw_events_from_syftbox(self) -> list[bytes]:
        """Read all events, oldest first."""
        return [self.download_file(i) for i in self.owner_get_all_accepted_event_file_ids()]

    def owner_get_all_accepted_event_file_ids(
        self, since_timestamp: float | None = None
    ) -> list[str]:
        """List identifiers of the events later than ``since_timestamp``, oldest first."""
        folder = datasite(self.email, "log")
        return [
            f"{folder}/{name}"
            for time, name in self._events_in(folder)
            if since_timestamp is None or time > since_timestamp
        ]

    def download_raw_events_since_timestamp(self, since_timestamp: float) -> list[bytes]:
        """Read the events later than ``since_timestamp``, oldest first."""
        identifiers = self.owner_get_all_accepted_event_file_ids(since_timestamp)
        return [self.download_file(identifier) for identifier in identifiers]

    def get_events_count_since_checkpoint(self, checkpoint_timestamp: float | None) -> int:
        """Count the events later than a checkpoint; all of them where there is none."""
        return len(self.owner_get_all_accepted_event_file_ids(checkpoint_timestamp))

    # Checkpoints

    def upload_raw_checkpoint(self, filename: str, data: bytes) -> str:
        """Write a full checkpoint, then remove older ones."""
        new = self._put("checkpoints", filename, data)
        self._drop(_FULL, keep=filename)
        return new

    def download_raw_latest_checkpoint(self) -> bytes | None:
        """Read the newest full checkpoint, or None."""
        return self._latest(_FULL)

    def upload_raw_incremental_checkpoint(self, filename: str, data: bytes) -> str:
        """Write one step between two full checkpoints."""
        return self._put("checkpoints", filename, data)

    def download_all_raw_incremental_checkpoints(self) -> list[bytes]:
        """Read all steps since the last full checkpoint; PySyft sorts them."""
        names = self._checkpoints(_INCREMENTAL)
        return [self.download_file(datasite(self.email, "checkpoints", name)) for name in names]

    def get_incremental_checkpoint_count(self) -> int:
        """Count the steps."""
        return len(self._checkpoints(_INCREMENTAL))

    def get_next_incremental_sequence_number(self) -> int:
        """Return one more than the highest number used."""
        names = self._checkpoints(_INCREMENTAL)
        numbers = [name.removeprefix(_INCREMENTAL).split("_")[0] for name in names]
        return max((int(n) for n in numbers if n.isdecimal()), default=0) + 1

    def delete_all_incremental_checkpoints(self) -> None:
        """Forget the steps, once they are in a full checkpoint."""
        self._drop(_INCREMENTAL)

    def upload_raw_rolling_state(self, filename: str, data: bytes) -> str:
        """Replace the state since the last checkpoint."""
        new = self._put("checkpoints", filename, data)
        self._drop(_ROLLING, keep=filename)
        return new

    def download_raw_rolling_state(self) -> bytes | None:
        """Read the state since the last checkpoint, or None."""
        return self._latest(_ROLLING)

    def delete_rolling_state(self) -> None:
        """Forget the state, once it is in a checkpoint."""
        self._drop(_ROLLING)

    # Shared by both halves

    def download_file(self, file_id: str) -> bytes:
        """Read one file of the store by its identifier.

        Raises:
            StoreError: it is gone.
        """
        data = self._read(file_id, MAX_PLAIN)
        if data is None:
            raise StoreError(
                f"{file_id} is no longer in the store.", next_step="Synchronise again."
            )
        return data

    def _put(
        self,
        kind: str,
        filename: str,
        data: bytes,
    ) -> str:
        path = datasite(self.email, kind, filename)
        self._post(path, data)
        return path

    def _post(self, path: str, data: bytes) -> None:
        self._board.post(path, data)

    def _read(self, path: str, most: int) -> bytes | None:
        return self._board.read(path, most)

    def _erase(self, path: str) -> None:
        self._board.erase(path)

    def _small(self, path: str) -> bytes | None:
        """Read a small file that another party wrote; one that is too long counts as none."""
        try:
            return self._read(path, MAX_SMALL)
        except MessageError:
            return None

    def _names(self, folder: str) -> list[str]:
        return self._board.names(folder)[:MAX_NAMES]

    def _events_in(self, folder: str) -> list[tuple[float, str]]:
        """List (time, name) of the event messages in a folder, oldest first.

        Names of any other form are left out.
        """
        found = []
        for name in self._names(folder):
            try:
                parsed = FileChangeEventsMessageFileName.from_string(name)
            except ValueError:
                continue
            if math.isfinite(parsed.timestamp) and parsed.as_string() == name:
                found.append((float(parsed.timestamp), name))
        return sorted(found)

    def _checkpoints(self, prefix: str) -> list[str]:
        return [n for n in self._names(datasite(self.email, "checkpoints")) if n.startswith(prefix)]

    def _latest(self, prefix: str) -> bytes | None:
        """Read the checkpoint of the latest time, or None; PySyft ends its names with the time."""

        def time(name: str) -> float:
            return float(name.removesuffix(".tar.gz").rsplit("_", 1)[1])

        newest = max(self._checkpoints(prefix), key=time, default=None)
        if newest is None:
            return None
        return self.download_file(datasite(self.email, "checkpoints", newest))

    def _drop(self, prefix: str, keep: str = "") -> None:
        for name in self._checkpoints(prefix):
            if name != keep:
                self._erase(datasite(self.email, "checkpoints", name))
