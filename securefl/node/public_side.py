"""Public side of the data sets at home: the declared columns and the mock table, kept and signed
(:mod:`securefl.party.dataset_statement`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from securefl.errors import UnreadableError
from securefl.files import private_folder, replace_file
from securefl.party.dataset_statement import PublicSide, signed_statement
from securefl.signed import canonical

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.node.site import Site
    from securefl.study.columns import DataSpec

#: Of the file at home, which is not signed and never leaves as it is.
_AT_HOME = "securefl-dataset/1"


def public_folder(site: Site, dataset: str) -> Path:
    """Folder of a data set's public files at home."""
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
    public = PublicSide(site.dataset(dataset).population, data)
    return signed_statement(site.identity, dataset, public, mock), mock
