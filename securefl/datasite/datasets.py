"""Data sets: a hospital registers a pointer, a mock table and a signed description.

Researchers see the last two. The private file stays outside PySyft's tree, which is read into
memory at every synchronisation and which PySyft may copy. What stands there instead is a short text
saying so. The mock is made elsewhere, from the description and never from records.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from securefl.datasite.client import translated
from securefl.datasite.layout import MAX_PUBLIC_FILE, is_name
from securefl.datasite.models import STATEMENT, DatasetInfo
from securefl.datasite.pysyft import DATASET_COLLECTION_PREFIX, PERMISSION_FILE_NAME
from securefl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.datasite.connection import FsspecConnection

POINTER = (
    "The private data are not here. They stay where the data owner keeps them; securefl reads them"
    " after its own approval.\n"
)
_PYSYFT_FILES = frozenset({"dataset.yaml", PERMISSION_FILE_NAME})


def publish(
    client: Any,  # noqa: ANN401 - PySyft is untyped
    connection: FsspecConnection,
    name: str,
    mock: bytes,
    statement: bytes,
    *,
    summary: str,
) -> None:
    """Register a data set, or replace it where its public files differ.

    Every approved peer is shown it.

    Args:
        client: PySyft's client of a hospital.
        connection: its transport.
        name: of the data set.
        mock: a CSV table.
        statement: the hospital's signed word on both, opaque here.
        summary: one line for PySyft's own listing.

    Raises:
        UsageError: the name cannot be a folder, or a file is too long.
    """
    public = {"mock.csv": mock, STATEMENT: statement}
    if not is_name(name) or "_" in (name[0], name[-1]):
        raise UsageError(
            f"{name!r} cannot name a data set.", next_step="Use letters, digits, '-', '_' and '.'."
        )
    if any(len(data) > MAX_PUBLIC_FILE for data in public.values()):
        raise UsageError(
            f"The public side of {name} is larger than {MAX_PUBLIC_FILE} bytes.",
            next_step="Make a shorter mock table.",
        )
    with translated(f"register the data set {name}"):
        _drop_half(client, name)
        existing = {d.name: d for d in local_datasets(client) if d.owner == client.email}.get(name)
        collections = connection.owner_list_all_collections_with_permissions(
            DATASET_COLLECTION_PREFIX
        )
        shown = {c.tag for c in collections if c.has_any_permission}
        if existing and name in shown:
            files = {n: p.read_bytes() for n, p in existing.files.items()}
            if files == public:
                return
        # PySyft shows the set to the approved peers that it has loaded.
        client.load_peers()
        if existing:
            client.delete_dataset(name, require_confirmation=False, sync=False)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "public"
            pointer = Path(scratch) / "WHERE.txt"
            folder.mkdir()
            _write(folder, public)
            pointer.write_text(POINTER)
            client.create_dataset(
                name,
                folder,
                pointer,
                summary=summary,
                users="any",
                upload_private=False,
                sync=False,
            )


def withdraw(client: Any, name: str) -> None:  # noqa: ANN401 - PySyft is untyped
    """Show a data set no more. The private file is not touched: it was never here.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in {d.name for d in local_datasets(client) if d.owner == client.email}:
        raise UsageError(
            f"There is no data set {name} here.", next_step="See 'securefl site status'."
        )
    with translated(f"withdraw the data set {name}"):
        client.delete_dataset(name, require_confirmation=False, sync=False)


def local_datasets(client: Any) -> tuple[DatasetInfo, ...]:  # noqa: ANN401 - PySyft is untyped
    """Read the data sets in the local tree.

    One's own and, after a synchronisation, those of approved peers. Owner and name come from the
    folders. PySyft's ``dataset.yaml`` is not consulted: its owner could name any file in it.
    """
    storage = client.dataset_manager.storage
    found = []
    folders = client.syftbox_folder.iterdir()
    for owner in sorted(p.name for p in folders if p.is_dir() and "@" in p.name):
        for ref in storage.iter_dataset_refs(owner):
            folder = storage.public_dataset_dir(ref)
            files = {
                p.name: p
                for p in sorted(folder.iterdir())
                if p.is_file() and not p.is_symlink() and p.name not in _PYSYFT_FILES
            }
            found.append(DatasetInfo(ref.owner, ref.name, files))
    return tuple(found)


def _drop_half(client: Any, name: str) -> None:  # noqa: ANN401 - PySyft is untyped
    """Remove what a process killed while registering left behind.

    PySyft would refuse the folder for ever.
    """
    storage = client.dataset_manager.storage
    for ref in (storage.new_dataset_ref(name, "0"), storage.new_dataset_ref(name, "1")):
        metadata = storage.metadata_path(ref)
        if not metadata.exists() or not metadata.read_bytes():
            shutil.rmtree(storage.public_dataset_dir(ref), ignore_errors=True)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by name into a folder."""
    for name, data in files.items():
        (folder / name).write_bytes(data)
