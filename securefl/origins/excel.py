"""Tables as Excel workbooks (.xlsx). Needs openpyxl (the extra ``excel``)."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from zipfile import BadZipFile

from securefl.errors import DataError
from securefl.origins.origin import Origin, not_installed
from securefl.sources.table_file import table_descriptor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class ExcelOrigin(Origin):
    """A sheet of a workbook. A formula stands for the value that Excel kept of it."""

    kind: ClassVar[str] = "excel"
    suffixes: ClassVar[tuple[str, ...]] = (".xlsx", ".xlsm")

    def read(self) -> Iterator[Sequence[object]]:
        """See :class:`Origin`. Lines in which nothing stands are no records."""
        try:
            import openpyxl
        except ImportError:
            raise not_installed("openpyxl", "excel") from None
        with open(table_descriptor(self.path), "rb") as opened:  # noqa: PTH123 - a descriptor
            try:
                book = openpyxl.load_workbook(opened, read_only=True, data_only=True)
            except (BadZipFile, KeyError, ValueError, OSError):
                raise DataError(
                    f"{self.path.name} is no Excel workbook that can be read.",
                    next_step="Open it in Excel without a password, and save it as .xlsx or CSV.",
                ) from None
            with closing(book):
                lines = self._sheet(book).iter_rows(values_only=True)
                names = _names(next(lines, ()))
                yield names
                for line in lines:
                    record = [_value(cell) for cell in line]
                    if any(cell is not None for cell in record):
                        yield record

    def _sheet(self, book: Any) -> Any:  # noqa: ANN401 - openpyxl ships no types
        names = [sheet.title for sheet in book.worksheets]
        if self.sheet in names:
            return book[self.sheet]
        if not self.sheet and len(names) == 1:
            return book.worksheets[0]
        raise DataError(
            f"{self.path.name} has the sheets {', '.join(repr(name) for name in names)}.",
            next_step="Say which is meant: --sheet NAME.",
        )

    @property
    def words(self) -> str:
        """See :class:`Origin`."""
        return "an Excel workbook" + (f", sheet {self.sheet!r}" if self.sheet else "")


def _names(line: Sequence[object]) -> list[str]:
    """Names of the columns; cells without a name behind the last that has one are no columns."""
    names = ["" if cell is None else str(cell).strip() for cell in line]
    while names and not names[-1]:
        names.pop()
    return names


def _value(cell: object) -> object:
    """A number without a fraction as a whole number: a workbook has one kind of number only."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1 << 53:
        return int(cell)
    return cell
