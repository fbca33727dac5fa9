"""The public side of a data set, signed by its hospital: what researchers decide on is what the
hospital registered.

Everybody who writes to the store can replace a mock table, a description, a unit. So the hospital
signs one statement over all that it shows of a data set: its own name, the data set's, whose
patients they are, the declared columns with their ranges, levels and units, and the SHA-256 of the
mock table. The researcher opens it with the hospital's card. An older statement that the hospital
signed once still opens: the store can hold a change back, but make none.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from securefl.errors import MessageError, UnreadableError
from securefl.files import private_folder, replace_file
from securefl.signed import canonical, dump_signed, open_signed

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.identity import IdentityCard
    from securefl.node.site import Site
    from securefl.study.columns import DataSpec

TYPE = "securefl-dataset/2"
_FIELDS = frozenset({"site", "dataset", "population", "data", "mock_sha256"})
#: A few thousand columns; more is refused before it is parsed.
MAX_BYTES = 1 << 20
#: Of the file at home, which is not signed and never leaves as it is.
_AT_HOME = "securefl-dataset/1"


@dataclass(frozen=True)
class PublicSide:
    """A verified statement: whose patients they are, and the declared data (the fields of a study's
    ``[data]``).
    """

    population: str
    data: dict[str, Any]


def public_folder(site: Site, dataset: str) -> Path:
    """Where a data set's public files are kept at home."""
    return site.path / "public" / dataset


def keep_public(site: Site, spec: DataSpec, mock: bytes) -> None:
    """Keep a data set's public side: the declared columns and the mock table made from them."""
    folder = private_folder(public_folder(site, spec.dataset))
    description = canonical({"type": _AT_HOME, "site": site.name, **spec.model_dump(mode="json")})
    replace_file(folder / "description.json", description)
    replace_file(folder / "mock.csv", mock)


def registered(site: Site, dataset: str) -> dict[str, Any] | None:
    """The declared data as its owner registered them; None where nothing was kept.

    Raises:
        UnreadableError: the file is damaged.
    """
    file = public_folder(site, dataset) / "description.json"
    try:
        found = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or found.get("type") != _AT_HOME:
        raise UnreadableError(
            f"{file} is not the description of a data set.",
            next_step=f"Register it again: `securefl site data add {dataset} ...`",
        )
    return {key: value for key, value in found.items() if key not in {"type", "site"}}


def sign_public(site: Site, dataset: str) -> tuple[bytes, bytes] | None:
    """The signed statement and the mock table, as both travel; None where nothing was kept.

    Raises:
        UnreadableError: a file at home is damaged.
    """
    data = registered(site, dataset)
    file = public_folder(site, dataset) / "mock.csv"
    if data is None or not file.exists():
        return None
    mock = file.read_bytes()
    body = {
        "type": TYPE,
        "site": site.name,
        "dataset": dataset,
        "population": site.dataset(dataset).population,
        "data": data,
        "mock_sha256": hashlib.sha256(mock).hexdigest(),
    }
    return dump_signed(body, site.identity.sign), mock


def open_public(statement: bytes, mock: bytes, *, card: IdentityCard, dataset: str) -> PublicSide:
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
