"""Settings of a hospital, to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.report.codes import WITH_PYSYFT, WITHOUT_PYSYFT
from securefl.report.isolation import isolation_spans, wall_words
from securefl.report.page import (
    Code,
    Outside,
    Page,
    Paragraph,
    Tone,
    bullets,
    facts,
    page,
    section,
    when,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.report.isolation import Isolation


def settings_page(
    *,
    name: str,
    legal_name: str,
    email: str,
    store: str,
    folder: str,
    isolation: Isolation,
    version: str,
    rules: Sequence[tuple[str, str]] | None = None,
    has_pysyft: bool = True,
) -> Page:
    """The settings as a page.

    Args:
        name: of the hospital, as in studies.
        legal_name: the full one.
        email: on the card.
        store: where messages pass, without a password.
        folder: where keys and ledger lie.
        isolation: what the machine enforces on the worker.
        version: securefl's.
        rules: of the owner's policy, label and value; None where there is none.
        has_pysyft: whether requests come through PySyft.
    """
    return page(
        "Settings",
        section(
            "This hospital",
            facts(
                [
                    ("name in studies", name),
                    ("full name", Outside(legal_name)),
                    ("address", Outside(email)),
                ]
            ),
        ),
        section(
            "This machine",
            facts(
                [
                    ("folder", Code(folder)),
                    ("store", Code(store)),
                    ("requests", WITH_PYSYFT if has_pysyft else WITHOUT_PYSYFT),
                    ("securefl", version),
                ]
            ),
        ),
        section(
            "Walls round the worker that reads the table",
            bullets(isolation_spans(isolation)),
            facts((f"wall {wall.wall}", wall_words(wall)) for wall in isolation.walls),
        ),
        section(
            "Policy: a request against it cannot be approved",
            facts(rules or ()),
            when(rules is None, Paragraph("None was signed here.", Tone.QUIET)),
        ),
        Paragraph("They are read here, and changed in the folder's `site.toml`.", Tone.QUIET),
    )
