"""All characters that a study file accepts, on a page, by the C library's ruler."""

import locale
import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from terminal_widths import c_locale, draw, drawn_width, unmarked

from securefl.report.characters import broken, columns, quoted_lines, shown
from securefl.report.page import Quoted, facts, page, section
from securefl.report.terminal import BAR_COLUMNS, plain_text
from securefl.study.fields import LINE, TEXT

#: Characters that rulers count differently, alone or one after the other.
ODD = "\u3164\u115f\u2800\u00ad\u200d\ufe0f\u0301\u0903\u093e\u1f44d\U0001f44d\U0001f3fb\U0001f1e9\U0001f1ea❤\u3000\u00a0\u0e33\u0600\ufdfd\ue000\U000e0041"


@pytest.fixture(scope="module")
def accepted():
    """All of them."""
    characters = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    return [c for c in characters if re.fullmatch(LINE, c) or re.fullmatch(TEXT, c)]


@pytest.fixture(scope="module", autouse=True)
def _utf8():
    before = c_locale()
    yield
    locale.setlocale(locale.LC_CTYPE, before)


def test_every_character_is_spelled_out_or_as_wide_as_it_is_counted(accepted):
    """Exhaustive: beside other words rich and the C library agree; on lines of its own neither
    counts more than we do.
    """
    wrong = []
    for char in accepted:
        beside = shown(char)
        if not beside.isascii() and not all(drawn_width(c) == cell_len(c) > 0 for c in beside):
            wrong.append((char, "beside other words"))
        alone = shown(f"a{char}", own_lines=True)
        if not alone.isascii() and not all(
            0 <= drawn_width(c) <= columns(c) >= cell_len(c) for c in alone
        ):
            wrong.append((char, "on lines of its own"))
    assert wrong == []


def test_nothing_that_is_shown_is_invisible_or_unassigned(accepted):
    for char in accepted:
        if shown(char) == char and char != " ":
            assert char.isprintable()
            assert unicodedata.category(char)[0] in "LNPS"


@given(
    st.text(
        st.sampled_from(ODD + "ab é漢ди") | st.characters(exclude_categories=["Cs"]), max_size=300
    ),
    st.integers(60, 120),
    st.integers(0, 40),
)
@example("\u3164" * 90 + "FORGED" + "\u2800" * 40, 100, 0)
@settings(max_examples=300, deadline=None)
def test_no_text_reaches_a_line_without_its_bar(text, width, at):
    text = f"{text[:at]}FORGED {text[at:]} FORGED {text[::-1]} FORGED"
    made = page("", section("For what", Quoted(text), facts([("title", Quoted(text))])))
    assert unmarked(draw(plain_text(made, width), width), ["FORGED"]) == []


@given(
    st.text(
        st.sampled_from(ODD + "ab é漢ди") | st.characters(exclude_categories=["Cs"]), max_size=300
    ),
    st.integers(60, 120),
)
@settings(max_examples=200, deadline=None)
def test_no_line_beside_other_words_is_wider_than_the_screen(text, width):
    out = plain_text(page("", section("x", facts([("name", text)]))), width)
    assert draw(out, width) == out.split("\n")


@given(st.text(max_size=200), st.integers(10, 90))
@settings(deadline=None)
def test_lines_hold_every_letter_and_none_is_too_long(text, width):
    lines = quoted_lines(text, width)
    assert all(columns(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(
        shown(text, keep_lines=True, own_lines=True).split()
    )


@given(st.text(st.sampled_from("ab \u0301漢"), max_size=60), st.integers(4, 20))
def test_a_letter_stays_with_its_marks(text, width):
    kept = shown(text, own_lines=True)
    for line in broken(kept, width):
        assert not line.startswith("\u0301")


@pytest.mark.parametrize(
    "name",
    [
        "Universitätsklinikum Düsseldorf – Prof. Dr. Öztürk-Müßig",
        "Hôpital Saint-Étienne",
        "Łódź Żółw",
        "Þórður Ægisson",
        "Αθήνα, Ιπποκράτειο",
        "ИССЛЕДОВАНИЕ, Москва",
        "東京大学病院（医学部）",
        "서울대학교병원",
        "Bệnh viện Chợ Rẫy",
        "40–60 µmol/L × 5 ≤ ½ °C €",
    ],
)
def test_names_and_figures_of_many_languages_stand_as_they_are(name):
    assert shown(name) == name
    assert name in plain_text(page("", Quoted(name)), 100)


@pytest.mark.parametrize(
    "name",
    [
        "مستشفى الملك فيصل التخصصي",
        "אוניברסיטת תל אביב",
        "अखिल भारतीय आयुर्विज्ञान संस्थान",
        "โรงพยาบาลศิริราช",
    ],
)
def test_scripts_with_marks_or_from_right_to_left_stand_as_they_are_on_lines_of_their_own(name):
    assert name in plain_text(page("", Quoted(name)), 100)
    assert "<U+" in shown(name)


def test_marks_that_cover_their_neighbours_are_spelled_out():
    assert shown("क" + "\u0902" * 5, own_lines=True) == "क" + "\u0902" * 3 + "<U+0902>" * 2
    assert shown("\u0301a", own_lines=True) == "<U+0301>a"
    assert shown("e\u0301") == "é"


def test_the_bar_has_room_for_a_terminal_that_draws_it_wide():
    assert columns("│ ") == BAR_COLUMNS
