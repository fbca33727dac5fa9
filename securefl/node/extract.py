"""What a hospital tells the researcher of a study at its end: the extract of its audit, signed, and
sealed to that reader.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from securefl.errors import MessageError
from securefl.federation import paths
from securefl.identity import IdentityCard, verify
from securefl.party.outbox import post
from securefl.privacy.audit import extract
from securefl.signed import dump_signed, open_signed

if TYPE_CHECKING:
    from securefl.boards.board import Board
    from securefl.identity import Identity
    from securefl.node.site import Site
    from securefl.study.schema import Study

TYPE = "securefl-audit-extract/1"
#: A study has at most thousands of releases of some hundred bytes each.
MAX_BYTES = 8 * 1024 * 1024


def publish_extract(site: Site, digest: str, study: Study) -> None:
    """Put this study's charges and releases into the store; no other study, no share of the budget."""
    found = extract(site.ledger.events(), digest)
    # the same in two studies, it would tell their researcher whether a single record changed in
    # between
    found["dataset"]["snapshot"] = site.keyed(f"extract/{digest}/{found['dataset']['snapshot']}")
    text = json.dumps(found)
    signed = dump_signed(
        {"type": TYPE, "study": digest, "site": site.name, "extract": text}, site.identity.sign
    )
    who = study.coordinator
    reader = IdentityCard(
        who.name, "researcher", who.legal_name, who.email, who.signing_public, who.sealing_public
    )
    post(site, paths.extract(digest, site.name), reader.seal(signed, _info(digest, site.name)))


def read_extract(
    board: Board, reader: Identity, digest: str, site: str, study: Study
) -> dict[str, Any] | None:
    """The extract of one hospital, or None while it has not come.

    Raises:
        MessageError: not sealed to this reader, not signed by that hospital, or for another study.
    """
    sealed = board.read(paths.extract(digest, site), MAX_BYTES)
    if sealed is None:
        return None
    key = study.participant(site).signing_public
    signed = reader.unseal(sealed, _info(digest, site))
    body = open_signed(
        signed,
        kind=TYPE,
        fields=frozenset({"study", "site", "extract"}),
        verify=lambda s, m: verify(key, s, m),
        sender=site,
        max_bytes=MAX_BYTES,
    )
    try:
        found = json.loads(str(body["extract"]))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise MessageError(
            f"The extract of {site} is not one.", whose=site, next_step=f"Ask {site} for its audit."
        )
    return found


def _info(digest: str, site: str) -> bytes:
    return f"securefl/extract/1/{digest}/{site}".encode()
