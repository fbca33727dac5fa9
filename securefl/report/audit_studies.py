"""Studies on the audit's page: what was approved, what left, what was refused."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from securefl.privacy.explain import percent, shared_sentence
from securefl.report.audit_words import (
    Numbered,
    cost_of,
    figure,
    noise_words,
    nouns,
    part_words,
    reason_words,
    runs,
    study_name,
)
from securefl.report.charts import Sent, releases
from securefl.report.page import (
    Code,
    Details,
    Lines,
    Moment,
    Outside,
    Paragraph,
    RowGroup,
    Span,
    State,
    Table,
    Tone,
)
from securefl.report.words import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.report.audit_words import Json
    from securefl.report.page import Block, Picture, Row, Value, Words

#: A status as words with a mark, never by colour alone.
_STATES = {
    "approved": State("○ approved, not started", Tone.WARN),
    "running": State("▸ running", Tone.WARN),
    "completed": State("✓ completed", Tone.GOOD),
    "failed": State("✕ failed", Tone.BAD),
    "withdrawn": State("✕ withdrawn by the owner", Tone.BAD),
}


def studies_table(studies: Sequence[Numbered]) -> Table:
    """The studies with their states, times and costs."""
    return Table(
        (
            "No.",
            "Study",
            "Status",
            "Approved",
            "Started",
            "Ended",
            "Share of the budget",
            "Own epsilon",
        ),
        tuple(map(_study_row, studies)),
        right=frozenset({6, 7}),
        caption=(
            "Studies in the order of approval. Times are UTC. Epsilons of studies do not add up;"
            " shares do."
        ),
    )


def _study_row(s: Numbered) -> Row:
    study = s.study
    lines: list[Words] = [_STATES[study["status"]]]
    if study["note"]:
        lines.append(("Note: ", Outside(study["note"])))
    if not study["share"]:
        lines.append("It never started: nothing is charged.")
    if study["walls"] is not None:
        held = ", ".join(study["walls"]) or "none"
        lines.append(f"Walls round its worker: {held}")
        if "network" not in study["walls"]:
            lines.append(Span("Its worker's network was NOT blocked", Tone.BAD))
    if (alone := study["terms"].get("epsilon_if_masks_fail")) is not None:
        lines.append(shared_sentence(alone))
    return (
        str(s.number),
        _study(s.name, s.dataset, study["researcher"]),
        Lines(tuple(lines)),
        _moment(study["approved_at"]),
        _moment(study["started_at"]),
        _moment(study["ended_at"]),
        percent(Decimal(str(study["share"]))),
        figure(study["epsilon"]),
    )


def _moment(time: str | None) -> Span:
    if time is None:
        return Span("–")
    return Moment(time)


def _study(name: str, dataset: str, researcher: str) -> Lines:
    where = ("on ", Outside(dataset), ", asked by ", Outside(researcher))
    return Lines((Span(name, Tone.STRONG), where))


def approvals_table(site: str, studies: Sequence[Numbered]) -> Table:
    """Approved studies with who asked for them and the digests that were signed."""
    return Table(
        ("No.", "Approved", "Asked by", "Digest of the study", "SHA-256 of the signed approval"),
        tuple(
            (
                str(s.number),
                _moment(s.study["approved_at"]),
                Outside(s.study["researcher"]),
                Code(s.study["digest"]),
                Code(s.study["statement"]),
            )
            for s in studies
        ),
        caption=(
            f"Each study was approved once, by the data owner of {site} with this hospital's key,"
            " and for exactly this digest. Times are UTC."
        ),
    )


def releases_part(
    population: Json | None,
    studies: Sequence[Numbered],
    *,
    detail: bool,
) -> list[Block]:
    """Every release of some studies: a picture, a table by runs of rounds, and each one on demand.

    Args:
        population: theirs, or None where it has no budget.
        studies: the studies.
        detail: every release is listed openly.
    """
    if not studies:
        return [Paragraph("Nothing left the hospital.", Tone.QUIET)]
    cap = population["filter"]["cap"] if population else None
    return [
        _releases_picture(studies),
        Table(
            (
                "Rounds",
                "What",
                "Noise multiplier",
                "Patients in a step",
                "Steps",
                "Cost",
                "First and last",
            ),
            groups=tuple(RowGroup(_over(s), tuple(_run_rows(s, cap))) for s in studies),
            right=frozenset({2, 3, 4, 5}),
            caption=(
                "What left, by study and run of rounds; nothing else about patients is released."
                " Costs are shares of the budget, rounded up. Times are UTC."
            ),
        ),
        *_on_paper(detail=detail),
        *(_every(s, cap, detail=detail) for s in studies if s.releases),
    ]


def _on_paper(*, detail: bool) -> list[Block]:
    """The way to a paper that lists every release, where this one does not."""
    if detail:
        return []
    words = (
        "Every single release is listed in the page's file on a screen, or on paper with ",
        Code("securefl audit --html FILE --detail"),
        ".",
    )
    return [Paragraph(words, Tone.QUIET, paper=True)]


def _releases_picture(studies: Sequence[Numbered]) -> Picture:
    rows = []
    for s in studies:
        sent = sum(slot.sent for slot in s.slots.values())
        reserved = sum(slot.reserved for slot in s.slots.values())
        rows.append(
            Sent(
                f"{s.number}  {s.name}",
                sent,
                reserved,
                f"{sent:,} of {reserved:,}",
            )
        )
    return releases(
        rows,
        "Noised steps and checks sent, of those reserved, by study:",
        caption="Noised steps, checks and statistics of each study.",
    )


def _over(s: Numbered) -> Words:
    share = "none"
    if s.study["share"]:
        share = percent(Decimal(str(s.study["share"])))
    left = plural(len(s.releases), "release")
    if s.study["answers"]:
        left += f" and {plural(s.study['answers'], 'unmasking answer')}"
    return f"{s.number}  {s.name}: {left}; charged: {share} of the budget"


def _cost(amount: float, cap: float | None) -> str:
    if cap is None:
        return ""
    return part_words(amount / cap)


def _run_rows(s: Numbered, cap: float | None) -> list[Row]:
    running = s.study["status"] in {"approved", "running"}
    yet = "charged, never sent"
    if running:
        yet = "not sent yet"
    unsent = [slot for slot in s.slots.values() if slot.unsent and s.study["share"]]
    rows = [_run_row(run, s, cap) for run in runs(s.releases)]
    rows += [
        (
            "–",
            f"{yet}: {nouns(slot.charge['kind'])[1]}",
            *_mechanism(slot.charge),
            f"{slot.unsent:,}",
            _cost(slot.unsent * slot.one, cap),
            "–",
        )
        for slot in unsent
    ]
    return rows or [("–", "nothing was sent and nothing is charged", "", "", "", "", "–")]


def _run_row(run: Sequence[Json], s: Numbered, cap: float | None) -> Row:
    first = run[0]
    last = run[-1]
    when: Value = Moment(first["at"])
    rounds = str(first["round"])
    if first is not last:
        rounds = f"{first['round']} to {last['round']}"
        when = (Moment(first["at"]), " to ", Moment(last["at"]))
    return (
        rounds,
        plural(len(run), *nouns(first["kind"])),
        *_mechanism(first),
        f"{sum(r['steps'] for r in run):,}",
        _cost(sum(cost_of(r, s.slots) for r in run), cap),
        when,
    )


def _mechanism(entry: Json) -> tuple[str, str]:
    rate = entry["sample_rate"]
    return (noise_words(entry), "all" if rate in {"1", "1/1"} else rate)


def _every(s: Numbered, cap: float | None, *, detail: bool) -> Details:
    rows = tuple(
        (
            str(r["round"]),
            nouns(r["kind"])[0],
            *_mechanism(r),
            str(r["steps"]),
            _cost(cost_of(r, s.slots), cap),
            Moment(r["at"]),
        )
        for r in sorted(s.releases, key=lambda r: (r["at"], r["round"]))
    )
    listed = Table(
        ("Round", "What", "Noise multiplier", "Patients in a step", "Steps", "Cost", "When"),
        rows,
        right=frozenset({2, 3, 4, 5}),
        caption=f"Every release of study {s.number}, {s.name}",
    )
    return Details(f"Every release of study {s.number} ({len(rows):,})", (listed,), open=detail)


def refusals_part(refusals: Sequence[tuple[str, Json]]) -> Block:
    """Every refusal with its figures: ``(data set, refusal)``."""
    if not refusals:
        return Paragraph("Nothing was refused.", Tone.QUIET)
    return Table(
        ("When", "Study", "Why", "Asked for", "Was left"),
        tuple(_refusal_row(d, r) for d, r in sorted(refusals, key=lambda pair: pair[1]["at"])),
        right=frozenset({3, 4}),
        caption=(
            "Refused studies; none of them saw a record. Shares are of the budget as it was then."
            " Times are UTC."
        ),
    )


def _refusal_row(dataset: str, r: Json) -> Row:
    why: list[Words] = [Span(reason_words(r["reason"]), Tone.BAD)]
    if r["note"]:
        why.append(("Note: ", Outside(r["note"])))
    return (
        Moment(r["at"]),
        _study(study_name(r["id"], r["study"]), dataset, r["researcher"]),
        Lines(tuple(why)),
        _share(r["asked"], ROUND_CEILING),
        _share(r["left"], ROUND_FLOOR),
    )


def _share(share: float | None, rounding: str) -> str:
    if share is None:
        return "–"
    return percent(Decimal(str(share)), rounding=rounding)
