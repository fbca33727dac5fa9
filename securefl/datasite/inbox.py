"""Guard in front of PySyft's inbox and of what a datasite tells a researcher.

PySyft 0.10 takes a message's sender from the message, and writes what it names wherever the sender
may write. Here a message passes only if

- it is signed by the keys pinned for the peer whose folder it lay in, and names that peer and this
  datasite;
- it is one whole, new request: files below ``app_data/job/inbox/<peer>/v1/<one new name>/``,
  canonical paths, no permission file, text only, within the caps of
  :mod:`securefl.datasite.layout`;
- its two scripts are ours (:mod:`securefl.datasite.entry`).

Nothing can be added to a request later, nothing existing changed, nothing deleted.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any, NoReturn

from securefl.datasite.entry import FIXED
from securefl.datasite.envelope import unpack
from securefl.datasite.layout import (
    INBOX,
    JOB_PROTOCOL,
    MAX_EVENTS,
    MAX_FILE,
    MAX_FILES,
    MAX_HEADER_FILE,
    MAX_JOBS_PER_SENDER,
    REVIEW,
    is_event_path,
    split_job_path,
)
from securefl.datasite.pysyft import (
    PERMISSION_FILE_NAME,
    FileChangeEventsMessage,
    ProposedFileChangesMessage,
)
from securefl.errors import MessageError

if TYPE_CHECKING:
    from pathlib import Path


class Guard:
    """Check of messages for one party, on their bytes.

    Args:
        me: this party's address.
        peers: PySyft's peer store: pinned keys, our private keys.
        tree: this party's own datasite folder inside PySyft's tree.
    """

    def __init__(self, me: str, peers: Any, tree: Path) -> None:  # noqa: ANN401 - PySyft is untyped
        self._me = me
        self._peers = peers
        self._tree = tree

    def request(self, sender: str, raw: bytes) -> bool:
        """Check a message from ``sender``'s inbox folder.

        False where that very request was taken in before: a process killed after taking in a
        request leaves the message behind, and one killed after sending sends it again.

        Raises:
            MessageError: with the reason; nothing of the message may be used.
        """
        message = self._parse(sender, raw, ProposedFileChangesMessage)
        if message.sender_email != sender:
            _refuse(sender, "it names another sender than the folder it lay in")
        changes = message.proposed_file_changes
        if not 0 < len(changes) <= MAX_FILES:
            _refuse(sender, f"it has no file, or more than {MAX_FILES}")
        jobs: set[str] = set()
        files: dict[str, str] = {}
        for change in changes:
            split = split_job_path(change.path_in_datasite.as_posix(), sender)
            if split is None or change.path_in_datasite.name == PERMISSION_FILE_NAME:
                _refuse(sender, "it writes outside the sender's own inbox")
            jobs.add(split[0])
            files["/".join(split[1])] = self._text_of(sender, change)
        if len(jobs) != 1 or len(files) != len(changes):
            _refuse(sender, "it is not one request, or names a file twice")
        self._check_whole(sender, files)
        return self._check_new(sender, jobs.pop(), files)

    def events(
        self,
        peer: str,
        filename: str,
        raw: bytes,
    ) -> None:
        """Check a message from the datasite ``peer`` to this researcher, found under ``filename``.

        Raises:
            MessageError: with the reason; nothing of the message may be used.
        """
        message = self._parse(peer, raw, FileChangeEventsMessage)
        if message.message_filepath.as_string() != filename:
            _refuse(peer, "it was written under another name")
        if not 0 < len(message.events) <= MAX_EVENTS:
            _refuse(peer, f"it has no event, or more than {MAX_EVENTS}")
        for event in message.events:
            if event.datasite_email != peer:
                _refuse(peer, "it speaks for another datasite")
            if not is_event_path(event.path_in_datasite.as_posix(), self._me):
                _refuse(peer, "it writes outside this researcher's requests")
            _check_times(peer, event.timestamp, event.submitted_timestamp)
            if not event.is_deleted:
                _check_text(peer, event.content)

    def _parse(self, sender: str, raw: bytes, kind: Any) -> Any:  # noqa: ANN401 - PySyft is untyped
        """Verify and decrypt, unpack within limits, parse with PySyft's own model.

        The keys are those pinned for ``sender``.
        """
        # Without pinned keys PySyft would take the message in plain, from anybody.
        if not (self._peers.peer_uses_encryption(sender) and self._peers.has_peer_bundle(sender)):
            _refuse(sender, "no keys are pinned for this peer")
        try:
            packed = self._peers.decrypt_and_verify_if_needed(sender, raw)
        except Exception:  # noqa: BLE001 - PySyft's cryptography raises its own kinds
            _refuse(sender, "it is not signed by this peer, not made for this party, or altered")
        plain = unpack(packed)
        try:
            return kind.model_validate_json(plain)
        except Exception:  # noqa: BLE001 - validators of PySyft raise whatever they trip over
            _refuse(sender, "it is not a message of the pinned PySyft")

    def _text_of(self, sender: str, change: Any) -> str:  # noqa: ANN401 - PySyft is untyped
        """Return the text of a new file of this datasite; a change of an old one is refused."""
        if change.datasite_email != self._me:
            _refuse(sender, "it is addressed to another datasite")
        if change.is_deleted or change.old_hash is not None:
            _refuse(sender, "it changes or deletes something")
        _check_times(sender, change.submitted_timestamp)
        text = _check_text(sender, change.content)
        if change.new_hash != hashlib.sha256(text.encode()).hexdigest():
            _refuse(sender, "a hash does not fit its file")
        return text

    def _check_whole(self, sender: str, files: dict[str, str]) -> None:
        """Check that a request has its code, its two fixed scripts and its header, and no more."""
        inside_code = [path for path in files if path.startswith("code/")]
        if len(inside_code) + 2 != len(files) or not {"config.yaml", "run.sh"} <= set(files):
            _refuse(sender, "it is not a request with code, run.sh and config.yaml")
        if len(files["config.yaml"].encode()) > MAX_HEADER_FILE:
            _refuse(sender, f"config.yaml is longer than {MAX_HEADER_FILE} bytes")
        if any(files.get(path) != text for path, text in FIXED.items()):
            _refuse(sender, "its scripts are not those of a securefl request")

    def _check_new(
        self,
        sender: str,
        job: str,
        files: dict[str, str],
    ) -> bool:
        """True for a new request, False for the very one that is here; another one is refused."""
        inbox = self._tree.joinpath(*INBOX, sender, JOB_PROTOCOL)
        review = self._tree.joinpath(*REVIEW, sender, JOB_PROTOCOL)
        # config.yaml carries the time of sending and is not read by securefl.
        texts = {path: text for path, text in files.items() if path != "config.yaml"}
        same = all(_holds(inbox / job / path, text) for path, text in texts.items())
        if (inbox / job).exists() and same:
            return False
        # A reviewed request whose files are gone is not new either.
        if (inbox / job).exists() or (review / job).exists():
            _refuse(sender, "a request of that name is already there")
        if inbox.exists() and sum(1 for _ in inbox.iterdir()) >= MAX_JOBS_PER_SENDER:
            _refuse(sender, f"this peer has {MAX_JOBS_PER_SENDER} requests here already")
        return True


def _holds(path: Path, text: str) -> bool:
    """True if a file has exactly this text."""
    return path.is_file() and path.read_bytes() == text.encode()


def _check_text(sender: str, content: object) -> str:
    """Return a file's content, if it is text within the cap."""
    if not isinstance(content, str):
        _refuse(sender, "it holds a file that is not text")
    try:
        size = len(content.encode())
    except UnicodeEncodeError:
        _refuse(sender, "it holds a file that is not text")
    if "\0" in content or size > MAX_FILE:
        _refuse(sender, f"it holds a file that is not text, or longer than {MAX_FILE} bytes")
    return content


def _check_times(sender: str, *times: float) -> None:
    """Check that times are numbers that a calendar has."""
    # PySyft writes a NaN to its log as null and cannot read its own log afterwards.
    if not all(math.isfinite(t) and 0 <= t < 2**40 for t in times):
        _refuse(sender, "it carries no possible time")


def _refuse(sender: str, reason: str) -> NoReturn:
    """Refuse a message in its sender's name."""
    raise MessageError(
        f"A message was refused: {reason}.",
        whose=sender,
        next_step="Nothing of it was used; it lies in quarantine.",
    )
