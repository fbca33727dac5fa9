"""Transport of PySyft over any board: ``SyftboxPlatformConnection`` on our own interface.

The interface is :class:`~securefl.boards.board.Board`. PySyft 0.10 knows one transport, Google
Drive. Its base class names fewer methods than its callers use; the contract test compares both with
this class, so that another PySyft fails loudly.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import PrivateAttr

from securefl.datasite.address import is_email
from securefl.datasite.connection_public import PublicFiles
from securefl.datasite.layout import MAX_MESSAGE, datasite
from securefl.datasite.pysyft import ConnectionConfig, MessageFileName
from securefl.datasite.quarantine import Quarantine
from securefl.errors import MessageError, StoreError

if TYPE_CHECKING:
    from typing import Self

    from securefl.datasite.inbox import Guard
    from securefl.datasite.models import Quarantined


class FsspecConnection(PublicFiles):
    """Mailboxes, peers and collections.

    Thread-safe: PySyft shares one connection among its threads. Until :attr:`guard` is set no
    message is handed to PySyft.
    """

    guard: Any = None
    _quarantine: Quarantine = PrivateAttr()
    _refused: list[Any] = PrivateAttr(default_factory=list)
    _checked: dict[str, bytes] = PrivateAttr(default_factory=dict)
    _in_hand: tuple[str, str, bytes] | None = PrivateAttr(default=None)

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 - pydantic's own signature
        """Open the store and the quarantine."""
        super().model_post_init(context)
        self._quarantine = Quarantine(self.home / "quarantine")

    @classmethod
    def from_config(cls, config: Any) -> Self:  # noqa: ANN401 - PySyft is untyped
        """Return the one connection of a configuration; PySyft asks for it four times."""
        connection: Self = config.connection()
        return connection

    # Peers

    def add_peer(self, peer_email: str) -> None:
        """Tell a party that this one wants to be its peer."""
        self._post(
            datasite(peer_email, "peers", f"{self.email}.json"),
            json.dumps({"from": self.email}).encode(),
        )

    def get_peer_requests(self) -> list[str]:
        """List parties that asked this one and were neither approved nor refused.

        Who they are, only their keys can show.
        """
        decided = {
            email
            for email, entry in self._get_peers_json().items()
            if entry.get("state") in {"accepted", "rejected"}
        }
        found = []
        for file in self._names(datasite(self.email, "peers")):
            name = file.removesuffix(".json")
            # Anybody can write here: a name must be one that PySyft can use in its paths.
            if name != file and is_email(name) and name != self.email and name not in decided:
                found.append(name)
        return found

    # Messages to a datasite

    def watcher_send_raw_bytes_to_inbox(
        self,
        recipient: str,
        filename: str,
        data: bytes,
    ) -> None:
        """Put a sealed message into a datasite's inbox."""
        self._post(datasite(recipient, "inbox", self.email, filename), data)

    def owner_download_next_raw_proposed_message_from_inbox(
        self, sender_email: str
    ) -> tuple[bytes, str] | None:
        """Return the oldest message of a peer that passes the guard; refused ones are set aside.

        They are the very bytes that were checked.
        """
        folder = datasite(self.email, "inbox", sender_email)
        for name in sorted(self._names(folder), key=_message_time):
            path = f"{folder}/{name}"
            raw = None
            try:
                raw = self._read(path, MAX_MESSAGE)
                if raw is None:
                    continue
                # A file of another name is no message: nothing of it is looked at.
                checked = b""
                if _message_time(name) != _NO_TIME:
                    checked = raw
                if not self._require_guard().request(sender_email, checked):
                    # Taken in before, as it is.
                    self._erase(path)
                    continue
            except MessageError as error:
                self.set_aside(path, sender_email, raw, error.what)
                continue
            except StoreError:
                # Unreadable (a folder of that name, say): it must not block the others.
                continue
            self._in_hand = (path, sender_email, raw)
            return raw, path
        return None

    def owner_remove_proposed_filechange_message_from_inbox(
        self,
        proposed_filechange_message: Any,  # noqa: ANN401 - PySyft is untyped
    ) -> None:
        """Remove a message that PySyft has taken in.

        Its files are the record; a copy brought back is refused as not new.
        """
        self._erase(proposed_filechange_message.platform_id)
        self._in_hand = None

    # Messages to a researcher

    def owner_write_raw_bytes_to_outbox(
        self,
        recipient: str,
        filename: str,
        data: bytes,
    ) -> None:
        """Put a sealed message for a researcher."""
        self._post(datasite(self.email, "outbox", recipient, filename), data)

    def watcher_get_outbox_file_metadatas(
        self, peer_email: str, since_timestamp: float | None
    ) -> list[dict[str, Any]]:
        """List the messages of a datasite to this researcher since then, oldest first.

        Only messages that pass the guard.
        """
        folder = datasite(peer_email, "outbox", self.email)
        passed = []
        for time, name in self._events_in(folder):
            if since_timestamp is not None and time <= since_timestamp:
                continue
            path = f"{folder}/{name}"
            raw = None
            try:
                raw = self._read(path, MAX_MESSAGE)
                if raw is None:
                    continue
                self._require_guard().events(peer_email, name, raw)
            except MessageError as error:
                self.set_aside(path, peer_email, raw, error.what)
                continue
            except StoreError:
                continue
            with self._guarded:
                self._checked[path] = raw
            passed.append({"file_id": path, "file_name": name, "timestamp": time})
        return passed

    def watcher_download_raw_events_from_outbox(
        self, peer_email: str, since_timestamp: float | None
    ) -> list[bytes]:
        """Return the messages themselves."""
        messages = self.watcher_get_outbox_file_metadatas(peer_email, since_timestamp)
        return [self.download_file(message["file_id"]) for message in messages]

    def download_file(self, file_id: str) -> bytes:
        """Return a checked message as it was checked, anything else from the store."""
        with self._guarded:
            checked = self._checked.pop(file_id, None)
        if checked is not None:
            return checked
        return super().download_file(file_id)

    def _get_own_datasite_outbox_id(self, peer_email: str) -> str | None:
        return datasite(self.email, "outbox", peer_email)

    # Refusals

    def set_aside(
        self,
        path: str,
        sender: str,
        raw: bytes | None,
        reason: str,
    ) -> None:
        """Move a message out of the store into this site's quarantine, count it and go on."""
        with self._guarded:
            self._refused.append(
                self._quarantine.add(
                    sender,
                    path.rsplit("/", 1)[-1],
                    reason,
                    raw,
                )
            )
        self._erase(path)

    def set_aside_in_hand(self, reason: str) -> bool:
        """Set aside the message at which PySyft failed; true if there was one."""
        if self._in_hand is None:
            return False
        path, sender, raw = self._in_hand
        self._in_hand = None
        self.set_aside(path, sender, raw, reason)
        return True

    def take_refused(self) -> tuple[Quarantined, ...]:
        """Return the refusals since the last call."""
        with self._guarded:
            refused = tuple(self._refused)
            self._refused = []
        return refused

    def quarantined(self) -> tuple[Quarantined, ...]:
        """Return all refusals."""
        return self._quarantine.entries()

    def _require_guard(self) -> Guard:
        """Return the guard; without one nothing passes."""
        if self.guard is None:
            raise StoreError(
                "The datasite was opened without its inbox check.",
                whose="securefl",
                next_step="Open it with open_datasite.",
            )
        guard: Guard = self.guard
        return guard


class FsspecConnectionConfig(ConnectionConfig):  # type: ignore[misc]  # PySyft is untyped
    """Configuration by which PySyft finds the connection.

    ``board``, ``email``, and the site's own folder ``home``.
    """

    connection_type: ClassVar[type[FsspecConnection]] = FsspecConnection
    email: str
    home: Any
    board: Any
    _connection: FsspecConnection | None = PrivateAttr(default=None)

    def connection(self) -> FsspecConnection:
        """Return the connection, made once."""
        if self._connection is None:
            self._connection = FsspecConnection(email=self.email, home=self.home, board=self.board)
        return self._connection


_NO_TIME = float("inf")


def _message_time(name: str) -> float:
    """Read the time in a message's name, or :data:`_NO_TIME` where it is not the name of one."""
    try:
        parsed = MessageFileName.from_string(name)
        time = float(parsed.submitted_timestamp)
        # A name has one spelling, or the same message could lie there twice.
        if math.isfinite(time) and parsed.as_string() == name:
            return time
    except Exception:  # noqa: BLE001 - PySyft raises a plain Exception
        return _NO_TIME
    return _NO_TIME
