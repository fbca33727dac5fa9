"""Log of an open ledger: read it, check it, append to it in one transaction.

What is appended, and when, is decided in :mod:`~securefl.privacy.ledger`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from securefl.errors import LedgerAlteredError, UnreadableError, UsageError
from securefl.identity import verify as verify_key
from securefl.privacy import ledger_events as ev
from securefl.privacy.ledger_chain import (
    Checkpoint,
    Head,
    follow_all,
    make_row,
    read_own,
    signed_message,
)
from securefl.privacy.ledger_events import RESTORE
from securefl.privacy.ledger_file import LedgerFile
from securefl.privacy.ledger_reading import read_rows
from securefl.privacy.ledger_state import LedgerState, apply
from securefl.privacy.ledger_witness import against_witness, read_witness, write_witness

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from securefl.types import Sign, Verify

_PROBE = signed_message("00" * 32)


def _readable(event: ev.Event) -> str:
    """Write an event's text, once it reads back as the same event.

    A row that could not be read would close the ledger for good.

    Raises:
        UsageError: it could not be read; nothing is written.
    """
    body = ev.dump_event(event)
    try:
        same = ev.load_event(body) == event
    except UnreadableError as error:
        raise UsageError(
            f"The ledger cannot note this {event.kind}: {error.what}", next_step="Mend that value."
        ) from error
    if not same:
        raise UsageError(
            f"The ledger cannot note this {event.kind}: it would be read as something else.",
            next_step="Mend its values.",
        )
    return body


class LedgerLog:
    """An open ledger. Use it in one thread and never across a fork.

    Args:
        file: the open file.
        sign: signs a row with the site's Ed25519 key.
        verify: checks a signature by the key that this reader trusts; after a rotation the old
            one's or the new one's.
        now: the time, UTC in ISO 8601, such as ``2026-01-31T12:00:00Z``.
    """

    def __init__(
        self,
        file: LedgerFile,
        *,
        sign: Sign,
        verify: Verify,
        now: Callable[[], str],
    ) -> None:
        self._file = file
        self._sign = sign
        self._verify = verify
        self._now = now
        self._head = Head()
        #: The key that ``sign`` was found to sign with.
        self._own_key = ""

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        site: str,
        key: str,
        sign: Sign,
        verify: Verify,
        now: Callable[[], str],
    ) -> Self:
        """Make a site's ledger with its genesis. ``key`` is the Ed25519 public key in hex.

        Raises:
            UsageError: something exists at ``path``, or the keys do not belong together.
            StoreError: the folder cannot be written.
        """
        genesis = ev.checked_event(ev.Genesis, {"at": now(), "site": site, "key": key})
        # A pair that does not fit would write a ledger that its own key cannot open.
        probe = sign(_PROBE)
        if not (verify(probe, _PROBE) and verify_key(key, probe, _PROBE)):
            raise UsageError(
                "The ledger's signing and verifying keys do not belong together.",
                next_step="Use one site's keys.",
            )

        def write(file: LedgerFile) -> None:
            made = cls(file, sign=sign, verify=verify, now=now)
            # No witness yet: the file has not reached its path.
            made._append(lambda _: [genesis], testify=False)

        LedgerFile.create(path, write)
        ledger = cls.open(path, sign=sign, verify=verify, now=now)
        ledger._testify()  # noqa: SLF001 - its own class
        return ledger

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        sign: Sign,
        verify: Verify,
        now: Callable[[], str],
    ) -> Self:
        """Open a ledger and check all of it.

        Raises:
            UnreadableError: missing, damaged or of another kind.
            LedgerAlteredError: naming the first bad event.
        """
        ledger = cls(LedgerFile.open(path), sign=sign, verify=verify, now=now)
        try:
            ledger.verify()
        except BaseException:
            ledger.close()
            raise
        return ledger

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def state(self) -> LedgerState:
        """State of the ledger now, events of other processes included.

        Raises:
            LedgerAlteredError: rows known before are gone, or new ones do not hold.
        """
        self._refresh()
        return self._head.state

    @property
    def size(self) -> int:
        """Number of events."""
        self._refresh()
        return self._head.size

    @property
    def head(self) -> str:
        """Hash of the last event."""
        self._refresh()
        return self._head.hash

    def events(self) -> tuple[ev.Event, ...]:
        """Read all events, each checked again from the file."""
        return read_rows(self._file.rows(), self._verify).require().events

    def verify(self, checkpoint: Checkpoint | None = None) -> Checkpoint:
        """Check the whole file again, and that it contains the past that ``checkpoint`` knows.

        Returns:
            What was found, as a checkpoint.

        Raises:
            LedgerAlteredError: naming the first bad event.
        """
        # The witness first: read afterwards it could know a commit that the rows read lack.
        words = read_witness(self._file.path)
        found = read_rows(self._file.rows(), self._verify)
        if checkpoint is not None:
            found = found.against(checkpoint)
        reading = against_witness(found, self._file.path, words).require()
        self._head = reading.at
        return Checkpoint(reading.at.state.site, reading.at.size, reading.at.hash)

    def contains(self, checkpoint: Checkpoint) -> bool:
        """True if this ledger has the past that a checkpoint of it knows.

        Quick, for a ledger that was checked when it was opened.
        """
        self._refresh()
        return (
            checkpoint.site == self._head.state.site
            and self._file.hash_at(checkpoint.size) == checkpoint.head
        )

    def read_own(self, data: bytes) -> Checkpoint:
        """Check a checkpoint of this ledger that somebody gives back.

        Raises as :func:`~securefl.privacy.ledger_chain.read_own`.
        """
        self._refresh()
        return read_own(data, self._head)

    def checkpoint(self) -> bytes:
        """Sign a checkpoint of now, for others to hold.

        :func:`~securefl.privacy.ledger_chain.read_checkpoint` reads it.

        Raises:
            UsageError: the key of this process was replaced; nothing that it signs now would count.
        """
        self._refresh()
        self._check_own_key()
        return Checkpoint(self._head.state.site, self._head.size, self._head.hash).dump(self._sign)

    def _append_one(self, kind: type[Any], **fields: object) -> None:
        """Append one event, whatever the state: the rules decide."""
        self._append(lambda _: [ev.checked_event(kind, {"at": self._now(), **fields})])

    def _append(
        self, decide: Callable[[LedgerState], list[ev.Event]], *, testify: bool = True
    ) -> list[ev.Event]:
        """Append the events that ``decide`` names in the light of the newest state.

        One transaction; returns what was written. ``testify`` renews the local witness.
        """
        with self._file.transaction():
            self._refresh()
            self._check_own_key()
            at = self._head
            events = decide(at.state)
            for event in events:
                body = _readable(event)
                state = apply(at.state, event)
                row = make_row(at, body, self._sign)
                self._file.insert(row)
                at = at.after(row, event, state, trusted=True)
        # Only after the commit: an error above leaves this object where the file is.
        self._head = at
        if testify and events:
            self._testify()
        return events

    def _testify(self) -> None:
        """Let the local witness know how far this ledger has come."""
        at = self._head
        write_witness(self._file.path, Checkpoint(at.state.site, at.size, at.hash).dump(self._sign))

    def _check_own_key(self) -> None:
        """Check that this process signs with the key now in force.

        A row by a key that was replaced meanwhile would spoil the chain.
        """
        key = self._head.state.key
        if key == self._own_key:
            return
        if not verify_key(key, self._sign(_PROBE), _PROBE):
            raise UsageError(
                "The keys that this process has read are not those that sign this ledger now: they"
                " were replaced.",
                whose="the data owner",
                next_step=(
                    "Repeat the command, or stop the agent and start it again. If `keys` came from"
                    " a backup, put back the one made after `securefl site rotate-key`."
                ),
            )
        self._own_key = key

    def _refresh(self) -> None:
        """Follow the rows that other processes wrote since, from the last one known."""
        self._file.check_in_place()
        # A file put back to an earlier state has another row there, or none.
        known = self._head
        if known.size and self._file.hash_at(known.size) != known.hash:
            raise LedgerAlteredError(
                f"Event {known.size} of the ledger: it was there before and is gone or changed.",
                next_step=f"Stop this hospital's agent and keep the file. {RESTORE}",
            )
        self._head = follow_all(self._file.rows(known.size), self._verify, known)
