"""Mappings of this hospital's tables, each in a file that it signs for itself.

The ledger names the one in force (:mod:`securefl.node.own_signed`): one that was altered, taken
away or put back from last year is a fault of every request on its table.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from securefl.node.own_signed import OwnSigned
from securefl.study.table_mapping import MAX_MAPPING_BYTES, made_mapping

if TYPE_CHECKING:
    from securefl.node.site import Site
    from securefl.study.table_mapping import TableMapping

#: Letters for hexadecimal digits: the ledger's names of files have no figures.
_LETTERS: Final = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
_MEND: Final = (
    "Look at what it should say, then sign it again with `securefl site data map {name} --file"
    " FILE`; the same file may be signed again at any time."
)


def mapping_file(dataset: str) -> OwnSigned:
    """The file of a data set's mapping.

    A data set's name may hold letters that the ledger's names of files do not have, so the file is
    called by its hash.
    """
    hashed = hashlib.sha256(dataset.encode()).hexdigest()[:24].translate(_LETTERS)
    return OwnSigned(
        f"mapping-{hashed}.signed", "securefl-own-mapping/1", "mapping", 2 * MAX_MAPPING_BYTES
    )


def kept_mapping(site: Site, dataset: str) -> TableMapping | None:
    """The mapping of a data set; None where its owner declared none.

    Raises:
        UnreadableError: the file is not signed by this hospital's key or for this data set, is gone
            although the ledger says that it is in force, or is an older one.
    """

    def made(content: Any) -> TableMapping:  # noqa: ANN401 - what JSON holds
        if content["dataset"] != dataset:
            raise ValueError("it is another data set's")
        return made_mapping(content["mapping"])

    return mapping_file(dataset).read(
        site,
        made,
        broken=f"is not a mapping of '{dataset}' that this hospital signed.",
        next_step=_MEND.format(name=dataset),
    )


def keep_mapping(site: Site, dataset: str, mapping: TableMapping) -> None:
    """Sign a mapping and keep it; the one before is replaced."""
    mapping_file(dataset).keep(site, _content(dataset, mapping))


def drop_mapping(site: Site, dataset: str) -> bool:
    """Take a mapping away; False where there was none."""
    return mapping_file(dataset).drop(site)


def in_force(site: Site, dataset: str, mapping: TableMapping) -> bool:
    """True where the ledger names exactly this mapping, whatever happened to its file."""
    return mapping_file(dataset).names(site, _content(dataset, mapping))


def _content(dataset: str, mapping: TableMapping) -> dict[str, Any]:
    return {"dataset": dataset, "mapping": mapping.content()}
