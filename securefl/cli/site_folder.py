"""The hospital's folder that a command of ``securefl site`` works in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.cli.nouns import speak_as_folder
from securefl.cli.screen import folder_option

if TYPE_CHECKING:
    from securefl.node.owner.folder import Site

site_option = folder_option("site", "SECUREFL_SITE")


def open_site(folder: str | None) -> Site:
    """The folder named on the command line, else by the environment, else the current one.

    Raises as ``Site.at``.
    """
    from securefl.node.owner import folder as owner
    from securefl.party.folder import find_folder

    place = find_folder(folder, "SECUREFL_SITE")
    speak_as_folder(place)
    return owner.open_site(place)
