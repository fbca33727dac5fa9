"""Tables as CSV files, or any other delimited text: read where they lie, as their owner said."""

from __future__ import annotations

import codecs
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final, Self

from securefl.errors import DataError
from securefl.learning.reading import (
    FIRST_BYTES,
    Reading,
    check_kind,
    likely_encoding,
    require_encoding,
    said_separator,
)
from securefl.learning.table import header_names, reading_of
from securefl.sources.source import OpenTable, Source
from securefl.sources.table_file import table_descriptor

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from securefl.sources.source import GivenReading

_AS_CSV: Final = "Save the table as CSV: UTF-8 text, the columns' names in the first line."


@dataclass(frozen=True)
class CsvSource(Source):
    """A file of delimited text. The file itself is handed to the worker."""

    kind: ClassVar[str] = "csv"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".txt")

    @classmethod
    def find(
        cls,
        path: Path,
        wanted: Collection[str],
        given: GivenReading,
    ) -> Self:
        """Read as its owner says; where the separator is not said, as its first line shows.

        Raises:
            DataError: it is no delimited text, or not in the encoding.
        """
        start = _first_bytes(path)
        name = str(path)
        check_kind(start[:16], name)
        encoding = require_encoding(given.encoding)
        names = wanted
        if given.mapping is not None:
            names = [given.mapping.origin(name) for name in wanted]
        reading = reading_of(start, names, encoding=encoding, decimal=given.decimal)
        if given.separator is not None:
            reading = Reading(encoding, given.separator, given.decimal)
        reading = replace(reading, mapping=given.mapping)
        _check_text(start, name, encoding)
        return cls(path, reading)

    def columns(self) -> tuple[str, ...]:
        """See :class:`Source`; only the first bytes are read."""
        return header_names(_first_bytes(self.path), self.reading)

    def open(self) -> OpenTable:
        """See :class:`Source`."""
        descriptor = table_descriptor(self.path)
        return OpenTable(descriptor, self.reading, _version(os.fstat(descriptor)))

    def version(self) -> tuple[int | str, ...] | None:
        """See :class:`Source`."""
        try:
            return _version(self.path.stat())
        except OSError:
            return None


def _version(found: os.stat_result) -> tuple[int | str, ...]:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _first_bytes(path: Path) -> bytes:
    """The header line and some records. Raises as :func:`table_descriptor`."""
    with os.fdopen(table_descriptor(path), "rb") as file:
        return file.read(FIRST_BYTES)


def _check_text(start: bytes, name: str, encoding: str) -> None:
    """Refuse a header line that is no text in the encoding, and say in which it could be."""
    lines = start.removeprefix(codecs.BOM_UTF8).splitlines()
    header = b"\n".join(lines[: 2 if lines and said_separator(lines[0]) else 1])
    try:
        text = header.decode(encoding)
    except UnicodeDecodeError:
        likely = likely_encoding(header)
        if likely is None or any(byte < 0x20 and byte not in b"\t\r\n" for byte in header):
            raise DataError(
                f"{name} is no CSV table: it is not text in {encoding.upper()}.", next_step=_AS_CSV
            ) from None
        raise DataError(
            f"{name} is not text in {encoding.upper()}; its first line could be text in {likely}.",
            next_step=(
                f"Register it with --encoding {likely} and look at the names, or save it as UTF-8."
            ),
        ) from None
    if any(sign < " " and sign not in "\t\r\n" for sign in text):
        raise DataError(
            f"{name} is no CSV table: it is not text in {encoding.upper()}.", next_step=_AS_CSV
        )
