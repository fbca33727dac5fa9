"""The ledger as its owner reads it, and the extract that a researcher gets.

Shares and room, never a difference of epsilons.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias

from rich.console import Group
from rich.text import Text

from securefl.privacy.explain import explain_epsilon, explain_share, percent
from securefl.report.audit_words import KINDS, figure, reason_words, runs, slots, study_name
from securefl.report.parts import (
    BAD,
    DIM,
    GOOD,
    WARN,
    Quoted,
    Records,
    bar,
    bullets,
    day,
    facts,
    joined,
    literal,
    page,
    plain_text,
    plural,
    section,
    title,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from securefl.privacy.audit import AuditReport

Json: TypeAlias = "dict[str, Any]"
_STATUS = {"approved": WARN, "running": WARN, "completed": GOOD, "failed": BAD, "withdrawn": BAD}


def audit_tables(
    report: AuditReport,
    *,
    detail: bool = False,
    fingerprint: str = "",
    reasons: Mapping[str, str] | None = None,
) -> RenderableType:
    """The owner's report as a page.

    Args:
        report: from :func:`securefl.privacy.audit.audit`.
        detail: one line for every release instead of one for every run of rounds.
        fingerprint: of the hospital's card, in the groups that people compare by telephone.
        reasons: of studies that failed, by digest; for the owner's screen only.
    """
    names = {
        s["digest"]: study_name(s["id"], s["digest"]) for d in report.datasets for s in d["studies"]
    }
    names |= {a["study"]: study_name(a["id"], a["study"]) for a in report.approvals}
    parts: list[RenderableType] = [
        title(f"What left {report.site}, and what it cost"),
        _verification(report),
    ]
    if fingerprint:
        parts.append(Text(f"The card of {report.site}: {fingerprint}", style=DIM))
    if report.paused:
        parts.append(
            Text(
                "PAUSED: nothing starts and nothing leaves until `securefl site pause --resume`.",
                style=WARN,
            )
        )
    for population in report.populations:
        parts.append(_population(population))
        parts += [
            _dataset(d, names, reasons or {}, detail=detail)
            for d in report.datasets
            if d["population"] == population["name"]
        ]
    budgeted = {p["name"] for p in report.populations}
    parts += [
        _dataset(d, names, reasons or {}, detail=detail)
        for d in report.datasets
        if d["population"] not in budgeted
    ]
    if not report.populations:
        parts.append(
            section("Budget", "None was granted yet. `securefl site budget set` grants one.")
        )
    if report.refusals_elsewhere:
        parts.append(
            section(
                "Refused: data sets that are not registered here",
                bullets(
                    joined(f"on {r['dataset']}: ", _refusal(r)) for r in report.refusals_elsewhere
                ),
            )
        )
    if len(report.keys) > 1:
        parts.append(
            section(
                "Signing keys, each named by the one before it",
                bullets(
                    f"{k['key'][:16]}… since {day(k['at'])}"
                    + (
                        f", on the card {fingerprint}"
                        if fingerprint and k is report.keys[-1]
                        else ""
                    )
                    for k in report.keys
                ),
            )
        )
    if report.pauses:
        parts.append(section("Pauses", bullets(map(_pause, report.pauses))))
    parts.append(_approvals(report.approvals))
    return page(*parts)


def extract_words(extract: Json) -> str:
    """The researcher's view of one hospital's ledger, as plain text: this study's charges and
    releases only.

    Args:
        extract: from :func:`securefl.privacy.audit.extract`.
    """
    study, held = extract["study"], extract["dataset"]
    ended = f", ended {day(study['ended_at'])}" if study["ended_at"] else ""
    charges = [_charge_words(c) for c in extract["charges"]]
    privacy = explain_epsilon(Decimal(str(extract["epsilon"])), Decimal(str(extract["delta"])))
    body = page(
        title(f"Extract of the audit of {extract['site']}"),
        facts(
            [
                ("study", f"{study_name(study['id'], study['digest'])}: {study['status']}"),
                ("approved", f"{day(study['approved_at'])}{ended}"),
                ("data set", f"{held['name']}, patients of {held['population']}"),
                ("charged", bullets(charges)),
                ("privacy", privacy),
                (
                    "what left",
                    (
                        bullets(map(_run, runs(extract["releases"])))
                        if extract["releases"]
                        else "nothing"
                    ),
                ),
            ]
        ),
    )
    return plain_text(body)


def _verification(report: AuditReport) -> RenderableType:
    if report.verified:
        return Text(
            f"Verified: {plural(report.events, 'event')}, unbroken and signed; the last is"
            f" {report.head[:12]}.",
            style=GOOD,
        )
    return Text.assemble(
        ("NOT VERIFIED: the ledger was altered or damaged. ", BAD),
        literal(report.fault or "", BAD),
        (
            (
                f" {report.next_step or ''} What follows shows the"
                f" {plural(report.events, 'event')} that are unbroken and signed, and nothing"
                " after them."
            ),
            BAD,
        ),
    )


def _population(population: Json) -> RenderableType:
    used = Decimal(str(population["share_used"]))
    grants = [
        f"epsilon {figure(g['epsilon'])} at delta {figure(g['delta'])} on {day(g['at'])}, for"
        f" studies like {g['typical']}"
        for g in population["grants"]
    ]
    return section(
        f"Patients of {population['name']}",
        facts(
            [
                ("budget", bar(used)),
                ("", literal(_share_words(used, population), "bold")),
                ("granted", bullets(grants)),
                *(
                    [("taken back", bullets(map(_revocation, population["revocations"])))]
                    if population["revocations"]
                    else []
                ),
            ]
        ),
    )


def _revocation(revocation: Json) -> str:
    return f"what was left on {day(revocation['at'])}" + (
        f"; {revocation['note']}" if revocation["note"] else ""
    )


def _share_words(used: Decimal, population: Json) -> str:
    if population["revoked"]:
        return (
            f"{percent(used)} of the budget used; the owner took back the rest, so nothing more can"
            " be approved until another grant."
        )
    return explain_share(used, population["studies_like_last"])


def _dataset(
    dataset: Json, names: dict[str, str], reasons: Mapping[str, str], *, detail: bool
) -> RenderableType:
    parts: list[RenderableType] = []
    if dataset["studies"]:
        rows = [
            (
                literal(study_name(s["id"], s["digest"])),
                literal(s["status"], _STATUS.get(s["status"], "")),
                literal(percent(Decimal(str(s["share"])))),
                literal(day(s["approved_at"])[:10]),
                literal(day(s["ended_at"])[:10] if s["ended_at"] else "–"),
            )
            for s in dataset["studies"]
        ]
        parts.append(Records(["study", "status", "share", "approved", "ended"], rows, right=[2]))
        for s in dataset["studies"]:
            if s["digest"] in reasons:  # which may repeat another party's words
                parts += [
                    literal(f"{names[s['digest']]} failed:"),
                    Quoted(reasons[s["digest"]]),
                    Text(""),
                ]
    else:
        parts.append(Text("No study was approved.", style=DIM))
    parts += [_left(dataset, names, detail=detail), *_unsent(dataset, names)]
    if dataset["refusals"]:
        parts += [
            Text("Refused", style="bold"),
            bullets(map(_refusal, dataset["refusals"])),
            Text(""),
        ]
    spent = dataset["spent"]
    if spent["epsilon_rdp"]:
        parts.append(
            Text(
                f"For specialists: all its studies together, epsilon {figure(spent['epsilon_pld'])}"
                f" by PLD, {figure(spent['epsilon_rdp'])} by RDP at the budget's order. The budget"
                " is enforced by RDP.",
                style=DIM,
            )
        )
    return section(f"Data set {dataset['name']}", *parts)


def _left(dataset: Json, names: dict[str, str], *, detail: bool) -> RenderableType:
    lines: dict[str, list[str]] = {}
    for digest, of_study in groupby(dataset["releases"], key=lambda r: r["study"]):
        listed = list(of_study)
        lines.setdefault(digest, []).extend(
            map(_single, listed) if detail else map(_run, runs(listed))
        )
    for s in dataset["studies"]:
        if s["answers"]:
            lines.setdefault(s["digest"], []).append(
                f"{plural(s['answers'], 'answer')} that took the masks off a sum"
            )
    if not lines:
        return Text("Nothing left the house.", style=DIM)
    rows: list[tuple[str, RenderableType | str]] = [
        (names.get(digest, digest[:12]), bullets(said)) for digest, said in lines.items()
    ]
    return Group(Text("What left the house", style="bold"), facts(rows), Text(""))


def _unsent(dataset: Json, names: dict[str, str]) -> list[RenderableType]:
    """What studies paid for and have not sent; a study that never started pays nothing."""
    rows: list[tuple[str, RenderableType | str]] = []
    for s in dataset["studies"]:
        yet = "not sent yet" if s["status"] in {"approved", "running"} else "charged, never sent"
        open_ = [
            f"{yet}: {KINDS[slot.charge['kind']][1]}, {slot.unsent:,} of {slot.reserved:,}"
            for slot in slots(s).values()
            if slot.unsent and s["share"]
        ]
        if open_:
            rows.append((names.get(s["digest"], s["digest"][:12]), bullets(open_)))
    return [Text("Paid for beside that", style="bold"), facts(rows), Text("")] if rows else []


def _single(release: Json) -> str:
    return f"round {release['round']}: {KINDS[release['kind']][0]}, {day(release['at'])}"


def _run(run: list[Json]) -> str:
    first, last = run[0], run[-1]
    if first is last:
        return _single(first)
    until = day(last["at"])[11:] if first["at"][:10] == last["at"][:10] else day(last["at"])
    since = day(first["at"])
    when = since if since == day(last["at"]) else f"{since.removesuffix(' UTC')} to {until}"
    return (
        f"rounds {first['round']} to {last['round']}: {plural(len(run), *KINDS[first['kind']])},"
        f" {when}"
    )


def _refusal(refusal: Json) -> Text:
    figures = ""
    if refusal["asked"] is not None and refusal["left"] is not None:
        asked, left = (Decimal(str(refusal[k])) for k in ("asked", "left"))
        figures = (
            f": it asked for {percent(asked)} of the budget, {percent(left, rounding=ROUND_FLOOR)}"
            " was left"
        )
    reason: str = refusal["reason"]
    note = f"; {refusal['note']}" if refusal["note"] else ""
    return joined(
        f"{study_name(refusal['id'], refusal['study'])}, {day(refusal['at'])}: ",
        literal(reason_words(reason), WARN),
        figures,
        note,
    )


def _pause(pause: Json) -> str:
    until = f"until {day(pause['until'])}" if pause["until"] else "it lasts"
    return f"from {day(pause['at'])}, {until}" + (f"; {pause['note']}" if pause["note"] else "")


def _approvals(approvals: Sequence[Json]) -> RenderableType:
    if not approvals:
        return section("Approvals", Text("None.", style=DIM))
    rows = [
        (
            literal(study_name(a["id"], a["study"])),
            literal(a["researcher"]),
            literal(day(a["at"])),
            literal(a["statement"][:12], DIM),
        )
        for a in approvals
    ]
    return section(
        "Approvals", Records(["study", "asked by", "approved", "signed statement"], rows)
    )


def _charge_words(charge: Json) -> str:
    steps = charge["steps"]
    rate = (
        ""
        if charge["sample_rate"] in {"1", "1/1"}
        else f", each on {charge['sample_rate']} of the patients at random"
    )
    return (
        f"{plural(steps, *KINDS[charge['kind']])}{rate}, noise multiplier"
        f" {charge['noise_multiplier']}"
    )
