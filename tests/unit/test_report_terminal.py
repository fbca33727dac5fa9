import doctest
import io
import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from securefl.report import (
    characters,
    isolation,
    markdown,
    request,
    request_parties,
    run,
    words,
)
from securefl.report import (
    page as pages,
)
from securefl.report.characters import shown
from securefl.report.page import (
    Bar,
    Block,
    Paragraph,
    Quoted,
    Records,
    Table,
    bullets,
    facts,
    page,
    section,
    when,
)
from securefl.report.terminal import budget_bar, drawn, plain_text
from securefl.report.words import bytes_words, day, decimal_words, plural


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[2J",
        "\x1b]8;;http://x\x07",
        "a\rb",
        "a\x08b",
        "\u202e",
        "\u2066",
        "\u200b",
        "\x9b31m",
        "\ufeff",
        "\U000e0041",
        "\x00",
    ],
)
def test_a_character_that_a_screen_obeys_is_spelled_out(hostile):
    assert shown(hostile).isprintable()
    assert f"<U+{ord(max(hostile)):04X}>" in shown(hostile) or "<U+00" in shown(hostile)


def test_ordinary_letters_of_any_language_stay_as_they_are():
    for text in ("Krankenhaus Süd, Zürich", "病院", "Göteborg – 5 × µmol/L"):
        assert shown(text) == text


def test_line_ends_stay_only_where_they_are_asked_for():
    assert shown("a\nb") == "a<U+000A>b"
    assert shown("a\r\nb\tc", keep_lines=True) == "a\nb    c"


@given(st.text(st.characters(exclude_categories=[])))
def test_no_text_gets_a_control_character_onto_a_page(text):
    out = plain_text(page(text, text, ("x", text), Quoted(text)), 60)
    assert all(c.isprintable() or c == "\n" for c in out)


@given(st.text(max_size=400))
def test_no_text_makes_a_page_wider_than_asked(text):
    assert all(
        cell_len(line) <= 60 for line in plain_text(page("", text, Quoted(text)), 60).splitlines()
    )


@given(st.text(st.characters(categories=["L", "P", "Z", "Cc"]), max_size=400))
def test_every_line_of_somebody_elses_words_stands_behind_the_bar(text):
    lines = plain_text(Quoted(text), 30).splitlines()
    assert lines
    assert all(line.startswith("│") for line in lines)


def test_rich_markup_in_a_text_is_shown_and_does_not_style():
    console = Console(
        force_terminal=True, color_system="truecolor", record=True, width=60, file=io.StringIO()
    )
    console.print(drawn(page("[bold red]hi[/] :warning:", Quoted("[link=http://x]y[/link]"))))
    out = console.export_text(styles=True)
    assert "[bold red]hi[/] :warning:" in out
    assert "[link=http://x]y[/link]" in out
    assert "\x1b]8" not in out


def test_blanks_cannot_push_a_text_into_a_line_of_its_own():
    assert (
        plain_text(Paragraph("a" + " " * 200 + "isolation: all is enforced"))
        == "a isolation: all is enforced\n"
    )


def test_a_budget_bar_never_hides_what_was_used():
    assert budget_bar(Bar(Decimal("0.0001")), 10).plain == "█░░░░░░░░░"
    assert budget_bar(Bar(Decimal(0)), 10).plain == "░" * 10
    assert budget_bar(Bar(Decimal("0.9"), Decimal("1.2")), 10).plain == "█" * 9 + "▒"
    assert budget_bar(Bar(Decimal(3)), 10).plain == "█" * 10


def test_words_for_numbers():
    assert bytes_words(999) == "999 bytes"
    assert bytes_words(999_960) == "1.0 MB"
    assert plural(1, "study", "studies") == "1 study"
    assert plural(9172, "row") == "9,172 rows"
    assert decimal_words(Decimal("1e-5")) == "0.00001"
    assert day("2026-01-31T12:34:56.123Z") == "2026-01-31 12:34 UTC"


def test_the_examples_in_the_docstrings_hold():
    for module in (characters, isolation, markdown, pages, request, request_parties, run, words):
        assert doctest.testmod(module).failed == 0


def test_the_pages_bring_no_framework_with_them():
    code = (
        "import sys, securefl.report.request, securefl.report.audit, securefl.report.run,"
        " securefl.report.status, securefl.report.study\nprint([m for m in ('torch', 'opacus',"
        " 'syft', 'pandas', 'sklearn', 'tenseal', 'securefl.node') if m in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "[]\n"
    )


def test_a_page_sent_into_a_file_has_no_blanks_at_the_ends_of_its_lines():
    file = io.StringIO()
    rows = Table(("a", "b"), (("one", "two"),))
    Console(file=file, width=70).print(
        drawn(
            page(
                "x",
                section(
                    "y", facts([("label", "value"), ("more", Quoted("z"))]), bullets(["a b"]), rows
                ),
            )
        )
    )
    lines = file.getvalue().split("\n")
    assert len(lines) > 8
    assert [line for line in lines if line != line.rstrip()] == []


def test_a_name_stays_whole_on_a_narrow_screen_and_stands_in_a_table_on_a_wide_one():
    records = Records(("study", "state"), (("n" * 50, "running"),))
    assert plain_text(records, 60).splitlines() == ["n" * 50, "    state running"]
    assert any(
        line.split() == ["n" * 50, "running"] for line in plain_text(records, 80).splitlines()
    )


def test_a_kind_of_block_that_no_renderer_knows_is_refused():
    class Strange(Block):
        pass

    with pytest.raises(TypeError, match="Strange has no shape in a terminal"):
        plain_text(page("x", Strange()))


def test_a_part_without_words_is_left_out_with_its_heading():
    made = page(
        "x",
        None,
        "",
        bullets([]),
        section("none", bullets([]), facts([("label", None), None])),
        section("some", facts([("blank", ""), ("label", bullets([])), ("said", "words")])),
    )
    assert plain_text(made).split() == ["x", "═", "some", "blank", "said", "words"]
    assert when(False, "words") is None
    assert when(1, "words") == "words"
