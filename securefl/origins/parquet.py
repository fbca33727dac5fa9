"""Tables as Parquet files. Needs pyarrow (the extra ``parquet``)."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from securefl.errors import DataError
from securefl.origins.origin import Origin, not_installed
from securefl.sources.table_file import table_descriptor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Records in memory at a time.
_AT_A_TIME: Final = 4096


@dataclass(frozen=True)
class ParquetOrigin(Origin):
    """A Parquet file. Columns of lists, of structures or of bytes are left out: they are no cells."""

    kind: ClassVar[str] = "parquet"
    suffixes: ClassVar[tuple[str, ...]] = (".parquet", ".pq")

    def read(self) -> Iterator[Sequence[object]]:
        """See :class:`Origin`. A column's type is the file's own, so a value stands by itself."""
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ImportError:
            raise not_installed("pyarrow", "parquet") from None
        with open(table_descriptor(self.path), "rb") as opened:  # noqa: PTH123 - a descriptor
            try:
                with closing(parquet.ParquetFile(opened)) as file:
                    names = [field.name for field in file.schema_arrow if _is_plain(field.type)]
                    yield names
                    for batch in file.iter_batches(_AT_A_TIME, columns=names):
                        columns = [column.to_pylist() for column in batch.columns]
                        yield from zip(*columns, strict=True)
            except (pa.ArrowException, OSError) as error:
                raise DataError(
                    f"{self.path.name} is no Parquet file that can be read: {_first_line(error)}",
                    next_step="Write it again, or save the table as CSV.",
                ) from None

    @property
    def words(self) -> str:
        """See :class:`Origin`."""
        return "a Parquet file"


def _is_plain(kind: Any) -> bool:  # noqa: ANN401 - pyarrow ships no types
    from pyarrow import types

    return not (types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".") + "."
