"""Egress page of a bundle: what leaves a place by files, for the person who lets it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from securefl.report.page import (
    Code,
    Page,
    Paragraph,
    Quoted,
    Section,
    Table,
    bullets,
    facts,
    page,
    section,
    when,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What an object holds, for a reader who knows no cryptography.
_HOLDS: Final = {
    "signed": "signed words of a fixed form",
    "ciphertext": "encrypted numbers, noised before",
    "sealed": "sealed to its readers",
}


class Carried(Protocol):
    """One object (:class:`securefl.party.airlock.facts.CarriedObject`)."""

    @property
    def kind(self) -> str:
        """Its word."""

    @property
    def holds(self) -> str:
        """Its contents."""

    @property
    def writer(self) -> str:
        """Its maker."""

    @property
    def bytes(self) -> int:
        """Its length."""

    @property
    def context(self) -> bool:
        """Repeated from outside."""


class OfStudy(Protocol):
    """A study (:class:`securefl.party.airlock.facts.CarriedStudy`)."""

    @property
    def name(self) -> str:
        """Of the study."""

    @property
    def title(self) -> str:
        """In the researcher's words."""

    @property
    def digest(self) -> str:
        """Of the study."""

    @property
    def epsilon(self) -> str:
        """The most that it can cost."""

    @property
    def delta(self) -> str:
        """Of that epsilon."""

    @property
    def approved_by(self) -> Sequence[str]:
        """Hospitals."""

    @property
    def rounds(self) -> Sequence[int]:
        """In the bundle."""

    @property
    def last_round(self) -> int:
        """Of the study."""


class Bundle(Protocol):
    """A checked bundle (:class:`securefl.party.airlock.facts.BundleFacts`)."""

    @property
    def party(self) -> str:
        """Its sender."""

    @property
    def role(self) -> str:
        """Of the sender."""

    @property
    def fingerprint(self) -> str:
        """Of the sender's card."""

    @property
    def to(self) -> str:
        """Its reader."""

    @property
    def number(self) -> int:
        """Among the sender's."""

    @property
    def made(self) -> str:
        """When."""

    @property
    def manifest_sha256(self) -> str:
        """Of its list."""

    @property
    def objects(self) -> Sequence[Carried]:
        """All of them."""

    @property
    def studies(self) -> Sequence[OfStudy]:
        """Of which they are."""

    @property
    def bytes(self) -> int:
        """All together."""


def egress_page(found: Bundle) -> Page:
    """The page; only a bundle that passed every check has one."""
    return page(
        f"Bundle {found.number} of {found.party} to {found.to}",
        section(
            "What was checked",
            facts(
                [
                    ("sender", f"{found.party}, {found.role}"),
                    ("fingerprint", Code(found.fingerprint)),
                    ("made", found.made),
                    ("SHA-256 of the list", Code(found.manifest_sha256)),
                    ("objects", f"{len(found.objects):,}, {found.bytes:,} bytes together"),
                ]
            ),
            bullets(_held()),
        ),
        section(
            "What is in it",
            Table(
                ("object", "of", "number", "bytes", "what it holds"),
                tuple(_rows(found.objects)),
            ),
        ),
        *(_study_section(study) for study in found.studies),
        section("What no check can show", bullets(_open(found))),
    )


def _held() -> list[str]:
    return [
        (
            "The list is signed by the sender. Every file is on it, with its length and hash; there is"
            " no other file."
        ),
        (
            "Every object has a name that the rounds of a study know, is signed by whom it should be,"
            " and is no longer than the study's plan allows."
        ),
        "Every contribution is ciphertexts of the announced round: its form was read to the end.",
        "Nothing that is sealed can be made shorter, as text and tables can.",
    ]


def _rows(objects: Sequence[Carried]) -> list[tuple[str, ...]]:
    """One row for each kind and writer."""
    groups: dict[tuple[str, str, str, bool], list[int]] = {}
    for one in objects:
        key = (one.kind, one.writer, one.holds, one.context)
        groups.setdefault(key, []).append(one.bytes)
    rows: list[tuple[str, ...]] = []
    for (kind, writer, holds, context), sizes in sorted(groups.items()):
        what = _HOLDS[holds]
        if context:
            what = "public, repeated for the check"
        rows.append((kind, writer, f"{len(sizes):,}", f"{sum(sizes):,}", what))
    return rows


def _study_section(study: OfStudy) -> Section:
    rounds = "none"
    if study.rounds:
        rounds = f"{', '.join(map(str, study.rounds))} of {study.last_round}"
    return section(
        study.name,
        Quoted(study.title),
        facts(
            [
                ("digest", Code(study.digest)),
                ("most it can cost a patient", f"epsilon {study.epsilon} at delta {study.delta}"),
                ("approved, signed by", ", ".join(study.approved_by) or "nobody in this bundle"),
                ("rounds", rounds),
            ]
        ),
        when(
            not study.approved_by,
            Paragraph(
                "Without an approval a hospital lets out only questions to the researcher, its"
                " refusal, and the place of its ledger."
            ),
        ),
    )


def _open(found: Bundle) -> list[str]:
    lines = [
        (
            "What is inside a ciphertext: only its reader can open it. That the noise was added before"
            " is for the sender's ledger to say (`securefl audit`)."
        ),
    ]
    if found.role == "hospital":
        lines.append(
            "Whether somebody who holds this hospital's keys put something else under a seal."
        )
    return lines
