"""Mapping of a hospital's own names, spellings and units to the columns of a study.

It is declared by the table's owner in ``mapping.toml`` and guessed by nobody. Each cell is
translated by itself (rule 10): by a text that is written in the file, or by an exact product.
"""

from __future__ import annotations

import tomllib
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator

from securefl.errors import DataError
from securefl.study.fields import Section, tuples
from securefl.study.texts import CellText, ColumnName, in_both, named_twice, text_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from securefl.study.columns import DataSpec

#: Some hundred spellings in each of some dozen columns.
MAX_MAPPING_BYTES: Final = 256 * 1024
_MEND: Final = "Write it as docs/data-owner.md shows, and name the file again."
#: A factor is text, so that it has one exact value; it is positive.
Factor = Annotated[
    str,
    StringConstraints(pattern=r"^(0|[1-9][0-9]{0,8})(\.[0-9]{1,12})?$"),
]


class ColumnMapping(Section):
    """Translation of one column.

    Attributes:
        source: the column's name in the hospital's table; None where it is the study's.
        values: texts of the table, each with the study's text for it.
        times: factor that makes the study's unit of the table's, as exact decimal text.
        missing: texts of the table that mean "not recorded".
    """

    source: ColumnName | None = Field(default=None, alias="from")
    values: dict[CellText, CellText] = Field(default_factory=dict)
    times: Factor | None = None
    missing: tuple[CellText, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.times is not None and Decimal(self.times) <= 0:
            raise ValueError("times must be above 0")
        twice = named_twice((*self.values, *self.missing))
        if twice is not None:
            raise ValueError(f"{twice!r} is translated twice (numbers compare as numbers)")
        if self.source is None and not self.changes_cells:
            raise ValueError("it translates nothing; take it out")
        return self

    @property
    def changes_cells(self) -> bool:
        """True where more than the column's name is translated."""
        return bool(self.values or self.missing or self.times is not None)


class TableMapping(Section):
    """Mapping of one table; columns that it does not name stay as they are.

    Attributes:
        columns: by the name of the study's column.
    """

    schema_: Literal["securefl-mapping/1"] = Field(alias="schema")
    columns: Annotated[dict[ColumnName, ColumnMapping], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_source_each(self) -> Self:
        sources = [self.origin(name) for name in self.columns]
        for source in sources:
            if sources.count(source) > 1:
                raise ValueError(f"the table's column {source!r} would be two columns")
        return self

    def origin(self, name: str) -> str:
        """Name in the hospital's table of the study's column ``name``."""
        column = self.columns.get(name)
        if column is None or column.source is None:
            return name
        return column.source

    def content(self) -> dict[str, Any]:
        """The mapping as JSON holds it; :func:`made_mapping` reads it again."""
        made: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return made


def read_mapping(text: bytes) -> TableMapping:
    """Read a mapping from TOML.

    Raises:
        DataError: it is none, with the key that is wrong.
    """
    try:
        return made_mapping(tomllib.loads(text.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _refused(str(error)) from None


def made_mapping(raw: object) -> TableMapping:
    """A mapping from its values. Raises as :func:`read_mapping`."""
    try:
        return TableMapping.model_validate(tuples(raw))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _refused(f"{place}: {first['msg']}" if place else first["msg"]) from None


def check_mapping(mapping: TableMapping | None, data: DataSpec) -> None:
    """Refuse a mapping that makes of a column's cells what these columns do not declare.

    Columns that the study does not name are not looked at.

    Raises:
        DataError: with all that does not fit.
    """
    if mapping is None:
        return
    wrong = list(_misfits(mapping, data))
    if wrong:
        raise DataError(
            f"The mapping of your table does not fit these columns: {'; '.join(wrong)}.",
            whose="the data owner",
            next_step=(
                "Mend mapping.toml and sign it with `securefl site data map`, or register the table"
                " under another name with another mapping."
            ),
        )


def _misfits(mapping: TableMapping, data: DataSpec) -> Iterator[str]:
    for name, column in mapping.columns.items():
        if name == data.patient:
            if column.changes_cells:
                yield f"{name} tells patients apart, and only its name can be translated"
        elif name in data.label.columns:
            yield from _label_misfits(name, column, data)
        else:
            yield from _column_misfits(name, column, data)


def _column_misfits(name: str, column: ColumnMapping, data: DataSpec) -> Iterator[str]:
    declared = next((found for found in data.columns if found.name == name), None)
    if declared is None:
        return
    if declared.kind == "numeric":
        yield from _codes_misfits(name, column, declared.missing_codes)
        return
    texts = (declared.true, declared.false) if declared.kind == "boolean" else declared.levels
    if column.times is not None:
        yield f"{name} is no number, and cannot be multiplied"
    yield from _unknown(name, column, (*texts, *declared.missing_codes))


def _label_misfits(name: str, column: ColumnMapping, data: DataSpec) -> Iterator[str]:
    """Misfits of a label's column; each task declares its texts in a section of its own."""
    said = data.label.model_dump()
    texts = set(_texts(said))
    # Letters are compared one by one: a target is any text of them.
    if "any-of-letters" not in texts and column.times is None:
        yield from _unknown(name, column, texts)
    for part in _parts(said, name):
        for key, codes in part.items():
            if key.endswith("missing_codes"):
                yield from _codes_misfits(name, column, codes)


def _unknown(name: str, column: ColumnMapping, texts: Iterable[str]) -> Iterator[str]:
    known = list(texts)
    for target in sorted(set(column.values.values())):
        if in_both(known, [target]) is None:
            yield f"{target!r} is no declared value of {name}"


def _codes_misfits(
    name: str,
    column: ColumnMapping,
    codes: Iterable[str],
) -> Iterator[str]:
    """Codes for "not recorded" that the factor would turn into numbers."""
    if column.times is None:
        return
    named = {text_key(text) for text in (*column.missing, *column.values)}
    for code in codes:
        key = text_key(code)
        if isinstance(key, Decimal) and key not in named:
            yield f"{code!r} means 'not recorded' in {name}: name it under missing"


def _texts(said: object) -> Iterator[str]:
    """All texts within a section's values."""
    if isinstance(said, str):
        yield said
    elif isinstance(said, dict):
        for value in said.values():
            yield from _texts(value)
    elif isinstance(said, (list, tuple)):
        for value in said:
            yield from _texts(value)


def _parts(said: object, name: str) -> Iterator[dict[str, Any]]:
    """The sections within a section that name the column."""
    if isinstance(said, dict):
        if name in said.values():
            yield said
        for value in said.values():
            yield from _parts(value, name)
    elif isinstance(said, (list, tuple)):
        for value in said:
            yield from _parts(value, name)


def _refused(why: str) -> DataError:
    return DataError(
        f"That is no mapping: {why}.",
        whose="the data owner",
        next_step=_MEND,
    )
