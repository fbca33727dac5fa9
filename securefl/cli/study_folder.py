"""The researcher's folder that a command of ``securefl study`` works in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.cli.nouns import speak, speak_as_folder
from securefl.cli.screen import folder_option

if TYPE_CHECKING:
    from securefl.api import Lab, Study

researcher_option = folder_option("researcher", "SECUREFL_RESEARCHER")


def open_lab(folder: str | None) -> Lab:
    """The folder named on the command line, else by the environment, else the current one.

    Raises:
        UsageError: it is no researcher's folder.
    """
    from securefl.api import connect
    from securefl.party.folder import find_folder

    place = find_folder(folder, "SECUREFL_RESEARCHER")
    speak_as_folder(place)
    return connect(place)


def open_study(folder: str | None, name: str) -> Study:
    """A study of the folder, in whose nouns the command speaks from now on.

    Raises:
        UsageError: it is no researcher's folder, or none or several studies fit the name.
    """
    found = open_lab(folder).study(name)
    speak(found.file.words)
    return found


def folder_hint(folder: str | None) -> str:
    """The option that makes a next command work from where this one was typed."""
    if folder:
        return f" --researcher {folder}"
    return ""
