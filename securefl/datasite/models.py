"""Values that the room hands out: plain ones, nothing of PySyft's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SiteRole = Literal["hospital", "researcher"]
PeerState = Literal["requested-by-me", "requested-by-peer", "approved", "refused"]
#: ``sent`` is the researcher's view before the hospital has taken the request in.
Status = Literal["sent", "pending", "approved", "rejected", "running", "done", "failed"]
#: The file beside a mock table in which its hospital says, signed, what it registered.
STATEMENT = "description.signed"
FINAL: frozenset[str] = frozenset({"rejected", "done", "failed"})


@dataclass(frozen=True)
class Peer:
    """Party as PySyft knows it.

    ``fingerprint`` is the SHA-256 (hex) of the PySyft keys it published for us, or empty where it
    has published none. On a plain shared folder it is all that tells one party from another:
    compare it, as with identity cards.
    """

    email: str
    state: PeerState
    fingerprint: str = ""


@dataclass(frozen=True)
class DatasetInfo:
    """A data set as a researcher sees it.

    ``files`` are local copies of public files; there is no private data in them.
    """

    owner: str
    name: str
    files: Mapping[str, Path]

    @property
    def mock(self) -> Path | None:
        """The mock table, where the owner gave one."""
        return self.files.get("mock.csv")

    @property
    def statement(self) -> bytes | None:
        """Signed description of the data set and its mock table, unparsed and not verified.

        None where there is none.
        """
        path = self.files.get(STATEMENT)
        if path is None:
            return None
        return path.read_bytes()


@dataclass(frozen=True)
class Request:
    """Code request and its review state.

    Attributes:
        job: ``<sender>/<name>``, unique at one hospital.
        hospital: whose datasite it was sent to.
        sender: taken from the inbox folder it arrived in, and proven by the signature of that peer;
            never from its text.
        status: by our own record of decisions at the hospital; what it published at the researcher.
        note: the text shown beside the status.
        received: when the hospital took it in (ISO 8601), or empty.
        files: path below the request's code folder → bytes.
        outputs: small files the hospital put there: name → bytes.
    """

    job: str
    hospital: str
    sender: str
    name: str
    status: Status
    note: str = ""
    received: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    outputs: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Quarantined:
    """Message that was refused and set aside."""

    at: str
    sender: str
    message: str
    reason: str
    kept: bool


@dataclass(frozen=True)
class SyncReport:
    """Outcome of one synchronisation: requests newly taken in, messages set aside."""

    new_requests: tuple[str, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
