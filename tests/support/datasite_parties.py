"""Hospitals and researchers on one store, for the tests of the datasite room."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from securefl.boards.opening import open_board
from securefl.datasite.address import site_email
from securefl.datasite.entry import FIXED
from securefl.datasite.site import open_datasite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from securefl.datasite.models import SiteRole
    from securefl.datasite.site import Datasite

MOCK = b"age,tsh\n40,1.5\n"
DESCRIPTION = b'{"columns":["age","tsh"]}'
FILES = {"study.toml": 'schema = "securefl-study/2"\r\n', "README.md": "# A study\n"}


@dataclass
class Parties:
    """One store, a folder a party; the store is a folder so that tests can put things where an
    attacker could.
    """

    root: Path

    @property
    def store(self) -> Path:
        return self.root / "store"

    @contextmanager
    def open(self, name: str, role: SiteRole = "hospital") -> Iterator[Datasite]:
        with open_datasite(
            open_board(str(self.store)), site_email(name), self.root / name, role, lock_seconds=120
        ) as site:
            yield site

    def researcher(self, name: str = "researcher") -> Any:
        return self.open(name, "researcher")

    def area(self, name: str) -> Path:
        return self.store / "datasites" / site_email(name)

    def tree(self, name: str, owner: str | None = None) -> Path:
        return self.root / name / "syftbox" / site_email(owner or name)

    def make_peers(self, *hospitals: str, researcher: str = "researcher") -> None:
        with self.researcher(researcher) as site:
            for hospital in hospitals:
                site.request_peer(site_email(hospital))
        for hospital in hospitals:
            with self.open(hospital) as site:
                site.approve_peer(site_email(researcher))
                site.sync()
        with self.researcher(researcher) as site:
            site.sync()

    def submit(self, hospital: str, name: str, researcher: str = "researcher") -> str:
        with self.researcher(researcher) as site:
            return site.submit(site_email(hospital), name, FILES)


def job_files(job: str, sender: str, *, recipient: str, **changed: Any) -> list[Any]:
    """The file changes of a whole, proper request; ``changed`` replaces fields of its
    ``study.toml``.
    """
    from syft.sync.messages.proposed_filechange import ProposedFileChange

    base = f"app_data/job/inbox/{site_email(sender)}/v1/{job}"
    texts = {
        "code/README.md": "hello",
        **FIXED,
        "config.yaml": f"name: {job}\n",
        "code/study.toml": "x = 1\n",
    }
    changes = []
    for path, text in texts.items():
        fields = {
            "path_in_datasite": f"{base}/{path}",
            "content": text,
            "datasite_email": site_email(recipient),
        }
        changes.append(
            ProposedFileChange(**(fields | changed if path == "code/study.toml" else fields))
        )
    return changes


def message(sender: str, changes: list[Any]) -> bytes:
    """A PySyft message, packed, not yet sealed."""
    from syft.sync.messages.proposed_filechange import ProposedFileChangesMessage

    return ProposedFileChangesMessage(
        sender_email=site_email(sender), proposed_file_changes=changes
    ).as_compressed_data()


def drop(
    parties: Parties,
    site: Datasite,
    hospital: str,
    packed: bytes,
    *,
    sealed: bool = True,
    name: str = "",
) -> Path:
    """Put a message into a hospital's inbox folder of ``site``'s party, past every check of the
    sender's side.
    """
    site._client.load_peers()
    store = site._client.peer_manager.peer_store
    data = store.encrypt(site_email(hospital), packed) if sealed else packed
    folder = parties.area(hospital) / "inbox" / site.email
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or f"msgv2_{time.time()}_{uuid4()}.tar.gz")
    path.write_bytes(data)
    return path
