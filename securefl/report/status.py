"""Status of a hospital on one screen: running or not, what is spent, studies, refused messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from securefl.privacy.explain import explain_share, percent
from securefl.report.codes import WITHOUT_PYSYFT
from securefl.report.page import (
    Bar,
    Lines,
    Outside,
    Page,
    Paragraph,
    Quoted,
    Records,
    Span,
    Tone,
    bullets,
    facts,
    page,
    section,
    when,
)
from securefl.report.words import day, plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from securefl.report.page import Value


class BudgetLine(NamedTuple):
    """Budget of a population: share used (0 to 1), room for more studies like the last.

    And whether its owner took the rest back.
    """

    population: str
    used: Decimal
    room: int
    revoked: bool = False


class StudyLine(NamedTuple):
    """Study here: what the owner types for it, its state, the last round answered, and how many.

    0: no round yet. ``reason``: why it failed. ``quality``: how its coordinator judged its quality
    rule, in words. ``waits_for``: what the study waits for; empty where that is not known.
    ``waits_since``: since when (UTC, ISO 8601); empty where nobody knows. ``waits_until``: when a
    running study ends here if the wait lasts; empty where it has no end.
    """

    name: str
    state: str
    last_round: int
    rounds: int
    reason: str | None = None
    quality: str | None = None
    waits_for: str = ""
    waits_since: str = ""
    waits_until: str = ""


def site_status(
    *,
    site: str,
    running: bool,
    paused: bool,
    datasets: Sequence[tuple[str, str]],
    budgets: Sequence[BudgetLine],
    studies: Sequence[StudyLine],
    rows: Sequence[tuple[str, Mapping[str, Any]]] = (),
    waiting: int = 0,
    late_replies: int | None = None,
    quarantined: int = 0,
    store_away: tuple[str, str] | None = None,
    ended: tuple[str, str] | None = None,
    agreements: Sequence[tuple[str, str]] = (),
    network_allowed: bool = False,
    recalled: Sequence[str] = (),
    has_pysyft: bool = True,
) -> Page:
    """The hospital's state as a page.

    Args:
        site: its name.
        running: whether its agent runs.
        paused: whether its owner has paused it.
        datasets: name and population of each.
        budgets: one for each population.
        studies: approved ones.
        rows: study and the counts of its rows here: ``rows``, ``kept``, ``training``, ``held_out``,
            ``set_aside`` (reason to rows).
        waiting: requests that wait for a decision.
        late_replies: answers that came after their deadline; left out where nobody counted them.
        quarantined: messages put aside because they did not pass the checks.
        store_away: since when (UTC) the running agent cannot use its store, and why; None where it
            can.
        ended: when (UTC; empty where nobody knows) the last agent ended, and why; None while one
            runs.
        agreements: population, and the agreement that binds it.
        network_allowed: whether the owner's policy gives up the wall before a worker's network.
        recalled: studies whose models other hospitals recalled.
        has_pysyft: whether requests come through PySyft.
    """
    return page(
        f"{site}: how it stands",
        facts(
            [
                ("agent", _agent(running=running, paused=paused)),
                _worker(network_allowed=network_allowed),
                _store(store_away),
                _requests(has_pysyft=has_pysyft),
                ("waiting", _waiting(waiting)),
                _late(late_replies),
                ("put aside", _quarantined(quarantined)),
                _recalled(recalled),
            ]
        ),
        *_why(store_away, ended),
        section(
            "Data sets",
            facts(datasets_words(datasets)),
            when(not datasets, _none("securefl site data add")),
        ),
        section(
            "Budget",
            facts(budget_rows(budgets)),
            when(not budgets, _none("securefl site budget set")),
        ),
        section("Agreements", facts((name, Outside(words)) for name, words in agreements)),
        section(
            "Studies",
            *_studies(studies),
            when(not studies, Paragraph("None was approved yet.", Tone.QUIET)),
        ),
        section(
            "Your rows, for your eyes alone",
            *(part for name, counts in rows for part in _rows(name, counts)),
        ),
    )


def _worker(*, network_allowed: bool) -> tuple[str, Value] | None:
    if not network_allowed:
        return None
    return "worker", Span(
        "your policy lets it read tables where its network is NOT blocked", Tone.BAD
    )


def _recalled(names: Sequence[str]) -> tuple[str, Value] | None:
    """A line on models that other hospitals recalled; None where there is none."""
    if not names:
        return None
    listed = Outside(", ".join(names), Tone.WARN)
    return ("recalled models", Lines((listed, " (`securefl site models` says by whom and why)")))


def _requests(*, has_pysyft: bool) -> tuple[str, Value] | None:
    if has_pysyft:
        return None
    return "requests", WITHOUT_PYSYFT


def _rows(name: str, counts: Mapping[str, Any]) -> list[Value]:
    """Counts of a study's rows.

    Reasons name columns as the study does, so they stand behind a bar.
    """
    used = (
        f"{name}: {counts['kept']:,} of {counts['rows']:,} rows used, {counts['training']:,} to"
        f" train and {counts['held_out']:,} to check."
    )
    aside = [
        Quoted(f"{number:,} set aside ({reason})")
        for reason, number in sorted(counts["set_aside"].items())
    ]
    return [used + _clamped(counts), *aside]


def _clamped(counts: Mapping[str, Any]) -> str:
    """Sentence on noised sums that were cut to the largest of a field; empty where none was."""
    if not counts.get("clamped"):
        return ""
    rounds = plural(counts["clamped_rounds"], "round")
    return (
        f" In {rounds} {plural(counts['clamped'], 'value')} of its noised sums did not fit the"
        " study's fields: the largest that does was sent, and the model learns less from this"
        " hospital there."
    )


def datasets_words(datasets: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Name and population of each data set, as label and text."""
    return [(name, f"patients of {population}") for name, population in datasets]


