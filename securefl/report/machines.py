"""Machines of a consortium beside one study: who says that it can take part, and with which figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from securefl.report.page import (
    Code,
    Moment,
    Page,
    Paragraph,
    Quoted,
    Span,
    Table,
    Tone,
    facts,
    page,
    section,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.report.page import Section, Words


class MachineLine(NamedTuple):
    """A party's report as one reader finds it.

    Attributes:
        report: its fields by name, verified; None where there is none.
        fault: why one that is there does not count; empty where nothing does.
    """

    report: Mapping[str, Any] | None = None
    fault: str = ""

    @property
    def state(self) -> str:
        """Its state in two words."""
        if self.fault:
            return "refused"
        if self.report is None:
            return "no report"
        if self.report["failed"]:
            return "not ready"
        return "ready"


@dataclass(frozen=True)
class MachinesFacts:
    """Reports on one study as one party finds them.

    Attributes:
        study: its name.
        digest: SHA-256 (hex).
        reader: whose list of trusted cards was used.
        found: by party, in the agreement's order.
    """

    study: str
    digest: str
    reader: str
    found: Mapping[str, MachineLine]

    @property
    def ready(self) -> bool:
        """True if every party's machine can take part, by its own signed word."""
        return all(line.state == "ready" for line in self.found.values())

    def to_json(self) -> dict[str, Any]:
        """The facts as plain JSON values."""
        return {
            "schema": "securefl-consortium-ready/1",
            "study": self.study,
            "digest": self.digest,
            "reader": self.reader,
            "ready": self.ready,
            "parties": [
                {
                    "party": name,
                    "state": line.state,
                    "fault": line.fault or None,
                    "report": line.report,
                }
                for name, line in self.found.items()
            ],
        }


def machines_page(found: MachinesFacts) -> Page:
    """The page."""
    return page(
        "Machines for a study",
        _verdict(found),
        _codes(found),
        facts([("study", Quoted(found.study)), ("digest", Code(found.digest))]),
        _states(found),
        *(_figures(name, one) for name, one in found.found.items() if one.report is not None),
        Paragraph(
            "Each line is a party's own signed word about its machine. It was measured without any"
            " patient's row, and nobody else has checked it.",
            Tone.QUIET,
        ),
    )


def _verdict(found: MachinesFacts) -> Paragraph:
    waiting = [name for name, one in found.found.items() if one.state != "ready"]
    if not waiting:
        return Paragraph("Every party says that its machine can take part.", Tone.GOOD)
    return Paragraph(f"Not ready yet: {', '.join(waiting)}.", Tone.WARN)


def _codes(found: MachinesFacts) -> Paragraph | None:
    """A warning where machines with one version run different code; studies only name the version."""
    reports = [one.report for one in found.found.values() if one.report is not None]
    versions = {(report["securefl"], report["lock"]) for report in reports}
    codes = {(report["securefl"], report["lock"], report["code"]) for report in reports}
    if len(codes) == len(versions):
        return None
    return Paragraph(
        "Machines with the same version run different code: one of them is a checkout or was"
        " changed. Compare the lines below, and install the same release.",
        Tone.WARN,
    )


def _states(found: MachinesFacts) -> Table:
    return Table(
        heads=("party", "machine", "why"),
        rows=tuple(_row(name, one) for name, one in found.found.items()),
    )


def _row(name: str, line: MachineLine) -> tuple[Words, ...]:
    tone = {"ready": Tone.GOOD, "refused": Tone.BAD}.get(line.state, Tone.WARN)
    why = line.fault
    if line.report is not None:
        why = ", ".join(line.report["failed"])
    return (name, Span(line.state, tone), why)


def _figures(name: str, line: MachineLine) -> Section | None:
    report = line.report
    if report is None:
        return None
    return section(
        name,
        facts(
            [
                ("measured", Moment(report["at"])),
                (
                    "securefl",
                    f"{report['securefl']}, lock {report['lock'][:12]}, code {report['code'][:12]}",
                ),
                ("cores", f"{report['cores']:,}"),
                ("free memory", f"{report['memory_mb']:,} MB"),
                ("free disk", f"{report['disk_mb']:,} MB"),
                ("open files", f"{report['open_files']:,}"),
                ("store, there and back", _measured(report["store_ms"], "ms")),
                ("slowest answer", _measured(report["round_ms"], "ms")),
                ("memory of the worker", _measured(report["worker_mb"], "MB")),
            ]
        ),
    )


def _measured(value: int, unit: str) -> str | None:
    """A figure with its unit; None where it was not measured, and is left out."""
    if not value:
        return None
    return f"{value:,} {unit}"
