"""Error as a person should meet it: what was wrong, who can mend it, what to do next (rule 8).

Never a traceback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.report.characters import needs_own_lines
from securefl.report.page import Facts, Notice, Page, Quoted, Tone, Value, facts

if TYPE_CHECKING:
    from securefl.errors import SecureFLError

_HEADING = "This did not work"


def error_page(error: SecureFLError) -> Page:
    """The error in a frame."""
    return Page("", (Notice(_HEADING, (error_facts(error),), Tone.BAD),), window=_HEADING)


def error_facts(error: SecureFLError, *, quoted: bool = False) -> Facts:
    """The error's three parts, without a frame; parts that are empty are left out.

    Args:
        error: what went wrong.
        quoted: set a bar before each line of what was wrong, since it may repeat another party's
            words and no frame is around it.
    """
    what = _words(error.what.strip("\n"))
    if quoted:
        what = Quoted(error.what, fill=False)
    parts = (
        ("What", what, error.what),
        ("Who can mend it", _words(error.whose), error.whose),
        ("Next", _words(error.next_step), error.next_step),
    )
    return facts((label, shown) for label, shown, text in parts if text)


def _words(text: str) -> Value:
    # an error of several lines may repeat a file's own words: none of its lines may look like the
    # page's and marks or scripts from right to left are shown as they are on lines of their own
    # only
    if "\n" in text or needs_own_lines(text):
        return Quoted(text, fill=False)
    return text