def _none(command: str) -> Paragraph:
    return Paragraph(f"None yet. Next: `{command}`", Tone.QUIET)


def _agent(*, running: bool, paused: bool) -> Lines:
    now = Span("not running; `securefl site start` starts it", Tone.BAD)
    if running:
        now = Span("running", Tone.GOOD)
    if not paused:
        return Lines((now,))
    pause = (
        "paused by its owner: nothing starts and nothing leaves; `securefl site pause --resume`"
        " ends the pause"
    )
    return Lines((now, Span(pause, Tone.WARN)))


def _store(away: tuple[str, str] | None) -> tuple[str, Span] | None:
    """A line on the store, where the agent cannot use it."""
    if away is None:
        return None
    words = f"unreachable since {day(away[0])}; the agent goes on trying"
    return ("store", Span(words, Tone.BAD))


def _late(replies: int | None) -> tuple[str, Span] | None:
    """Late replies, where somebody counted them."""
    if replies is None:
        return None
    if not replies:
        return ("late replies", Span("0"))
    return ("late replies", Span(f"{replies:,}", Tone.WARN))


def _why(away: tuple[str, str] | None, ended: tuple[str, str] | None) -> list[Value]:
    """Reasons; they may hold the words of a store or of another party, so they stand behind a bar."""
    told: list[Value] = []
    if away is not None:
        told += ["What the store said:", Quoted(away[1])]
    if ended is not None:
        at = "without a word"
        if ended[0]:
            at = f"at {day(ended[0])}"
        told += [f"The last agent ended {at}:", Quoted(ended[1])]
    return told


def _waiting(count: int) -> Span:
    if not count:
        return Span("no request waits for a decision")
    words = f"{plural(count, 'request')} for your decision; `securefl site inbox` lists them"
    return Span(words, Tone.WARN)


def _quarantined(count: int) -> Span:
    if not count:
        return Span("no message was turned away")
    words = f"{plural(count, 'message')} did not pass the checks and had no effect"
    return Span(words, Tone.WARN)


def budget_rows(budgets: Sequence[BudgetLine]) -> list[tuple[str, Value]]:
    """Label and value of each budget: a bar, and the same in words below it."""
    rows: list[tuple[str, Value]] = []
    for population, used, room, revoked in (BudgetLine(*b) for b in budgets):
        words = explain_share(used, room)
        if revoked:
            words = (
                f"{percent(used)} of the budget used; you took back the rest, so no study can be"
                " approved."
            )
        rows += [(population, Bar(used)), ("", words)]
    return rows


def _waits(line: StudyLine) -> str:
    if not line.waits_since:
        return f"{line.name} waits for {line.waits_for}."
    since = f"{line.name} waits for {line.waits_for}, since {day(line.waits_since)}"
    if not line.waits_until:
        return f"{since}."
    return f"{since}; if that lasts, the study ends here at {day(line.waits_until)}."


def _studies(studies: Sequence[StudyLine]) -> list[Value]:
    if not studies:
        return []
    lines = [StudyLine(*line) for line in studies]
    rows = tuple(
        (s.name, s.state, f"{s.last_round} of {s.rounds}" if s.last_round else "none yet")
        for s in lines
    )
    failed: list[Value] = []
    for s in lines:
        if s.reason is not None:
            failed += [f"{s.name} failed:", Quoted(s.reason)]
    told = [_waits(s) for s in lines if s.waits_for]
    told += [
        f"{s.name}: the quality asked for, {s.quality} (signed by the coordinator)."
        for s in lines
        if s.quality
    ]
    records = Records(("study", "state", "last round"), rows)
    return [records, *failed, bullets(told)]
