"""Interface to a table that is no text at home, and the registry of its kinds.

A spreadsheet, a database, a folder of records: the owner's own command takes the table out of it
and keeps it as text in the hospital's folder. That text is what studies read. An agent never
asks a database while a study runs, and how long a query takes tells nobody how many rows there are
(rule 1).
"""

from __future__ import annotations

import tomllib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, TypeVar

from pydantic import ValidationError

from securefl.errors import DataError, UnreadableError
from securefl.files import read_given
from securefl.registry import Registry
from securefl.study.fields import Section, tuples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

S = TypeVar("S", bound=Section)

#: A description of a query or a mapping is a page of text, not a table.
_LONGEST_DESCRIPTION: Final = 1 << 20


@dataclass(frozen=True)
class Origin(ABC):
    """Table that is no delimited text where it is kept.

    Attributes:
        path: the file that the owner names: the table, or what says where it is.
        sheet: the part of it that is meant; empty where there is one only.
    """

    #: Its name in the registry.
    kind: ClassVar[str]
    #: Endings of file names by which it is chosen.
    suffixes: ClassVar[tuple[str, ...]] = ()
    #: First line of a description (TOML) by which it is chosen; empty for a file that is the table.
    schema: ClassVar[str] = ""

    path: Path
    sheet: str = ""

    @abstractmethod
    def read(self) -> Iterator[Sequence[object]]:
        """Yield the columns' names, then the records, one by one.

        A value follows from its own cell, whatever the others hold (rule 10). The order is that in
        which the table gives them, so an unchanged table gives the same records again.

        Raises:
            DataError: it is no such table, it cannot be reached, or a package is not installed.
        """

    @property
    @abstractmethod
    def words(self) -> str:
        """Say what the table is taken out of, for its owner's screen: no password is in it."""


#: Kinds of origin by name; nothing of one is imported until a table of that kind is met.
ORIGINS: Registry[type[Origin]] = Registry(
    "origin",
    {
        "excel": "securefl.origins.excel:ExcelOrigin",
        "fhir": "securefl.origins.fhir:FhirOrigin",
        "images": "securefl.origins.images:ImagesOrigin",
        "parquet": "securefl.origins.parquet:ParquetOrigin",
        "signals": "securefl.origins.signals:SignalsOrigin",
        "sql": "securefl.origins.sql:SqlOrigin",
    },
)


def origin_of(path: Path, sheet: str = "") -> Origin | None:
    """The table that a file's name or first line tells; None for a text table.

    Raises:
        DataError: a part is named, and the file has none.
    """
    suffix = path.suffix.lower()
    schema = _schema_of(path) if suffix == ".toml" else ""
    for name in ORIGINS.names():
        kind = ORIGINS[name]
        if suffix in kind.suffixes or (schema and schema == kind.schema):
            return kind(path, sheet)
    if sheet:
        raise DataError(
            f"{path.name} has no sheets: it is a text table.",
            next_step="Leave --sheet away, or name the spreadsheet.",
        )
    return None


def described(path: Path, kind: type[S], noun: str) -> S:
    """Read a file that describes where a table is.

    Args:
        path: of the file.
        kind: its tables and keys.
        noun: what it is, for a refusal.

    Raises:
        DataError: it cannot be read, or says something else.
    """
    try:
        return kind.model_validate(tuples(tomllib.loads(_text(path).decode())))
    except (ValidationError, ValueError) as error:
        raise DataError(
            f"{path.name} is no {noun}: {_fault(error)}.",
            next_step="docs/data-owner.md shows such a file.",
        ) from None


def not_installed(package: str, extra: str) -> DataError:
    """Tell which package is needed, and how it comes."""
    return DataError(
        f"To read this table, {package} is needed, and it is not installed here.",
        whose="this machine's operator",
        next_step=(
            f"pip install 'securefl[{extra}]', or save the table as CSV and register that file."
        ),
    )


def _text(path: Path) -> bytes:
    """The bytes of a description. Raises :class:`DataError`."""
    try:
        text = read_given(path, _LONGEST_DESCRIPTION)
    except UnreadableError as error:
        raise DataError(error.what, next_step=error.next_step) from None
    if len(text) > _LONGEST_DESCRIPTION:
        raise DataError(
            f"{path.name} is too long for a description of a table.",
            next_step="Name the file that says where the table is.",
        )
    return text


def _fault(error: Exception) -> str:
    """The first fault in a description: its place and what is wrong there."""
    if not isinstance(error, ValidationError):
        return str(error).splitlines()[0].rstrip(".")
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg'].lower()}" if place else first["msg"].lower()


def _schema_of(path: Path) -> str:
    """The schema that a description names in its first lines; empty where it names none."""
    for line in _text(path)[:4096].decode("utf-8", errors="replace").splitlines():
        name, sign, value = line.partition("=")
        if sign and name.strip() == "schema":
            return value.split("#")[0].strip().strip("\"'")
    return ""
