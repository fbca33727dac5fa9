"""A page in a notebook: HTML in a frame of its own, and the same page as text beside it.

The frame keeps the page's stylesheet from the notebook's and the notebook's from the page's, runs no
script (``sandbox``), and is light or dark as the notebook says of itself.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from securefl.report.html import html_page, window_title
from securefl.report.terminal import plain_text

if TYPE_CHECKING:
    from securefl.report.page import Page

#: The frame scrolls what is longer.
_HEIGHT: Final = "32rem"


def notebook_forms(page: Page) -> dict[str, str]:
    """The page by media type, as a notebook asks for it.

    Args:
        page: of any kind.

    Returns:
        ``text/html`` and ``text/plain``.
    """
    return {
        "text/html": framed(page),
        "text/plain": plain_text(page),
    }


def framed(page: Page) -> str:
    """The page as an inline frame: one element, whatever the page's texts hold."""
    # Without a colour scheme of its own the frame takes the notebook's (JupyterLab declares it).
    style = f"width: 100%; height: {_HEIGHT}; border: 0"
    title = escape(window_title(page))
    inside = escape(html_page(page))
    return f'<iframe sandbox title="{title}" style="{style}" srcdoc="{inside}"></iframe>'
