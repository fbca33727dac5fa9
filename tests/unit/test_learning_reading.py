from pathlib import Path

import pytest

from securefl.errors import DataError
from securefl.learning.reading import (
    Reading,
    check_kind,
    known_encoding,
    likely_encoding,
    said_separator,
    separator_of,
)
from securefl.learning.table import read_table, reading_of


def open_here():
    return len(list(Path("/proc/self/fd").iterdir()))


WORDS = "Müller, Größe, Übelkeit, Straße, façade, año, Ærø"


@pytest.mark.parametrize("encoding", ["cp1252", "cp850", "mac-roman"])
def test_the_likely_encoding_is_the_one_in_which_odd_bytes_are_letters(encoding):
    assert likely_encoding(WORDS.encode(encoding)) == encoding


@pytest.mark.parametrize("data", [b"", b"plain", b"\xb0\xb1\xb2" * 3])
def test_where_no_encoding_makes_letters_none_is_named(data):
    assert likely_encoding(data) is None


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("UTF8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("Windows-1252", "cp1252"),
        ("latin-1", "iso8859-1"),
        ("ISO-8859-15", "iso8859-15"),
        ("macintosh", "mac-roman"),
        ("utf-16", None),
        ("utf-32-le", None),
        ("utf-7", None),
        ("cp037", None),
        ("rot13", None),
        ("zlib", None),
        ("unicode_escape", None),
        ("", None),
        ("a\0b", None),
        ("../x", None),
        ("punycode", None),
        ("idna", None),
    ],
)
def test_an_encoding_is_known_where_lines_can_be_found_before_decoding(name, known):
    assert known_encoding(name) == known
    if known is not None:
        assert bytes(range(128)).decode(known) == "".join(map(chr, range(128)))


@pytest.mark.parametrize(
    ("line", "names", "separator"),
    [
        ("a,b,c", {"a"}, ","),
        ("a;b,5;c", {"a", "c"}, ";"),
        ("a\tb", set(), "\t"),
        ('"a" ; "b"', {"a", "b"}, ";"),
        ("a|b", {"b"}, "|"),
        ("a", {"a"}, ","),
        ("", set(), ","),
        ("x;y;z,a", {"a"}, ","),
    ],
)
def test_the_header_shows_the_separator_by_the_names_that_it_finds(line, names, separator):
    assert separator_of(line, names) == separator


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"sep=;\r", ";"),
        (b'"sep=,"', ","),
        (b"SEP=\t", "\t"),
        (b"sep=x", None),
        (b"separator=;", None),
        (b"a;b", None),
    ],
)
def test_a_line_that_names_the_separator_is_told_from_a_header(line, said):
    assert said_separator(line) == said


def test_a_separator_that_was_registered_is_not_looked_for_again():
    assert read_table(b"a;b\n1;2\n", Reading("utf-8", ",")).columns == {"a;b": ("1;2",)}
    assert reading_of(b"a;b\n1,5;2\n", {"b"}, decimal=",") == Reading("utf-8", ";", ",")


@pytest.mark.parametrize("start", [b"a,b\n", b"\xef\xbb\xbfa", b"", b"P", b"BZ;", b"\xe9t\xe9,b"])
def test_what_can_be_a_table_is_let_through(start):
    check_kind(start, "t.csv")


@pytest.mark.parametrize(
    "start",
    [b"\x00a\x00,", b"a\x00,\x00", b"\xff\xfea\x00", b"$FL2@(#)", b"<stata_dta>", b"\xfd7zXZ\x00"],
)
def test_what_is_none_is_refused_by_its_first_bytes(start):
    with pytest.raises(DataError, match=r"t\.csv is no CSV table: it is "):
        check_kind(start, "t.csv")
