"""Every page in a terminal and as HTML: the same words in the same order."""

import importlib
import inspect
import pkgutil
import re
from html.parser import HTMLParser

import pytest
from every_page import NAMES, built

import securefl.report
from securefl.report.html import html_page
from securefl.report.page import Page
from securefl.report.terminal import plain_text

#: What a terminal draws around words, and what both draw where there is no word.
FRAMES = set("│╭╮╰╯─═░▒▁▂▃▄▅▆▇█–·")
#: So wide that no line is broken and no table narrowed.
WIDE = 5000


class Words(HTMLParser):
    """The words of a page as somebody hears them: of a picture its title alone."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.found, self.open = "", []
        self.feed(text.partition("<body")[2].partition(">")[2])

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if "svg" not in self.open or self.open[-1] == "title":
            self.found += data


def bare(text):
    """Letters, digits and signs, without whitespace and frames."""
    return "".join(c for c in text if not c.isspace() and c not in FRAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_the_same_words_in_a_terminal_and_as_html(name):
    page = built(name)
    seen, heard = bare(plain_text(page, WIDE, most=WIDE)), bare(Words(html_page(page)).found)
    at = next((i for i, (a, b) in enumerate(zip(seen, heard, strict=False)) if a != b), -1)
    assert (seen[at - 30 : at + 60], len(seen)) == (heard[at - 30 : at + 60], len(heard))
    assert seen == heard
    assert len(seen) > 40


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [60, 80])
def test_a_page_fits_the_screen(name, width):
    lines = plain_text(built(name), width).splitlines()
    assert max(map(len, lines)) <= width


def test_no_page_is_missing_here():
    made = set()
    for module in pkgutil.iter_modules(securefl.report.__path__):
        room = importlib.import_module(f"securefl.report.{module.name}")
        made |= {
            f"{module.name}.{name}"
            for name, function in inspect.getmembers(room, inspect.isfunction)
            if function.__module__ == room.__name__
            and inspect.signature(function).return_annotation in ("Page", Page)
        }
    called = set(re.findall(r"(\w+)\(", inspect.getsource(importlib.import_module("every_page"))))
    builders = {"page.page", "page.joined"}
    assert {name for name in made if name.partition(".")[2] not in called} == builders
