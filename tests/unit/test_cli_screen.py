"""The command line's own lines and errors: one frame for all errors, none for a no, and nobody is
sent to a page that is not there.
"""

import os
import sys

import click
import pytest

from securefl.cli import main, screen
from securefl.cli.screen import DeclinedError, show_page, write_json, write_page
from securefl.errors import UsageError
from securefl.report.page import page


@pytest.fixture
def terminal(monkeypatch):
    """Somebody at the keyboard."""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    return lambda answer: monkeypatch.setattr(click, "confirm", lambda question, default: answer)


def called(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["securefl", *words])
    with pytest.raises(SystemExit) as ended:
        main.main()
    return ended.value.code


def test_a_deliberate_no_is_no_error_and_has_no_frame(terminal, monkeypatch, capsys):
    terminal(answer=False)

    def declines(*_, **__):
        screen.confirm("Leave?", yes=False)

    monkeypatch.setattr(main, "cli", declines)
    assert called(monkeypatch) == 2
    assert capsys.readouterr() == ("", "Nothing was done.\n")


def test_a_no_raises_and_a_yes_does_not(terminal):
    terminal(answer=False)
    with pytest.raises(DeclinedError, match="Nothing was done"):
        screen.confirm("Leave?", yes=False)
    screen.confirm("Leave?", yes=True)
    terminal(answer=True)
    screen.confirm("Leave?", yes=False)


def test_only_who_was_shown_something_is_told_to_read_it(monkeypatch):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(UsageError) as bare:
        screen.confirm("Leave?", yes=False)
    assert bare.value.what == "This needs a yes, and nobody can be asked here: Leave?"
    assert bare.value.next_step == "Repeat the command with --yes."
    with pytest.raises(UsageError) as shown:
        screen.confirm("Approve?", yes=False, read="the page above")
    assert shown.value.next_step == "Read the page above, then repeat the command with --yes."


@pytest.mark.parametrize(
    ("words", "what", "command"),
    [
        (("site", "review"), "Missing argument 'ID'.", "securefl site review --help"),
        (("site", "no-such"), "No such command 'no-such'.", "securefl site --help"),
        (
            ("study", "run", "x", "--wait", "soon"),
            "Invalid value for '--wait': 'soon' is not a valid float.",
            "securefl study run --help",
        ),
    ],
)
def test_a_wrong_call_is_told_in_the_frame_of_all_errors(words, what, command, monkeypatch, capsys):
    assert called(monkeypatch, *words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    flat = " ".join(err.replace("│", " ").split())
    assert "This did not work" in flat
    assert what in flat
    assert command in flat
    assert "Usage:" not in flat


def test_a_command_without_its_words_still_shows_its_help(monkeypatch, capsys):
    called(monkeypatch, "site")
    out, err = capsys.readouterr()
    assert "A hospital: keys, data sets, budget" in out + err
    assert "This did not work" not in out + err


def test_a_line_goes_into_a_file_as_one_and_nothing_in_it_is_obeyed(capsys):
    screen.say("word " * 60 + "\u3164\x1b[2J [bold]x[/]")
    out, _ = capsys.readouterr()
    assert out == "word " * 60 + "<U+3164><U+001B>[2J [bold]x[/]\n"


def test_a_terminal_gets_lines_broken_between_words_and_a_path_whole(capsys, monkeypatch):
    from rich.console import Console

    monkeypatch.setattr(
        screen,
        "screen",
        lambda: Console(width=40, force_terminal=True, color_system=None, highlight=False),
    )
    path = "/srv/hospital/" + "a" * 60
    screen.say(f"This is the folder of the hospital now: {path} Back it up.")
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert path in lines
    assert all(len(line) <= 40 for line in lines if line != path)


def test_another_partys_words_stand_behind_a_bar(capsys):
    screen.say_quoted("a long title " * 20)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2
    assert all(line.startswith("  │ ") for line in lines)
    assert all(len(line) <= 100 for line in lines)


def test_a_page_is_written_as_html_where_a_file_is_named(tmp_path, capsys):
    show_page(page("A page", "of words"), str(tmp_path / "p.html"))
    assert "<h1>A page</h1>" in (tmp_path / "p.html").read_text("utf-8")
    out = " ".join(capsys.readouterr().out.split())
    assert "A page" in out
    assert "open it in a browser, or print it" in out
    with pytest.raises(UsageError, match="cannot be written"):
        write_page(page("A page"), str(tmp_path / "none" / "p.html"))


def test_a_page_beside_json_says_nothing(tmp_path, capsys):
    write_page(page("A page"), str(tmp_path / "p.html"))
    assert capsys.readouterr().out == ""


def test_a_file_of_a_hospitals_figures_is_readable_by_its_owner_alone(tmp_path):
    before = os.umask(0)
    try:
        write_page(page("A page"), str(tmp_path / "p.html"))
        write_json({"rows": 1}, str(tmp_path / "p.json"))
    finally:
        os.umask(before)
    assert {f.name: f.stat().st_mode & 0o777 for f in tmp_path.iterdir()} == {
        "p.html": 0o600,
        "p.json": 0o600,
    }
