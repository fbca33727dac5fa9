"""Extract of a hospital's audit for one study's researcher: signed by the hospital, sealed to that
reader.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from securefl.errors import MessageError
from securefl.federation.study_board import MAX_EXTRACT, StudyBoard
from securefl.identity import IdentityCard, verify
from securefl.signed import dump_signed, open_signed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.boards.board import Board
    from securefl.identity import Identity
    from securefl.study.schema import Study

TYPE = "securefl-audit-extract/1"


def sealed_extract(found: Mapping[str, Any], digest: str, study: Study, signer: Identity) -> bytes:
    """Sign an extract and seal it to the study's coordinator.

    Args:
        found: what :func:`securefl.privacy.audit.extract` gave.
        digest: of the study.
        study: whose coordinator may read it.
        signer: the hospital.
    """
    site = signer.card.name
    signed = dump_signed(
        {"type": TYPE, "study": digest, "site": site, "extract": json.dumps(found)}, signer.sign
    )
    who = study.coordinator
    reader = IdentityCard(
        who.name, "researcher", who.legal_name, who.email, who.signing_public, who.sealing_public
    )
    return reader.seal(signed, _info(digest, site))


def read_extract(
    board: Board, reader: Identity, digest: str, site: str, study: Study
) -> dict[str, Any] | None:
    """The extract of one hospital, or None while it has not come.

    Raises:
        MessageError: not sealed to this reader, not signed by that hospital, or for another study.
    """
    sealed = StudyBoard(board, digest).extract(site).read()
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
        max_bytes=MAX_EXTRACT,
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
