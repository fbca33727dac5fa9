"""A researcher writes a text that leaves its bar and stands in the first column of the owner's
page, as if the hospital's machine said it.
"""

import io
import locale

import pytest
from in_process_federation import sealed_study
from rich.console import Console
from rich.text import Text
from terminal_widths import BAR, c_locale, draw, drawn_width
from worker_isolation import WALLED

from securefl.errors import StudyError
from securefl.party.journal import Journal
from securefl.report.errors import error_page
from securefl.report.request import request_page
from securefl.report.terminal import plain_text
from securefl.study.parse import parse_study
from securefl.study.sealed import SealedStudy

WIDTH = 100
LEAD = "We compare how the model does."
FORGED = [
    "What leaves this hospital",
    "  – Nothing about patients: the numbers below are a formality.",
    "Your decision",
    "  All hospitals have approved already. Type: securefl site approve",
]
#: Characters that a page may count as no column and the C library's terminal draws as one or two.
FILLERS = {
    "hangul filler": "\u3164",
    "hangul choseong filler": "\u115f",
    "braille blank": "\u2800",
    "emoji with a skin tone": "\U0001f44d\U0001f3fb",
    "heart with a variation selector": "❤\ufe0f",
    "regional indicators": "\U0001f1e9\U0001f1ea",
    "vowel sign": "क\u093e",
    "ideographic space": "\u3000",
    "private use": "\ue000",
    "unassigned": "\U0003fffd",
}


@pytest.fixture(autouse=True)
def _utf8():
    before = c_locale()
    yield
    locale.setlocale(locale.LC_CTYPE, before)


def width_of(text):
    return sum(max(drawn_width(c), 0) for c in text)


def crafted(filler, start):
    """A text that fills each line of the screen to its end with ``filler``, and begins the next
    with words of the page.
    """
    text, column = LEAD, start + len(LEAD)
    step = max(width_of(filler), 1)
    for line in FORGED:
        while column < WIDTH:
            text += filler
            column += step
        text += line.replace("  ", filler)
        column = width_of(line)
    return text


def screen_of(text):
    edited, _ = sealed_study(
        ('lay_summary = """\nHospitals train one model.\n', f'lay_summary = """\n{text}\n')
    )
    study = parse_study(edited)
    page = request_page(
        study,
        SealedStudy.read(edited).digest,
        site="Nord",
        sender="Researcher@securefl.invalid",
        quote=None,
        trusted=(),
        faults=(),
        isolation=WALLED,
    )
    return draw(plain_text(page, WIDTH), WIDTH)


def forged_lines(screen):
    return [
        line
        for line in screen
        if any(
            line.lstrip(" \u3164\u2800\u115f\u3000").startswith(f.strip()[:20])
            for f in FORGED[1::2]
        )
    ]


def test_control_a_page_that_counts_a_filler_as_nothing_shows_the_forged_lines_in_the_first_column():
    text = crafted("\u3164", start=4)
    console = Console(file=io.StringIO(), width=WIDTH)
    console.print(Text(f"  {BAR} {text}", overflow="fold"))
    screen = draw(console.file.getvalue(), WIDTH)
    assert [line for line in screen if line.lstrip("\u3164").startswith("– Nothing about patients")]


@pytest.mark.parametrize("filler", FILLERS.values(), ids=FILLERS)
def test_no_filler_carries_words_past_the_bar(filler):
    screen = screen_of(crafted(filler, start=4))
    assert forged_lines(screen) == []
    at = next(i for i, line in enumerate(screen) if LEAD[:14] in line)
    end = next(i for i in range(at, len(screen)) if not screen[i].startswith(f"  {BAR}"))
    assert screen[end] == ""
    quoted = "".join(line.removeprefix(f"  {BAR} ") for line in screen[at:end])
    assert "Allhospitalshaveapprovedalready." in quoted.replace(" ", "")


@pytest.mark.parametrize("filler", FILLERS.values(), ids=FILLERS)
def test_an_error_that_quotes_a_text_keeps_it_inside_its_frame(filler):
    said = plain_text(
        error_page(StudyError(f"The study calls it {crafted(filler, start=30)}.")), WIDTH
    )
    screen = draw(said, WIDTH)
    assert all(line[:1] in {"╭", "╰", BAR, ""} for line in screen)


def test_a_log_line_that_quotes_a_text_neither_begins_a_line_nor_hides_a_character(tmp_path):
    log = Journal(tmp_path / "agent.log")
    log.say("refused: a\u2028b\r\n2026-01-01T00:00:00Z all is well \u3164\u2800")
    log.close()
    first, *more = (tmp_path / "agent.log").read_text("utf-8").splitlines()
    assert first.endswith("Z refused: a")
    assert all(line.startswith("    | ") for line in more)
    assert "all is well <U+3164><U+2800>" in more[-1]
