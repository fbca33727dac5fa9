"""Mistakes in a form of the console are told in the owner's language."""

import ast
from pathlib import Path

import pytest

import securefl.console
from securefl.errors import UsageError
from securefl.report.catalogue import LANGUAGES, catalogue
from securefl.report.errors import error_page
from securefl.report.terminal import plain_text

ROOM = Path(securefl.console.__file__).parent
#: Told where the console was started, and not in it.
IN_THE_TERMINAL = "server.py"


def text_of(node):
    """A literal as it is said, with a word in each of its places."""
    if isinstance(node, ast.Constant):
        return node.value
    return "".join(part.value if isinstance(part, ast.Constant) else "it" for part in node.values)


def sentences_of(call):
    what, *_ = call.args
    steps = [word.value for word in call.keywords if word.arg == "next_step"]
    return [text_of(part) for part in (what, *steps)]


def mistakes():
    found = []
    for file in sorted(ROOM.rglob("*.py")):
        if file.name == IN_THE_TERMINAL:
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "UsageError":
                found += sentences_of(node)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_mistake_that_the_console_names_is_in_the_catalogue(language):
    said = mistakes()
    assert len(said) > 15
    speech = catalogue(language)
    assert [sentence for sentence in said if not speech.knows(sentence)] == []


def test_a_mistake_is_told_in_german_with_what_was_typed_as_it_was():
    error = UsageError(
        "What you typed is not first. Nothing was done.",
        next_step="Go back, and type the name as it stands above the field.",
    )
    framed = plain_text(catalogue("de").page(error_page(error)))
    shown = " ".join(framed.replace("│", "").split())
    assert "ist nicht first. Es wurde nichts getan." in shown
    assert "Gehen Sie zurück" in shown
