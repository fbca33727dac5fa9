"""Interface to a table where a hospital keeps it, and the registry of its kinds.

The agent opens a source and hands the worker an open file: the worker has no network and no path.
Whatever the table is at home, that file is delimited text with a header line, so that rows are read
one by one and alike for all sources (rule 10).
"""

from __future__ import annotations

import hashlib
import hmac
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from securefl.learning.reading import USUAL, Reading
from securefl.registry import Registry
from securefl.sources.table_file import check_name

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path
    from types import TracebackType

    from securefl.learning.reading import DecimalSign, Separator
    from securefl.study.table_mapping import TableMapping


@dataclass(frozen=True)
class GivenReading:
    """Reading of a text table as its owner gives it.

    Attributes:
        encoding: of the text.
        separator: between values; None where the header line shows it.
        decimal: sign in decimal numbers; never guessed.
        mapping: of its names, spellings and units; None where there is none.
    """

    encoding: str = "utf-8"
    separator: Separator | None = None
    decimal: DecimalSign = "."
    mapping: TableMapping | None = None


@dataclass(frozen=True)
class OpenTable:
    """Table as it is handed to a worker: an open file of delimited text.

    A context manager that closes it.

    Attributes:
        descriptor: of a regular file, open for reading.
        reading: how its text is read.
        version: what :meth:`Source.version` gave for exactly this content.
    """

    descriptor: int
    reading: Reading
    version: tuple[int | str, ...] | None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self.descriptor)


@dataclass(frozen=True)
class Source(ABC):
    """A registered table.

    Attributes:
        path: the table's file, or the file that says where the table is.
        reading: how the text of :meth:`open` is read.
    """

    #: Its name in the registry and in a hospital's settings.
    kind: ClassVar[str]
    #: Endings of file names by which it is chosen, like ``".csv"``.
    suffixes: ClassVar[tuple[str, ...]] = ()

    path: Path
    reading: Reading = USUAL

    @classmethod
    def find(cls, path: Path, wanted: Collection[str], given: GivenReading) -> Self:  # noqa: ARG003 - for sources that are text
        """The source as its owner is about to register it.

        Args:
            path: as the owner names it.
            wanted: columns that it should have.
            given: how a text is read, as the owner says.

        Raises:
            DataError: it is no such table.
        """
        return cls(path)

    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in their order; no row is read.

        Raises:
            DataError: the table cannot be opened, or its columns have no names.
        """

    @abstractmethod
    def open(self) -> OpenTable:
        """The table as delimited text with a header line.

        Each record is written from one row alone, whatever the others hold (rule 10). Two calls on
        an unchanged table give the same bytes.

        Raises:
            DataError: it cannot be opened.
        """

    @abstractmethod
    def version(self) -> tuple[int | str, ...] | None:
        """Return something cheap that is another when the table changed; None where it is gone."""

    @property
    def words(self) -> str:
        """Say how the table is read, for its owner's screen."""
        return self.reading.words

    def content(self) -> bytes:
        """The whole text of :meth:`open`. Raises as that."""
        with self.open() as opened, os.fdopen(os.dup(opened.descriptor), "rb") as file:
            file.seek(0)
            return file.read()

    def fingerprint(self, key: bytes) -> str:
        """Keyed hash (hex) of the text of :meth:`open`.

        Nobody without the key can test a guessed table against it. Raises as :meth:`open`.
        """
        with self.open() as opened, os.fdopen(os.dup(opened.descriptor), "rb") as file:
            file.seek(0)
            return keyed_fingerprint(key, hashlib.file_digest(file, "sha256").hexdigest())


def keyed_fingerprint(key: bytes, sha256: str) -> str:
    """:meth:`Source.fingerprint` of a text whose SHA-256 (hex) is known."""
    message = b"securefl/snapshot/1\0" + bytes.fromhex(sha256)
    return hmac.new(key, message, hashlib.sha256).hexdigest()


#: Kinds of source by the name that settings carry.
SOURCES: Registry[type[Source]] = Registry("source", {"csv": "securefl.sources.csv:CsvSource"})
#: What a file is taken for whose name tells nothing.
USUAL_KIND = "csv"


def kind_of(path: Path) -> str:
    """The kind of source that a file's name tells."""
    for name in SOURCES.names():
        if path.suffix.lower() in SOURCES[name].suffixes:
            return name
    return USUAL_KIND


def find_source(path: Path, wanted: Collection[str], given: GivenReading) -> Source:
    """The table of that name, of the kind that its name tells. Raises as :meth:`Source.find`."""
    check_name(path)
    return SOURCES[kind_of(path)].find(path, wanted, given)
