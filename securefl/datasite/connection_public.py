"""Part of the transport that shows things: collections, the public side of data sets.

And housekeeping.
"""

from __future__ import annotations

import json
from typing import Any

from securefl.datasite.address import is_email
from securefl.datasite.connection_own import OwnRecords
from securefl.datasite.layout import MAX_PUBLIC_FILE, ROOT, datasite, is_name
from securefl.datasite.pysyft import CollectionFolder, FileCollection
from securefl.errors import StoreError

MAX_COLLECTION = 16


class PublicFiles(OwnRecords):
    """Collections in the store, in plain.

    Who is shown one stands in a file of its own, written last.
    """

    # Collections: the public side of data sets

    def owner_create_collection_folder(
        self,
        prefix: str,
        tag: str,
        content_hash: str,
        owner_email: str,
    ) -> str:
        """Return the identifier of a collection; a folder comes into being with its first file."""
        return datasite(owner_email, "collections", _folder(prefix, tag, content_hash))

    def owner_upload_collection_files(
        self,
        prefix: str,
        tag: str,
        content_hash: str,
        files: dict[str, bytes],
    ) -> None:
        """Write a collection's files. Nobody lists it before it is shared."""
        folder = _folder(prefix, tag, content_hash)
        for name, data in files.items():
            self._put("collections", f"{folder}/{name.rsplit('/', 1)[-1]}", data)

    def owner_tag_collection_as_any(
        self,
        prefix: str,
        tag: str,
        content_hash: str,
    ) -> None:
        """Mark a collection as meant for every approved peer."""
        self._share(_folder(prefix, tag, content_hash), [], any_peer=True)

    def owner_share_collection(
        self,
        prefix: str,
        tag: str,
        content_hash: str,
        users: list[str],
    ) -> None:
        """Let peers list a collection."""
        self._share(_folder(prefix, tag, content_hash), users, any_peer=False)

    def owner_list_collections(self, prefix: str) -> list[str]:
        """List the tags of this party's collections."""
        return [c.tag for c in self.owner_list_all_collections_with_permissions(prefix)]

    def owner_list_all_collections_with_permissions(self, prefix: str) -> list[Any]:
        """List this party's collections, each with whether it is meant for every peer."""
        found = []
        for name in self._names(datasite(self.email, "collections")):
            parsed = _parse_folder(prefix, name)
            folder_id = datasite(self.email, "collections", name)
            # A folder store keeps empty folders: one without files is no collection.
            if parsed and self._names(folder_id):
                found.append(
                    FileCollection(
                        folder_id=folder_id,
                        tag=parsed.tag,
                        content_hash=parsed.content_hash,
                        has_any_permission=bool(self._shares(self.email, name).get("any")),
                    )
                )
        return found

    def owner_delete_collection(self, prefix: str, tag: str) -> None:
        """Remove every version of a collection: first its listing, then its files."""
        for collection in self.owner_list_all_collections_with_permissions(prefix):
            if collection.tag == tag:
                name = _folder(prefix, tag, collection.content_hash)
                self._erase(datasite(self.email, "shares", f"{name}.json"))
                self.delete_file_by_id(collection.folder_id)

    def share_with(self, prefix: str, users: list[str]) -> None:
        """Show peers every collection that is meant for all of them.

        Writes only where one of them is missing.
        """
        if not users:
            return
        for collection in self.owner_list_all_collections_with_permissions(prefix):
            if not collection.has_any_permission:
                continue
            name = _folder(prefix, collection.tag, collection.content_hash)
            shown = self._shares(self.email, name).get("users", [])
            if not set(users) <= set(shown):
                self._share(name, users, any_peer=True)

    def unshare(self, user: str) -> None:
        """Show a peer none of this party's collections any more."""
        for name in self._names(datasite(self.email, "shares")):
            shares = self._shares(self.email, name.removesuffix(".json"))
            if user in shares.get("users", []):
                shares["users"].remove(user)
                self._put("shares", name, json.dumps(shares).encode())

    def watcher_list_collections(self, prefix: str) -> list[dict[str, str]]:
        """List collections of this party's peers that were shared with it."""
        found = []
        for owner in filter(is_email, self._get_peers_json()):
            for file in self._names(datasite(owner, "shares")):
                name = file.removesuffix(".json")
                parsed = _parse_folder(prefix, name)
                if parsed and self.email in self._shares(owner, name).get("users", []):
                    found.append(
                        {
                            "owner_email": owner,
                            "tag": parsed.tag,
                            "content_hash": parsed.content_hash,
                        }
                    )
        return found

    def watcher_get_collection_file_metadatas(
        self,
        prefix: str,
        tag: str,
        content_hash: str,
        owner_email: str,
    ) -> list[dict[str, str]]:
        """List names and identifiers of a collection's files."""
        folder = datasite(owner_email, "collections", _folder(prefix, tag, content_hash))
        return [
            {"file_id": f"{folder}/{n}", "file_name": n}
            for n in self._names(folder)[:MAX_COLLECTION]
            if is_name(n)
        ]

    def watcher_download_collection_file(self, file_id: str) -> bytes:
        """Read one file of a collection, as it lies in the store.

        One of them is the hospital's signature over the others (:mod:`securefl.party.dataset_statement`).
        """
        data = self._read(file_id, MAX_PUBLIC_FILE)
        if data is None:
            raise StoreError(
                f"{file_id} is no longer in the store.", next_step="Synchronise again."
            )
        return data

    def watcher_download_collection(
        self,
        prefix: str,
        tag: str,
        content_hash: str,
        owner_email: str,
    ) -> dict[str, bytes]:
        """Read all files of a collection."""
        files = self.watcher_get_collection_file_metadatas(
            prefix,
            tag,
            content_hash,
            owner_email,
        )
        return {f["file_name"]: self.watcher_download_collection_file(f["file_id"]) for f in files}

    # Housekeeping

    def get_file_metadatas_from_folder(
        self,
        folder_id: str,
        since_timestamp: float | None = None,
        page_size: int = 100,  # noqa: ARG002 - PySyft's signature
    ) -> list[dict[str, Any]]:
        """List identifiers and names in a folder, newest name first."""
        names = self._names(folder_id)
        if since_timestamp is not None:
            old = {n for t, n in self._events_in(folder_id) if t <= since_timestamp}
            names = [n for n in names if n not in old]
        return [{"id": f"{folder_id}/{n}", "name": n} for n in sorted(names, reverse=True)]

    def delete_file_by_id(
        self,
        file_id: str,
        verbose: bool = False,  # noqa: ARG002 - PySyft's signature
        raise_on_error: bool = False,  # noqa: ARG002 - PySyft's signature
    ) -> None:
        """Remove a file, or a folder with its files."""
        paths = [file_id]
        if self._is_folder(file_id):
            paths = [f"{file_id}/{name}" for name in self._names(file_id)]
        for path in paths:
            self._erase(path)

    def delete_multiple_files_by_ids(
        self,
        file_ids: list[str],
        ignore_permissions_errors: bool = True,  # noqa: ARG002 - PySyft's signature
        ignore_file_not_found: bool = True,  # noqa: ARG002 - PySyft's signature
    ) -> None:
        """Remove several files."""
        for file_id in file_ids:
            self.delete_file_by_id(file_id)

    def gather_all_file_and_folder_ids(self) -> list[str]:
        """List every file below this party's datasite."""
        found: list[str] = []
        folders = [f"{ROOT}/{self.email}"]
        while folders:
            folder = folders.pop()
            for name in self._names(folder):
                path = f"{folder}/{name}"
                if self._is_folder(path):
                    folders.append(path)
                else:
                    found.append(path)
        return found

    def find_orphaned_message_files(self) -> list[str]:
        """Find none: a file here always has a folder."""
        return []

    def _shares(self, owner: str, name: str) -> dict[str, Any]:
        try:
            value = json.loads(self._small(datasite(owner, "shares", f"{name}.json")) or b"{}")
        except (ValueError, RecursionError):
            return {}
        # Another party wrote it: of any other form it shares with nobody.
        if isinstance(value, dict) and isinstance(value.get("users", []), list):
            return value
        return {}

    def _share(
        self,
        name: str,
        users: list[str],
        *,
        any_peer: bool,
    ) -> None:
        with self._guarded:
            old = self._shares(self.email, name)
            merged = {
                "any": bool(old.get("any")) or any_peer,
                "users": sorted({*old.get("users", []), *users}),
            }
            self._put("shares", f"{name}.json", json.dumps(merged).encode())

    def _is_folder(self, path: str) -> bool:
        """Tell a folder from a file, which some stores list as its own only entry."""
        names = self._names(path)
        return bool(names) and names != [path.rsplit("/", 1)[-1]]


def _folder(prefix: str, tag: str, content_hash: str) -> str:
    name: str = CollectionFolder(prefix=prefix, tag=tag, content_hash=content_hash).folder_name
    return name


def _parse_folder(prefix: str, name: str) -> Any:  # noqa: ANN401 - PySyft is untyped
    try:
        parsed = CollectionFolder.from_name(prefix, name)
    except ValueError:
        return None
    if not is_name(parsed.tag):
        return None
    return parsed
