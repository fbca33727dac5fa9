"""All files that a hospital signs for itself, for whoever goes through them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from securefl.node.notices.notice_settings import NOTICES_FILE
from securefl.node.own_policy import POLICY_FILE
from securefl.node.people import PEOPLE_FILE

if TYPE_CHECKING:
    from securefl.node.own_signed import OwnSigned
    from securefl.node.site import Site

OWN_FILES: Final[tuple[OwnSigned, ...]] = (POLICY_FILE, PEOPLE_FILE, NOTICES_FILE)


def note_own_files(site: Site) -> None:
    """Tell the ledger of the files that an earlier version of securefl signed without it.

    From then on nobody takes one away by hand.
    """
    with site.deciding():
        for file in OWN_FILES:
            file.adopt(site)
