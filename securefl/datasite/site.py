"""Door of the room: one party's datasite, open for as short as possible.

Plain values go in and come out.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from securefl.datasite.address import check_email
from securefl.datasite.local_files import folder_lock
from securefl.errors import SecureFLError, StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from securefl.boards.board import Board
    from securefl.datasite.connection import FsspecConnection
    from securefl.datasite.models import (
        DatasetInfo,
        Peer,
        Quarantined,
        Request,
        SiteRole,
        Status,
        SyncReport,
    )

#: A message that passed the guard and still makes PySyft fail is set aside; more of them in one go
#: point to something else.
_MOST_FAILURES = 20


@contextmanager
def open_datasite(
    board: Board,
    email: str,
    folder: Path | str,
    role: SiteRole,
    *,
    lock_seconds: float = 60.0,
) -> Iterator[Datasite]:
    """Open a party's datasite and hold its lock until the ``with`` block ends.

    Args:
        board: the one through which all parties exchange.
        email: this party's PySyft identity, see :func:`~securefl.datasite.address.site_email`. No
            mail is sent to it.
        folder: the party's own folder for this; made if need be, closed to other users.
        role: ``"hospital"`` owns data sets and reviews requests; ``"researcher"`` sees mock data
            and sends requests.
        lock_seconds: how long to wait while another process holds the datasite.

    Raises:
        StoreError: the store cannot be used, or another process holds the datasite.
        UnreadableError: the folder's own files are damaged.
        UsageError: ``email`` or ``role`` cannot be used.
    """
    check_email(email)
    if role not in {"hospital", "researcher"}:
        raise UsageError(
            f"{role!r} is not a role of a datasite.", next_step="Use 'hospital' or 'researcher'."
        )
    home = Path(folder).absolute()
    with folder_lock(home, lock_seconds):
        from securefl.datasite.client import pysyft_client, translated

        with translated("open the datasite"):
            client, connection = pysyft_client(board, email, home, role)
        try:
            yield Datasite(client, connection, home, role)
        finally:
            _close(client)


class Datasite:
    """An open datasite; made by :func:`open_datasite`.

    What it writes for others leaves with :meth:`sync`.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - PySyft is untyped
        connection: FsspecConnection,
        home: Path,
        role: SiteRole,
    ) -> None:
        from securefl.datasite.decisions import Decisions

        self._client = client
        self._connection = connection
        self._sending = home / "sending"
        self._decisions = Decisions(home / "decisions.json")
        self.email = connection.email
        self.role: SiteRole = role

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of this party's own PySyft keys, as its peers see it."""
        from securefl.datasite.peers import fingerprint

        return fingerprint(self._client.peer_manager.peer_store.get_public_bundle())

    def sync(self) -> SyncReport:
        """Send what is waiting, take in what others sent, and bring requests' states up to date.

        A message that is refused, or that PySyft cannot take in, is set aside and reported; the
        others go on.

        Raises:
            StoreError: the store cannot be used.
            UnreadableError: PySyft failed for another reason.
        """
        from securefl.datasite.models import SyncReport
        from securefl.datasite.requests import reconcile

        hospital = self.role == "hospital"
        new = reconcile(self._client, self._decisions) if hospital else ()
        self._exchange()
        if hospital:
            arrived = reconcile(self._client, self._decisions)
            # A second exchange tells their senders that they are here.
            if arrived:
                self._exchange()
            new = (*new, *arrived)
        return SyncReport(new, self._connection.take_refused())

    # Peers

    def peers(self) -> tuple[Peer, ...]:
        """List everyone known to this site, approved ones first."""
        from securefl.datasite.peers import list_peers

        return list_peers(self._client, self._connection)

    def request_peer(self, email: str) -> None:
        """Ask another party to become a peer; asking again changes nothing."""
        from securefl.datasite.peers import request_peer

        request_peer(self._client, email)

    def approve_peer(self, email: str, fingerprint: str = "") -> None:
        """Approve a party that asked and pin its keys; with ``fingerprint``, only those.

        Raises:
            UsageError: it did not ask, or published no keys.
            UntrustedError: its keys are others.
        """
        from securefl.datasite.peers import approve_peer

        approve_peer(self._client, self._connection, email, fingerprint)

    def refuse_peer(self, email: str) -> None:
        """Refuse a party, or end an approval; its keys are pinned no more."""
        from securefl.datasite.peers import refuse_peer

        refuse_peer(self._client, self._connection, email)

    # Data sets

    def publish_dataset(
        self,
        name: str,
        mock: bytes,
        statement: bytes,
        summary: str = "",
    ) -> None:
        """Register a data set's public side (hospital).

        The same again changes nothing, another replaces it.

        Raises:
            UsageError: the name cannot be a folder, or a file is too long.
        """
        from securefl.datasite.datasets import publish

        self._only("hospital")
        publish(self._client, self._connection, name, mock, statement, summary=summary)

    def withdraw_dataset(self, name: str) -> None:
        """Show a data set no more (hospital).

        Raises:
            UsageError: there is none of that name.
        """
        from securefl.datasite.datasets import withdraw

        self._only("hospital")
        withdraw(self._client, name)

    def datasets(self) -> tuple[DatasetInfo, ...]:
        """List data sets as of the last sync.

        Own ones (hospital), or those of all datasites that approved this researcher.
        """
        from securefl.datasite.datasets import local_datasets

        return local_datasets(self._client)

    # Requests

    def submit(
        self,
        hospital: str,
        name: str,
        files: Mapping[str, str],
        fingerprint: str = "",
    ) -> str:
        """Send a code request (researcher) and return its job.

        ``files`` are path → text, with ``study.toml`` and ``README.md``. It is sealed for the keys
        pinned for that hospital; with ``fingerprint``, only if they are those.

        Raises:
            UntrustedError: the pinned keys are others.
            UsageError: the name or a file cannot be sent, or was sent before.
            NotApprovedError: the hospital has not approved this researcher as a peer.
        """
        from securefl.datasite.requests import submit

        self._only("researcher")
        return submit(
            self._client,
            self._connection.home,
            hospital,
            name,
            files,
            expected=fingerprint,
        )

    def was_sent(self, hospital: str, name: str) -> bool:
        """True if a request of that name was sent to that hospital from here (researcher).

        As of the last sync.
        """
        from securefl.datasite.client import translated
        from securefl.datasite.requests import was_sent

        self._only("researcher")
        with translated("see which requests were sent"):
            return was_sent(self._client, self._connection.home, hospital, name)

    def requests(self) -> tuple[Request, ...]:
        """List requests sent to this hospital, or by this researcher, as of the last sync."""
        from securefl.datasite.requests import list_requests

        return list_requests(self._client, self._decisions if self.role == "hospital" else None)

    def set_status(
        self,
        job: str,
        status: Status,
        reason: str = "",
    ) -> None:
        """Record a decision or progress (hospital).

        pending → approved → running → done or failed; rejected before it runs. This is what is
        shown. What may run is decided by the signed approval, elsewhere.

        Raises:
            UsageError: no such request, or not from its present state; what is finished stays
                finished.
        """
        from securefl.datasite.requests import decide

        self._only("hospital")
        decide(self._client, self._decisions, job, status, reason)

    def attach_note(self, job: str, note: str) -> None:
        """Change the text shown beside a request's status (hospital)."""
        from securefl.datasite.requests import decide

        self._only("hospital")
        decide(self._client, self._decisions, job, None, note)

    def put_output(
        self,
        job: str,
        name: str,
        text: str,
    ) -> None:
        """Put a small text for the researcher beside a request (hospital).

        Raises:
            UsageError: no such request, or the text cannot be sent.
        """
        from securefl.datasite.requests import put_output

        self._only("hospital")
        put_output(self._client, job, name, text)

    def quarantined(self) -> tuple[Quarantined, ...]:
        """List every message that was ever refused here, oldest first."""
        return self._connection.quarantined()

    def _only(self, role: SiteRole) -> None:
        """Refuse what the other role does."""
        if self.role != role:
            raise UsageError(
                f"Only a {role} can do that.", next_step=f"Open the datasite as a {role}."
            )

    def _exchange(self) -> None:
        """Synchronise with the store, setting aside messages at which PySyft fails."""
        from securefl.datasite.client import translated
        from securefl.datasite.peers import make_room
        from securefl.datasite.requests import forget_sent

        with translated("prepare the synchronisation"):
            make_room(self._client, self._connection)
            # PySyft notes a change as published before it sends it. A process killed in between
            # would leave the researcher waiting, so a synchronisation that did not end is followed
            # by one that sends everything again.
            if self._sending.exists():
                forget_sent(self._client)
            self._sending.touch(mode=0o600)
        for _ in range(_MOST_FAILURES):
            try:
                with translated("synchronise"):
                    self._client.sync(auto_checkpoint=False, auto_compact=False)
            except StoreError:
                raise
            except SecureFLError as error:
                if not self._connection.set_aside_in_hand(
                    f"PySyft could not take it in: {type(error.__cause__ or error).__name__}."
                ):
                    raise
            else:
                self._sending.unlink()
                return
        raise UsageError(
            "Too many messages failed in one synchronisation.",
            whose="this site",
            next_step="Look at them in the site's quarantine folder.",
        )


def _close(client: Any) -> None:  # noqa: ANN401 - PySyft is untyped
    """Let PySyft's threads end with the datasite; it keeps them for the life of the process."""
    engine = client.sync_engine
    client.peer_manager.shutdown()
    for part in (engine, engine.datasite_owner_syncer, engine.datasite_watcher_syncer):
        if part is not None:
            part._executor.shutdown(wait=False)  # noqa: SLF001 - PySyft gives no other way
