"""Hash chain under the ledger, each row signed.

Each row's hash covers its number, the hash before it and its text. An edited, exchanged, inserted
or removed row in the middle breaks the chain; a row written by somebody else lacks the site's
signature. The key is that of the genesis event, then that of the last rotation; a reader trusts the
whole when the key in its hand signed rows of it, or took over at a row of it. A removed tail leaves
a valid chain behind: only a :class:`Checkpoint` held elsewhere shows it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from securefl.errors import LedgerAlteredError, MessageError, SecureFLError, UntrustedError
from securefl.identity import verify as verify_key
from securefl.privacy.ledger_events import RESTORE, Event, NewerEventError, Rotate, load_event
from securefl.privacy.ledger_state import LedgerState, apply
from securefl.signed import dump_signed, open_signed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from securefl.types import Sign, Verify

#: Ed25519 by the site's key: ``sign(message) -> 64 bytes`` and ``verify(signature, message) ->
#: bool``.

#: What stands in ``prev`` of the first row.
NO_HASH = "0" * 64
_ROW = b"securefl-ledger-row/1\n"
_SIGNATURE = b"securefl-ledger-signature/1\n"
_ROTATION = b"securefl-ledger-rotation/1\n"
_CHECKPOINT = "securefl-checkpoint/1"
#: The type of a signed checkpoint, and its fields.
CHECKPOINT_FORM = {_CHECKPOINT: frozenset({"site", "size", "head"})}
_NOT_OURS = "its signature is not by this hospital's key"
_RESTORE = f"Stop this hospital's agent and keep the file for whoever examines it. {RESTORE}"


@dataclass(frozen=True)
class Row:
    """One row as it is stored: hashes and signature in lower-case hex, ``body`` canonical JSON."""

    seq: int
    prev: str
    body: str
    hash: str
    signature: str


@dataclass(frozen=True)
class Head:
    """State of a chain as far as it was followed: number of rows, last hash, and what they mean."""

    size: int = 0
    hash: str = NO_HASH
    state: LedgerState = LedgerState()  # noqa: RUF009 - immutable
    #: Whether the key that the reader trusts has signed or vouched for this chain.
    trusted: bool = False
    #: Number of the row in which each replaced key ended, in the order of ``state.keys``: the last
    #: row that it signed.
    ended: tuple[int, ...] = ()

    def after(
        self,
        row: Row,
        event: Event,
        state: LedgerState,
        *,
        trusted: bool,
    ) -> Head:
        """Return the head one row on."""
        ended = self.ended
        if isinstance(event, Rotate):
            # The old key signed this row, and nothing after it.
            ended = (*ended, row.seq)
        return Head(row.seq, row.hash, state, trusted, ended)


def row_hash(seq: int, prev: str, body: str) -> str:
    """SHA-256 (hex) over label, row number, previous hash and body, each on its line.

    The body comes last: it is the only part whose length is not fixed by its form.
    """
    return hashlib.sha256(_ROW + f"{seq}\n{prev}\n{body}".encode()).hexdigest()


def signed_message(digest: str) -> bytes:
    """Return the bytes that a row's signature covers."""
    return _SIGNATURE + bytes.fromhex(digest)


def make_row(head: Head, body: str, sign: Sign) -> Row:
    """Make the next row after ``head``."""
    seq = head.size + 1
    digest = row_hash(seq, head.hash, body)
    return Row(seq, head.hash, body, digest, sign(signed_message(digest)).hex())


def _altered(seq: int, why: str) -> LedgerAlteredError:
    """Make the error of an event that does not hold."""
    return LedgerAlteredError(f"Event {seq} of the ledger: {why}.", next_step=_RESTORE)


def _newer(seq: int) -> NewerEventError:
    """Make the error of an event that says more than this version knows."""
    return NewerEventError(
        f"Event {seq} of the ledger is signed with this hospital's key, and of a form that this"
        " version of securefl does not know: a newer one wrote it.",
        whose="this machine's operator",
        next_step=(
            "Install the newer version again. Put no older ledger back: it has forgotten what was"
            " spent since."
        ),
    )


def follow(head: Head, row: Row, verify: Verify) -> tuple[Head, Event]:
    """Check one row against the chain so far and apply its event.

    Raises:
        NewerEventError: a newer version wrote it, and the reader's own key signed it.
        LedgerAlteredError: naming the row and the first check that failed.
    """
    seq = head.size + 1
    if row.seq != seq:
        raise _altered(seq, "it is missing")
    if row.prev != head.hash:
        raise _altered(seq, "it does not follow the event before it")
    if row.hash != row_hash(seq, row.prev, row.body):
        raise _altered(seq, "its text is not what was signed")
    message = signed_message(row.hash)
    signature = _hex(row.signature)
    # From the second row on the key is known, and nothing is parsed that it did not sign.
    if head.size:
        _check_signature(seq, head.state.key, signature, message)
    try:
        event = load_event(row.body)
        state = apply(head.state, event)
    except SecureFLError as error:
        if isinstance(error, NewerEventError) and head.trusted:
            # Signed above, in its place in the chain: no alteration. An owner who went back to an
            # older version must not be told to put an older ledger back.
            raise _newer(seq) from error
        raise _altered(seq, f"it breaks the ledger's rules ({error.what})") from error
    # The genesis names the key that signs it; if that is this site's, `trusted` says.
    if not head.size:
        _check_signature(seq, state.key, signature, message)
    trusted = head.trusted or verify(signature, message)
    if isinstance(event, Rotate):
        proof = _hex(event.proof)
        vouched = rotation_message(head, event.key)
        _check_signature(seq, event.key, proof, vouched)
        # A reader who only holds the new key trusts what it vouched for when it took over.
        trusted = trusted or verify(proof, vouched)
    return head.after(row, event, state, trusted=trusted), event


