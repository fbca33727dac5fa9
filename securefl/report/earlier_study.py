"""Section of a request that continues an earlier study: which one, what it cost, who is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from securefl.privacy.explain import percent
from securefl.report.page import Code, Outside, Paragraph, Quoted, Tone, facts, section, when

if TYPE_CHECKING:
    from decimal import Decimal

    from securefl.report.page import Section

#: Why a start from a released model costs nothing of its own, and what is charged.
PUBLIC_START: Final = (
    "Its first weights are a released model: noise was added before anybody saw it, so to go on from"
    " it takes nothing more from your patients. The new rounds are charged as those of any study."
)
SAME_START: Final = (
    "This hospital worked out that model itself when the earlier study ran, and the weights are the"
    " same, to the last bit."
)
UNCHECKED_START: Final = (
    "This hospital has no record of that model, so it cannot compare. The weights stand in the study"
    " file, the same for all; your patients' privacy does not depend on them."
)


class Continued(NamedTuple):
    """An earlier study whose model is trained on, as one hospital knows it.

    Attributes:
        digest: of the earlier study.
        line: names of the versions before, the newest first.
        name: of the earlier study; empty where it is not known here.
        title: in the researcher's words.
        state: of it in this hospital's ledger; empty where it took no part.
        spent: its part of the budget here, 0 to 1; None where it took no part.
        joined: hospitals that are new in this version.
        left: hospitals that took part then and do not now.
        checked: its model is the one that this hospital worked out itself.
    """

    digest: str
    line: tuple[str, ...] = ()
    name: str = ""
    title: str = ""
    state: str = ""
    spent: Decimal | None = None
    joined: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    checked: bool = False


def continued_section(earlier: Continued) -> Section:
    """The section, on the page of a request."""
    start = Paragraph(UNCHECKED_START, Tone.WARN)
    if earlier.checked:
        start = Paragraph(SAME_START, Tone.GOOD)
    spent = None
    if earlier.spent is not None:
        spent = f"{percent(earlier.spent)} of your budget, which stays spent"
    return section(
        "The study that it continues",
        facts(
            [
                ("earlier study", Outside(earlier.name) if earlier.name else "not known here"),
                ("digest", Code(earlier.digest)),
                ("title", Quoted(earlier.title) if earlier.title else None),
                ("it took", spent),
                ("new since then", Outside(", ".join(earlier.joined)) if earlier.joined else None),
                ("gone since then", Outside(", ".join(earlier.left)) if earlier.left else None),
                (
                    "versions before",
                    Outside(", ".join(earlier.line)) if len(earlier.line) > 1 else None,
                ),
            ]
        ),
        PUBLIC_START,
        start,
        when(
            bool(earlier.state) and earlier.state != "completed",
            Paragraph("The earlier study was not completed at this hospital.", Tone.WARN),
        ),
    )
