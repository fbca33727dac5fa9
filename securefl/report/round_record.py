"""A round as the researcher's own process kept it: who contributed, and the hashes of what was added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from securefl.report.page import Code, Page, Table, facts, page, section
from securefl.report.words import bytes_words

if TYPE_CHECKING:
    from collections.abc import Mapping


class OpenedRound(Protocol):
    """A round as the coordinator keeps it: hashes and sizes."""

    @property
    def round(self) -> int:
        """Its number, from 1."""

    @property
    def kind(self) -> str:
        """Kind of its release."""

    @property
    def round_digest(self) -> str:
        """SHA-256 of the round's facts."""

    @property
    def model_sha256(self) -> str:
        """SHA-256 of the model that was sent."""

    @property
    def contributions(self) -> Mapping[str, str]:
        """Hospital to SHA-256 of what it sent."""

    @property
    def sum_sha256(self) -> str:
        """SHA-256 of the sum."""

    @property
    def upload_bytes(self) -> int:
        """Bytes that each hospital sent."""


def round_record_page(record: OpenedRound) -> Page:
    """The page by which a round shows itself in a notebook.

    Args:
        record: of a round whose sum was opened.
    """
    rows = tuple((site, Code(digest)) for site, digest in sorted(record.contributions.items()))
    hashes = [
        ("the round's facts", Code(record.round_digest)),
        ("the model that was sent", Code(record.model_sha256)),
        ("the sum", Code(record.sum_sha256)),
    ]
    return page(
        f"Round {record.round}",
        "One sum of all hospitals below was opened. No hospital's own numbers were seen.",
        facts(
            [
                ("release", record.kind),
                ("sent by each", bytes_words(record.upload_bytes)),
            ]
        ),
        section(
            "Who contributed",
            Table(("hospital", "SHA-256 of what it sent, encrypted"), rows),
        ),
        section(
            "By what it can be checked",
            facts(hashes),
            "`securefl study verify ROUND` adds the round again from what the hospitals signed.",
        ),
    )