def _hex(text: str) -> bytes:
    """Read hex; what is none becomes a signature that no key has made."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _check_signature(
    seq: int,
    key: str,
    signature: bytes,
    message: bytes,
) -> None:
    if not verify_key(key, signature, message):
        raise _altered(seq, _NOT_OURS)


def rotation_message(head: Head, new: str) -> bytes:
    """Return the bytes that a new key (hex) signs to take over after ``head``.

    Site, old key, new key, the row's number and the hash before it. The place counts: were the old
    key alone to vouch for what came before, a thief of it could write another past and put the
    genuine proof after it.
    """
    return (
        _ROTATION
        + f"{head.state.site}\n{head.state.key}\n{new}\n{head.size + 1}\n{head.hash}".encode()
    )


def require_trust(head: Head) -> None:
    """Check that the key which the reader holds signed or vouched for this chain.

    Raises:
        LedgerAlteredError: another key did.
    """
    if head.size and not head.trusted:
        raise _altered(1, _NOT_OURS)


def follow_all(rows: Iterable[Row], verify: Verify, head: Head | None = None) -> Head:
    """Check rows in order, from the first one or from ``head``.

    Raises:
        LedgerAlteredError: naming the first bad row, or an approval whose reservation is missing at
            the end, or a chain by another key.
    """
    at = head or Head()
    for row in rows:
        at, _ = follow(at, row, verify)
    require_trust(at)
    if at.state.pending is not None:
        raise _altered(at.size + 1, "it is missing: an approval stands without its reservation")
    return at


@dataclass(frozen=True)
class Checkpoint:
    """The ledger had ``size`` rows and ended in ``head``.

    Held by the others, it shows a cut or restored ledger.
    """

    site: str
    size: int
    head: str

    def dump(self, sign: Sign) -> bytes:
        """Write the checkpoint as it travels: a signed statement (:mod:`securefl.signed`)."""
        return dump_signed({"type": _CHECKPOINT, **self.__dict__}, sign)


def read_checkpoint(data: bytes, *, site: str, verify: Verify) -> Checkpoint:
    """Check a checkpoint that came back from elsewhere.

    Raises:
        MessageError: not a checkpoint of this site signed by its key.
    """
    body = open_signed(
        data,
        kind=_CHECKPOINT,
        fields=CHECKPOINT_FORM[_CHECKPOINT],
        verify=verify,
        sender=site,
        max_bytes=4096,
    )
    size = body["size"]
    head = body["head"]
    is_count = isinstance(size, int) and not isinstance(size, bool) and size >= 1
    if body["site"] != site or not is_count or not isinstance(head, str):
        raise MessageError(
            f"This is not a checkpoint of {site}'s ledger.",
            whose=site,
            next_step="Use one that this site signed.",
        )
    return Checkpoint(site, size, head)


def read_own(data: bytes, head: Head) -> Checkpoint:
    """Check a checkpoint of this very ledger that somebody gave back.

    It is read by the key that was in force when it was made.

    Raises:
        MessageError: not a checkpoint of this ledger that one of its keys signed.
        UntrustedError: by a replaced key, and about events after its end: whoever has that key made
            it up, or this ledger was put back to an earlier state before the key was replaced.
    """
    site = head.state.site
    # Replaced keys first, each with the row in which it ended. The last key has no end yet.
    for key, end in zip(head.state.keys, head.ended, strict=False):
        try:
            found = read_checkpoint(data, site=site, verify=partial(verify_key, key))
        except MessageError:
            continue
        if found.size < end:
            return found
        raise UntrustedError(
            f"A checkpoint of {found.size} events is signed by a key of {site} that was replaced at"
            f" event {end}: somebody who has that key wrote it, or this ledger was put back before"
            " the change and has forgotten events.",
            whose="the data owner",
            next_step=(
                "If this hospital's folder was ever put back from a backup, run nothing and put the"
                " newest ledger back. If not, find out who has a copy of the old keys."
            ),
        )
    return read_checkpoint(data, site=site, verify=partial(verify_key, head.state.key))


def check_against(checkpoint: Checkpoint, site: str, hashes: Sequence[str]) -> None:
    """Check that a ledger with these row hashes contains the checkpoint's past.

    Raises:
        LedgerAlteredError: the ledger is shorter than the checkpoint, or had another past.
    """
    if checkpoint.site != site:
        raise LedgerAlteredError(
            f"The checkpoint is of {checkpoint.site}, the ledger of {site}.",
            next_step="Use this site's checkpoint.",
        )
    if checkpoint.size > len(hashes):
        raise _altered(
            len(hashes) + 1,
            f"it is missing: a checkpoint held elsewhere knows {checkpoint.size} events, the ledger"
            f" ends after {len(hashes)}",
        )
    if hashes[checkpoint.size - 1] != checkpoint.head:
        raise _altered(
            checkpoint.size,
            "it is not the one that a checkpoint held elsewhere knows: the ledger was rewritten",
        )
