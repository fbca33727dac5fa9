"""Pages and progress in a notebook: a frame with text beside it, and one line that moves."""

import sys
from html import unescape
from types import ModuleType

import pytest
from completed_study import finished
from consortium import NAMES, Consortium
from IPython.core.formatters import DisplayFormatter

from securefl.report.html import html_page
from securefl.report.notebook import framed
from securefl.report.page import Outside, Quoted, page
from securefl.report.terminal import plain_text
from securefl.researcher.run_progress import MovingLine, progress_of

HOSTILE = page(
    Outside('"></iframe><script>alert(1)</script>'),
    Quoted("'\" onload=alert(1) </iframe> & <b>"),
)


def test_a_notebook_gets_each_page_as_html_and_as_text():
    found, _ = DisplayFormatter().format(HOSTILE)
    assert set(found) == {"text/html", "text/plain"}
    assert found["text/plain"] == plain_text(HOSTILE)


def test_a_frame_holds_the_whole_page_and_nothing_gets_out_of_it():
    drawn = framed(HOSTILE)
    assert drawn.count("<") == 2
    assert drawn.startswith("<iframe sandbox title=")
    assert drawn.endswith("></iframe>")
    inside = unescape(drawn.split('srcdoc="', 1)[1].rsplit('"', 1)[0])
    assert inside == html_page(HOSTILE)
    assert "prefers-color-scheme: dark" in inside
    assert "<script" not in inside


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    c = Consortium(tmp_path_factory.mktemp("pages"))
    made = c.new_study("pages")
    c.approve(NAMES[0], made)
    return made


def test_a_study_shows_what_is_asked_its_price_and_who_agreed(study):
    asked, price, answers = study.page(), study.plan_page(), study.approvals_page()
    assert study.file.study.lay_summary.split()[0] in plain_text(asked)
    assert "epsilon" in plain_text(price)
    lines = [line.split(maxsplit=1) for line in plain_text(answers).splitlines() if line.strip()]
    said = {first: rest[0].strip() for first, *rest in lines if first in NAMES}
    assert set(said) == set(NAMES)
    assert said[NAMES[0]] != said[NAMES[1]] == said[NAMES[2]]
    assert study._repr_html_() == framed(asked)


class Handle:
    """An output of a notebook, and all that it showed."""

    def __init__(self, first):
        self.shown = [first]

    def update(self, one):
        self.shown.append(one)


@pytest.fixture
def outputs(monkeypatch):
    """A process that serves a notebook; returns its outputs."""
    made = []

    def display(one, *, display_id):
        assert display_id
        made.append(Handle(one))
        return made[-1]

    there = ModuleType("IPython.display")
    there.display = display
    monkeypatch.setitem(sys.modules, "IPython.display", there)
    monkeypatch.setitem(sys.modules, "ipykernel.kernelapp", ModuleType("kernelapp"))
    return made


def test_a_notebook_shows_one_line_that_moves(outputs, capsys, tmp_path):
    end = finished()
    watch = progress_of(end.plan, tmp_path)
    for record in end.outcome.records:
        watch(record)
    (one,) = outputs
    assert len(one.shown) == len(end.outcome.records) > 1
    assert [shown.done for shown in one.shown] == [r.round for r in end.outcome.records]
    last = one.shown[-1]
    assert repr(last).startswith(f"{last.done} of {end.plan.last_round}: ")
    assert f'value="{last.done}"' in last._repr_html_()
    assert capsys.readouterr().out == ""


def test_elsewhere_each_round_is_a_printed_line(outputs, monkeypatch, capsys, tmp_path):
    monkeypatch.delitem(sys.modules, "ipykernel.kernelapp")
    end = finished()
    watch = progress_of(end.plan, tmp_path)
    for record in end.outcome.records:
        watch(record)
    assert outputs == []
    assert len(capsys.readouterr().out.splitlines()) == len(end.outcome.records)


def test_words_of_others_are_no_markup_in_the_line():
    assert "<b>" not in MovingLine(1, 2, "<b>SVI</b>")._repr_html_()
