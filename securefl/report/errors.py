"""An error as a person should meet it: what was wrong, who can mend it, what to do next; never a
traceback (rule 8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import Box
from rich.panel import Panel
from rich.text import Text

from securefl.report.characters import needs_own_lines
from securefl.report.parts import BAD, Quoted, facts, literal, page

if TYPE_CHECKING:
    from rich.console import RenderableType

    from securefl.errors import SecureFLError


#: A frame that is open to the right: a border there would have to know how wide the screen draws
#: every character before it.
_FRAME = Box("╭──╮\n│   \n├── \n│   \n├── \n├── \n│   \n╰──╯\n")


def error_panel(error: SecureFLError) -> RenderableType:
    """The error in a frame."""
    return page(
        Panel(
            error_facts(error),
            title=Text("This did not work", style=BAD),
            title_align="left",
            border_style="red",
            padding=(0, 1),
            box=_FRAME,
        )
    )


def error_facts(error: SecureFLError, *, quoted: bool = False) -> RenderableType:
    """The error's three parts, without a frame; parts that are empty are left out.

    Args:
        error: what went wrong.
        quoted: set a bar before each line of what was wrong, since it may repeat another party's
            words and no frame is around it.
    """
    what = Quoted(error.what, fill=False) if quoted else _words(error.what.strip("\n"))
    parts = (
        ("What", what, error.what),
        ("Who can mend it", _words(error.whose), error.whose),
        ("Next", _words(error.next_step), error.next_step),
    )
    return facts((label, shown) for label, shown, text in parts if text)


def _words(text: str) -> RenderableType:
    # an error of several lines may repeat a file's own words: none of its lines may look like the
    # page's and marks or scripts from right to left are shown as they are on lines of their own
    # only
    return Quoted(text, fill=False) if "\n" in text or needs_own_lines(text) else literal(text)
