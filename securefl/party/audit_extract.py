"""Extract of a hospital's audit for one study's researcher: signed by the hospital, sealed to that
reader.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from securefl.errors import MessageError
from securefl.federation.study_board import MAX_EXTRACT, StudyBoard
from securefl.identity import IdentityCard, Verifier
from securefl.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.boards.board import Board
    from securefl.identity import Identity
    from securefl.study.schema import Study


@dataclass(frozen=True)
class AuditExtract(Statement):
    """One study's charges and releases at a hospital; ``extract`` is their JSON."""

    TYPE: ClassVar[str] = "securefl-audit-extract/1"
    WHAT: ClassVar[str] = "The extract"
    MAX_BYTES: ClassVar[int] = MAX_EXTRACT

    study: str
    site: str
    extract: str


def sealed_extract(
    found: Mapping[str, Any],
    digest: str,
    study: Study,
    signer: Identity,
) -> bytes:
    """Sign an extract and seal it to the study's coordinator.

    Args:
        found: what :func:`securefl.privacy.audit.extract` gave.
        digest: of the study.
        study: whose coordinator may read it.
        signer: the hospital.
    """
    site = signer.card.name
    signed = AuditExtract(digest, site, json.dumps(found)).dump(signer.sign)
    who = study.coordinator
    reader = IdentityCard(
        who.name,
        "researcher",
        who.legal_name,
        who.email,
        who.signing_public,
        who.sealing_public,
    )
    return reader.seal(signed, _info(digest, site))


def read_extract(
    board: Board,
    reader: Identity,
    digest: str,
    site: str,
    study: Study,
) -> dict[str, Any] | None:
    """The extract of one hospital, or None while it has not come.

    Raises:
        MessageError: not sealed to this reader, not signed by that hospital, or for another study.
    """
    signed = signed_extract(board, reader, digest, site)
    if signed is None:
        return None
    return open_extract(signed, digest, site, study)


def signed_extract(
    board: Board,
    reader: Identity,
    digest: str,
    site: str,
) -> bytes | None:
    """The extract as its hospital signed it, unsealed and unchecked; None while it has not come.

    Raises:
        MessageError: not sealed to this reader.
    """
    sealed = StudyBoard(board, digest).extract(site).read()
    if sealed is None:
        return None
    return reader.unseal(sealed, _info(digest, site))


def open_extract(
    signed: bytes,
    digest: str,
    site: str,
    study: Study,
) -> dict[str, Any]:
    """Check and read what :func:`signed_extract` gave.

    Raises:
        MessageError: not signed by that hospital, or for another study.
    """
    by_hospital = Verifier(site, study.participant(site).signing_public)
    said = AuditExtract.open(signed, verify=by_hospital, sender=site, site=site, study=digest)
    try:
        found = json.loads(said.extract)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise MessageError(
            f"The extract of {site} is not one.", whose=site, next_step=f"Ask {site} for its audit."
        )
    return found


def _info(digest: str, site: str) -> bytes:
    return f"securefl/extract/1/{digest}/{site}".encode()
