"""Peers on both sides: who asks, who is approved, and by which keys they are known."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import rfc8785

from securefl.datasite.address import check_email, site_name
from securefl.datasite.client import translated
from securefl.datasite.layout import INBOX, REVIEW
from securefl.datasite.models import Peer, PeerState
from securefl.datasite.pysyft import DATASET_COLLECTION_PREFIX, PERMISSION_FILE_NAME
from securefl.errors import UntrustedError, UsageError

if TYPE_CHECKING:
    from securefl.datasite.connection import FsspecConnection

_STATES: dict[str, PeerState] = {
    "accepted": "approved",
    "requested_by_me": "requested-by-me",
    "requested_by_peer": "requested-by-peer",
    "rejected": "refused",
}


def fingerprint(bundle: object) -> str:
    """SHA-256 (hex) of a party's PySyft keys in canonical JSON; empty where there are none."""
    if not isinstance(bundle, dict):
        return ""
    try:
        return hashlib.sha256(rfc8785.dumps(bundle)).hexdigest()
    except rfc8785.CanonicalizationError:
        return ""


def list_peers(client: Any, connection: FsspecConnection) -> tuple[Peer, ...]:  # noqa: ANN401 - PySyft is untyped
    """List all peers, approved ones first, then by address."""
    with translated("list the peers"):
        client.load_peers()
        store = client.peer_manager.peer_store
        listed = (
            *store.approved_peers,
            *store.requested_by_me_peers,
            *store.requested_by_peer_peers,
        )
        found = []
        for p in listed:
            # Pinned keys if there are any: those published since may be somebody else's.
            keys = p.public_encryption_bundle or _published(connection, p.email)
            found.append(Peer(p.email, _STATES[p.state.value], fingerprint(keys)))
        known = {p.email for p in found}
        refused = [
            Peer(email, "refused", fingerprint(_published(connection, email)))
            for email, entry in (connection._get_peers_json().items())  # noqa: SLF001 - PySyft's name for it
            if entry.get("state") == "rejected" and email not in known
        ]
    return tuple(sorted((*found, *refused), key=lambda p: (p.state != "approved", p.email)))


def request_peer(client: Any, email: str) -> None:  # noqa: ANN401 - PySyft is untyped
    """Ask another party to become a peer; asking again changes nothing."""
    check_email(email)
    if email == client.email:
        raise UsageError("A site cannot be its own peer.", next_step="Name another site.")
    with translated(f"ask {site_name(email)} to be a peer"):
        client.load_peers()
        client.add_peer(email, verbose=False, sync=False)


def approve_peer(client: Any, connection: FsspecConnection, email: str, expected: str) -> None:  # noqa: ANN401 - PySyft is untyped
    """Approve a party that asked, pinning the keys it is known by from now on.

    It is shown this site's data sets.

    Raises:
        UsageError: it did not ask, or published no keys.
        UntrustedError: its keys are not those expected.
    """
    check_email(email)
    peer = {p.email: p for p in list_peers(client, connection)}.get(email)
    if peer is None or peer.state == "requested-by-me":
        raise UsageError(
            f"{site_name(email)} has not asked to be a peer.",
            next_step="Wait for its request, or ask it to send one.",
        )
    if expected and peer.fingerprint != expected:
        raise UntrustedError(
            f"The PySyft keys of {site_name(email)} are not those expected:"
            f" {peer.fingerprint or 'none'}.",
            whose=site_name(email),
            next_step="Compare the fingerprint with its owner before approving.",
        )
    if peer.state == "approved":
        make_room(client, connection)
        return
    if not peer.fingerprint:
        raise UsageError(
            f"{site_name(email)} has published no keys.",
            whose=site_name(email),
            next_step="Ask it to send its request again.",
        )
    with translated(f"approve {site_name(email)}"):
        if peer.state == "refused":
            connection._update_peer_state(email, "requested_by_peer")  # noqa: SLF001 - PySyft's name for it
        client.approve_peer_request(email, verbose=False)
        make_room(client, connection)
        pinned = fingerprint(
            connection._get_peers_json().get(email, {}).get("public_encryption_bundle")  # noqa: SLF001 - PySyft's name for it
        )
    # PySyft reads the keys again as it pins them; whoever can write the store may have changed them
    # since they were compared.
    if pinned != peer.fingerprint:
        connection.drop_peer(email)
        raise UntrustedError(
            f"The PySyft keys of {site_name(email)} changed while it was being approved.",
            whose=site_name(email),
            next_step="Compare the fingerprint with its owner and approve again.",
        )


def make_room(client: Any, connection: FsspecConnection) -> None:  # noqa: ANN401 - PySyft is untyped
    """Give every approved peer of a hospital its folders and show it the data sets.

    Nothing is done where that is so. PySyft does it once, when a peer is approved. A process killed
    in between would leave a peer whose requests vanish.
    """
    if client.has_do_role:
        approved = [
            email
            for email, entry in connection._get_peers_json().items()  # noqa: SLF001 - PySyft's name for it
            if entry.get("state") == "accepted"
        ]
        tree = client.syftbox_folder / client.email
        for email in approved:
            rooms = (tree.joinpath(*room, email, PERMISSION_FILE_NAME) for room in (INBOX, REVIEW))
            if not all(room.exists() for room in rooms):
                client.job_client.setup_ds_job_folder_as_do(email)
        connection.share_with(DATASET_COLLECTION_PREFIX, approved)


def refuse_peer(client: Any, connection: FsspecConnection, email: str) -> None:  # noqa: ANN401 - PySyft is untyped
    """Refuse a party that asked, or end an approval.

    Its messages are read no more and it is shown no data set.
    """
    check_email(email)
    with translated(f"refuse {site_name(email)}"):
        connection.drop_peer(email)
        connection.unshare(email)
        client.load_peers()


def _published(connection: FsspecConnection, email: str) -> object:
    """Read the keys that a party published for this one, before they are pinned."""
    try:
        value = json.loads(connection.read_peer_encryption_bundle(email) or "null")
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    return value.get("public_encryption_bundle")
