"""Reading of a table's bytes as text: encoding, separator and decimal sign, said by its owner.

They are never guessed in silence. A study's worker reads a table as it was registered: what these
three are must not depend on its rows. Only the header line, which holds no patient, decides a
separator that nobody named.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from securefl.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from securefl.study.table_mapping import TableMapping

Separator: TypeAlias = Literal[",", ";", "\t", "|"]
DecimalSign: TypeAlias = Literal[".", ","]

#: A header line is not longer.
FIRST_BYTES: Final = 1 << 20
SEPARATORS: Final[tuple[Separator, ...]] = (",", ";", "\t", "|")
SEPARATOR_WORDS: Final = {",": "','", ";": "';'", "\t": "tabs", "|": "'|'"}
#: What stands in a cell for a byte that its encoding does not have. A cell with it is damaged.
DAMAGED_SIGN: Final = "\ufffd"
#: Encodings in which every ASCII byte means itself, so that lines and separators can be found
#: before decoding (Python's names).
_ENCODING: Final = re.compile(
    r"utf-8|ascii|iso8859-\d{1,2}|cp(125[0-8]|437|737|775|85[0-9]|86[0-9])|mac-(roman|latin2|greek|cyrillic|turkish)|koi8-[ru]|cp932|euc_jp|euc_kr|gbk|big5|shift_jis"
)
_SEP_LINE: Final = re.compile(rb"\"?sep=([,;|\t])\"?", re.IGNORECASE)
#: How files begin that are often taken for a CSV: what they are, and what to do.
_SPREADSHEET: Final = "Open it in the spreadsheet program and save it as 'CSV UTF-8'."
_UTF16: Final = "Save it as 'CSV UTF-8', or convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW."
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UNPACK: Final = "Unpack it first, and name the CSV file that is in it."
_KINDS: Final = (
    (b"PK\x03\x04", "a spreadsheet (.xlsx, .ods) or another packed file", _SPREADSHEET),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet (.xls)", _SPREADSHEET),
    (
        b"PAR1",
        "a Parquet file",
        (
            'Write it as CSV: python -c "import pandas;'
            " pandas.read_parquet('FILE').to_csv('NEW.csv', index=False)\"."
        ),
    ),
    (b"ARROW1", "an Arrow file", "Write it as CSV with the program that made it."),
    (b"%PDF", "a PDF", "Ask for the table itself as CSV."),
    (b"\x1f\x8b", "a packed file (gzip)", _UNPACK),
    (b"BZh", "a packed file (bzip2)", _UNPACK),
    (b"\xfd7zXZ", "a packed file (xz)", _UNPACK),
    (
        b"SQLite format 3",
        "a database (SQLite)",
        "Write the table as CSV: sqlite3 -header -csv FILE 'select * from TABLE' > NEW.csv.",
    ),
    (b"$FL2", "an SPSS file", "Save it as CSV in the statistics program."),
    (b"<stata_dta>", "a Stata file", "Save it as CSV in the statistics program."),
    (b"\xff\xfe\x00\x00", "text in UTF-32", _UTF16.replace("16", "32")),
    *((mark, "text in UTF-16 (Excel's 'Unicode text')", _UTF16) for mark in _UTF16_MARKS),
)
#: Letters of western European languages beyond ASCII: what a wrongly guessed encoding seldom gives.
_LETTERS: Final = frozenset("äöüÄÖÜßéèêëÉÈàâÀçÇñÑíìîïóòôúùûáÁãõåÅæÆøØœłŁśŚžŽčČřěšŠ")
_CANDIDATES: Final = ("cp1252", "cp850", "mac-roman", "cp1250")


@dataclass(frozen=True)
class Reading:
    """Way of reading a table.

    Attributes:
        encoding: Python's name of a text encoding in which ASCII bytes mean themselves.
        separator: between the values of a record.
        decimal: between the whole and the fraction of a number. With ``","`` a point in a number is
            refused, never guessed at.
        mapping: of the table's names, spellings and units, which its owner declared; None where
            there is none.
    """

    encoding: str = "utf-8"
    separator: Separator = ","
    decimal: DecimalSign = "."
    mapping: TableMapping | None = None

    def content(self) -> dict[str, Any]:
        """The reading as JSON holds it; :func:`made_reading` reads it again."""
        return {
            "encoding": self.encoding,
            "separator": self.separator,
            "decimal": self.decimal,
            "mapping": None if self.mapping is None else self.mapping.content(),
        }

    @property
    def words(self) -> str:
        """Say how the table is read, for its owner's screen."""
        sign = "a point"
        if self.decimal == ",":
            sign = "a comma"
        return (
            f"text in {self.encoding}, {SEPARATOR_WORDS[self.separator]} between the values, {sign}"
            " in decimal numbers"
        )


