"""Error as a person should meet it: what was wrong, who can mend it, what to do next (rule 8).

Never a traceback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.report.characters import needs_own_lines
from securefl.report.page import Facts, Notice, Page, Quoted, Tone, Value, facts
from securefl.study.words import USUAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from securefl.errors import SecureFLError
    from securefl.study.words import Words

_HEADING = "This did not work"


def error_page(error: SecureFLError, words: Words = USUAL) -> Page:
    """The error in a frame, in a study's nouns."""
    told = error_facts(error, words)
    return Page("", (Notice(_HEADING, (told,), Tone.BAD),), window=_HEADING)


def error_facts(
    error: SecureFLError,
    words: Words = USUAL,
    *,
    quoted: bool = False,
) -> Facts:
    """The error's three parts, without a frame; parts that are empty are left out.

    Args:
        error: what went wrong.
        words: nouns of the study that it is about.
        quoted: set a bar before each line of what was wrong, since it may repeat another party's
            words and no frame is around it.
    """
    return _told((error,), words, quoted=quoted)


def errors_facts(errors: Iterable[SecureFLError], words: Words) -> list[Facts]:
    """Several errors, as :func:`error_facts` shows one with its bars.

    What the same person mends in the same way is told together.
    """
    alike: dict[tuple[str, str], list[SecureFLError]] = {}
    for error in errors:
        alike.setdefault((error.whose, error.next_step), []).append(error)
    return [_told(group, words, quoted=True) for group in alike.values()]


def _told(errors: Sequence[SecureFLError], words: Words, *, quoted: bool) -> Facts:
    """What was wrong, a line for each of ``errors``; who mends the first one, and how."""
    label = "What"
    rows: list[tuple[str, Value]] = []
    for error in errors:
        wrong = words.say(error.what)
        what = _words(wrong.strip("\n"))
        if quoted and error.repeats_others:
            what = Quoted(wrong, fill=False)
        if wrong:
            rows.append((label, what))
            label = ""
    whose = words.say(errors[0].whose)
    step = words.say(errors[0].next_step)
    if whose:
        rows.append(("Who can mend it", _words(whose)))
    if step:
        rows.append(("Next", _words(step)))
    return facts(rows)


def _words(text: str) -> Value:
    # an error of several lines may repeat a file's own words: none of its lines may look like the
    # page's and marks or scripts from right to left are shown as they are on lines of their own
    # only
    if "\n" in text or needs_own_lines(text):
        return Quoted(text, fill=False)
    return text
