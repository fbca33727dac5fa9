"""Opening a link in a browser without telling it to the machine's other users.

The arguments of a process are seen by all of them. So the browser is given the name of a file that
the owner alone reads (0600), and the file leads on to the link.
"""

from __future__ import annotations

import html
import webbrowser
from typing import TYPE_CHECKING

from securefl.files import replace_file

if TYPE_CHECKING:
    from pathlib import Path

_PAGE = (
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>securefl console</title>'
    '<meta name="referrer" content="no-referrer">'
    '<meta http-equiv="refresh" content="0; url={link}">'
    '<p><a href="{link}">Open the console</a></p>'
)


def link_file(folder: Path, link: str) -> Path:
    """Write the page that leads to a link; the one before is replaced."""
    path = _path(folder)
    replace_file(path, _PAGE.format(link=html.escape(link)).encode())
    return path


def open_in_browser(folder: Path, link: str) -> bool:
    """Open a link in the user's browser; False where there is none."""
    return webbrowser.open(link_file(folder, link).as_uri())


def erase_link_file(folder: Path) -> None:
    """Remove the page; harmless when there is none."""
    _path(folder).unlink(missing_ok=True)


def _path(folder: Path) -> Path:
    return folder / "console.html"
