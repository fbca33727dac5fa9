"""Signed statement over all that a hospital shows of a data set: what researchers decide on is what
the hospital registered.

Everybody who writes to the store can replace a mock table, a description, a unit. So the hospital
signs one statement: its own name, the data set's, whose patients they are, the declared columns
with their ranges, levels and units, and the SHA-256 of the mock table. The researcher opens it with
the hospital's card. An older statement that the hospital signed once still opens: the store can
hold a change back, but make none.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from securefl.errors import MessageError
from securefl.signed import dump_signed, open_signed

if TYPE_CHECKING:
    from securefl.identity import Identity, IdentityCard

TYPE = "securefl-dataset/2"
_FIELDS = frozenset({"site", "dataset", "population", "data", "mock_sha256"})
#: A few thousand columns; more is refused before it is parsed.
MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class PublicSide:
    """A verified statement: whose patients they are, and the declared data (the fields of a study's
    ``[data]``).
    """

    population: str
    data: dict[str, Any]


def signed_statement(
    signer: Identity,
    dataset: str,
    public: PublicSide,
    mock: bytes,
) -> bytes:
    """Sign a data set's public side, as it travels.

    Args:
        signer: the hospital.
        dataset: the data set's name.
        public: what is shown of it.
        mock: its mock table.
    """
    body = {
        "type": TYPE,
        "site": signer.card.name,
        "dataset": dataset,
        "population": public.population,
        "data": public.data,
        "mock_sha256": hashlib.sha256(mock).hexdigest(),
    }
    return dump_signed(body, signer.sign)


def open_public(
    statement: bytes,
    mock: bytes,
    *,
    card: IdentityCard,
    dataset: str,
) -> PublicSide:
    """Check what came from the store: the signature first, then that it is this data set and this
    mock table.

    Args:
        statement: as it came.
        mock: the mock table as it came.
        card: of the hospital under whose name both lie, as the researcher trusts it.
        dataset: the name under which they lie.

    Raises:
        MessageError: naming the hospital and the first check that failed.
    """
    body = open_signed(
        statement,
        kind=TYPE,
        fields=_FIELDS,
        verify=card.verify,
        sender=card.name,
        max_bytes=MAX_BYTES,
    )
    data = body["data"]
    wrong = None
    if body["site"] != card.name or body["dataset"] != dataset:
        wrong = "the statement is of another data set"
    elif body["mock_sha256"] != hashlib.sha256(mock).hexdigest():
        wrong = "the mock table is not the one that the hospital signed"
    elif (
        not isinstance(body["population"], str)
        or not isinstance(data, dict)
        or not _has_columns(data)
    ):
        wrong = "it names no population or no columns"
    if wrong:
        raise MessageError(
            f"The data set {dataset} of {card.name} is refused: {wrong}.",
            whose=card.name,
            next_step=(
                f"Ask {card.name} whether its agent runs; if it does, somebody who writes to the"
                " store changed the files."
            ),
        )
    return PublicSide(body["population"], data)


def _has_columns(data: dict[str, Any]) -> bool:
    columns = data.get("columns")
    if not isinstance(columns, list):
        return False
    return all(isinstance(c, dict) and isinstance(c.get("name"), str) for c in columns)
