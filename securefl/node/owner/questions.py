"""Questions on a request: the owner asks, the researcher answers, both signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.node import questions
from securefl.node.owner.requests import check_undecided

if TYPE_CHECKING:
    from securefl.federation.questions import Question
    from securefl.node.site import Site


def ask(site: Site, name: str, words: str) -> Question:
    """Ask the researcher a question on a request that waits.

    Raises:
        UsageError: no request, or several, have that name; the text is none; too many were asked.
        NotApprovedError: it was decided before.
    """
    request = check_undecided(site, name)
    return questions.ask(site, request.digest, words)
