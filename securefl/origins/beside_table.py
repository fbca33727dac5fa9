"""Files in a folder, named by a table: pictures and signals become columns of numbers.

A description (TOML) names the table, its column of file names and the folder. Each record becomes the
table's other columns and the numbers of its own file, whatever the others hold (rule 10). A file
that is missing, or is none of its kind, leaves its numbers empty: that row is set aside later.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeVar

from pydantic import Field, StringConstraints

from securefl.errors import DataError
from securefl.learning.table import read_table
from securefl.origins.backbone import Backbone
from securefl.origins.origin import Origin, described
from securefl.sources.table_file import table_descriptor
from securefl.study.fields import Line, Section

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from securefl.learning.table import Table

#: Numbers of one record, at most: a study's columns stand in its file, and this is far above them.
MOST_NUMBERS = 4096
#: Bytes of one file, at most.
MOST_BYTES = 64 << 20


class BackboneFile(Section):
    """A published graph with its weights, which makes features of the numbers at home.

    ``sha256`` pins the file.
    """

    file: Line
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class FilesBesideTable(Section):
    """Description that all kinds have.

    Attributes:
        table: text table, beside this file where the path is relative.
        folder: of the files, likewise.
        file: the table's column of file names; it is left out of the records.
        backbone: makes features of the numbers; left out, the numbers are the columns.
    """

    table: Annotated[str, Field(min_length=1, max_length=4096)]
    folder: Annotated[str, Field(min_length=1, max_length=4096)]
    file: Line
    backbone: BackboneFile | None = None


DescriptionT = TypeVar("DescriptionT", bound=FilesBesideTable)


@dataclass(frozen=True)
class FilesOrigin(Origin):
    """Base of the kinds."""

    Description: ClassVar[type[FilesBesideTable]]

    @abstractmethod
    def names(self, said: FilesBesideTable) -> list[str]:
        """Names of the numbers' columns, in order."""

    @abstractmethod
    def numbers(self, data: bytes, said: FilesBesideTable) -> Sequence[float] | None:
        """The numbers of one file, as many as names; None where it is none of this kind."""

    @abstractmethod
    def scaled(self, numbers: Sequence[float]) -> Sequence[float]:
        """The numbers as a backbone takes them, each in [-1, 1]."""

    def read(self) -> Iterator[Sequence[object]]:
        """See :class:`Origin`."""
        said = described(self.path, self.Description, "description of files beside a table")
        names = self.names(said)
        if len(names) > MOST_NUMBERS:
            raise DataError(
                f"{self.path.name} makes {len(names):,} numbers of a file;"
                f" {MOST_NUMBERS:,} are the most.",
                next_step="Take fewer points: the files are made smaller.",
            )
        backbone = self._backbone(said, len(names))
        table = _table(self.path.parent / said.table)
        others = [name for name in table.columns if name != said.file]
        yield [*others, *(names if backbone is None else backbone.names)]
        files = table.column(said.file)
        folder = self.path.parent / said.folder
        for row in range(table.rows):
            cells = [table.columns[name][row] for name in others]
            yield [*cells, *self._features(folder, files[row], said, backbone)]

    def _features(
        self,
        folder: Path,
        name: str | None,
        said: FilesBesideTable,
        backbone: Backbone | None,
    ) -> Sequence[object]:
        """The numbers of a record's file; none where there is no such file."""
        data = _bytes(folder, name)
        numbers = None
        if data is not None:
            numbers = self.numbers(data, said)
        if numbers is None:
            return []  # the record is filled up with empty cells
        if backbone is None:
            return numbers
        return backbone.features(self.scaled(numbers))

    def _backbone(self, said: FilesBesideTable, size: int) -> Backbone | None:
        if said.backbone is None:
            return None
        file = self.path.parent / said.backbone.file
        return Backbone.read(file, said.backbone.sha256, size)


def _table(path: Path) -> Table:
    with open(table_descriptor(path), "rb") as file:  # noqa: PTH123 - a descriptor
        return read_table(file.read())


def _bytes(folder: Path, name: str | None) -> bytes | None:
    """The bytes of a file in the folder; None where it is none, or lies elsewhere."""
    if name is None:
        return None
    path = folder / name
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            return None
        with open(table_descriptor(path), "rb") as file:  # noqa: PTH123 - a descriptor
            data = file.read(MOST_BYTES + 1)
    except (DataError, OSError, ValueError):
        return None
    if len(data) > MOST_BYTES:
        return None
    return data