#: UTF-8, a comma between values, a decimal point.
USUAL: Final = Reading()


def made_reading(content: Mapping[str, Any]) -> Reading:
    """A reading from what :meth:`Reading.content` gave.

    Raises:
        DataError: its mapping is none.
    """
    from securefl.study.table_mapping import made_mapping

    said = dict(content)
    declared = said.pop("mapping", None)
    if declared is not None:
        said["mapping"] = made_mapping(declared)
    return Reading(**said)


def known_encoding(name: str) -> str | None:
    """Return Python's name of the encoding.

    ``None`` for one that it does not know or in which lines cannot be found first (UTF-16).
    """
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    if found == "utf-8-sig":
        found = "utf-8"
    if _ENCODING.fullmatch(found):
        return found
    return None


def require_encoding(name: str) -> str:
    """Python's name of the encoding.

    Raises:
        DataError: as :func:`known_encoding` where it is ``None``.
    """
    known = known_encoding(name)
    if known is None:
        raise DataError(
            f"{name!r} is no encoding that tables are read in.",
            next_step=(
                "Name one like utf-8, cp1252 (Windows, western Europe), iso8859-15 or cp1250;"
                " convert UTF-16 to UTF-8 first."
            ),
        )
    return known


def likely_encoding(data: bytes) -> str | None:
    """Find the encoding, beside UTF-8, in which bytes beyond ASCII are most often letters.

    ``None`` if none fits.
    """
    odd = bytes(byte for byte in data if byte > 0x7F)
    best = None
    most = 0
    for name in _CANDIDATES:
        signs = odd.decode(name, errors="replace")
        fit = sum(1 if sign in _LETTERS else -1 for sign in signs)
        if fit > most:
            best = name
            most = fit
    return best


def separator_of(first: str, names: Collection[str]) -> Separator:
    """Find the separator that finds most of ``names`` in the header line, then most columns.

    The comma where nothing tells.

    Args:
        first: the header line.
        names: columns that the table should have.
    """

    def found(separator: str) -> tuple[int, int]:
        parts = [part.strip().strip('"').strip() for part in first.split(separator)]
        return len(set(parts) & set(names)), len(parts)

    return max(SEPARATORS, key=found)  # the first of equals


def said_separator(line: bytes) -> str | None:
    """The separator that a line like Excel's ``sep=;`` names; ``None`` for any other line."""
    match = _SEP_LINE.fullmatch(line.strip(b"\r\n "))
    if match is None:
        return None
    return match[1].decode()


def check_kind(start: bytes, name: str) -> None:
    """Refuse what is known to be no delimited text by its first bytes.

    Args:
        start: the first bytes of the file, at least 16 where it has so many.
        name: of the file, for the message.

    Raises:
        DataError: it is a spreadsheet, UTF-16, a packed file or another known kind.
    """
    for magic, kind, mend in _KINDS:
        if start.startswith(magic):
            raise DataError(f"{name} is no CSV table: it is {kind}.", next_step=mend)
    if start[1:2] == b"\x00" or start[:1] == b"\x00":
        raise DataError(
            f"{name} is no CSV table: it is text in UTF-16, or no text at all.", next_step=_UTF16
        )
