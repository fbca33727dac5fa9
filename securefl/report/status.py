"""One screen on how a hospital stands: running or not, what is spent, which studies, what was
turned away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Group
from rich.text import Text

from securefl.privacy.explain import explain_share, percent
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
    literal,
    page,
    plural,
    section,
    title,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from rich.console import RenderableType


class BudgetLine(NamedTuple):
    """A population's budget: share used (0 to 1), room for how many more studies like the last,
    whether its owner took the rest back.
    """

    population: str
    used: Decimal
    room: int
    revoked: bool = False


class StudyLine(NamedTuple):
    """A study here: what the owner types for it, its state, the last round answered (0: none) and
    how many there are.

    ``reason``: why it failed. ``quality``: how its coordinator judged its quality rule, in words.
    ``waits_for``: what an approved study that has not begun waits for; empty where that is not
    known.
    """

    name: str
    state: str
    last_round: int
    rounds: int
    reason: str | None = None
    quality: str | None = None
    waits_for: str = ""


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
) -> RenderableType:
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
    """
    return page(
        title(f"{site}: how it stands"),
        facts(
            [
                ("agent", _agent(running=running, paused=paused)),
                *_store(store_away),
                ("waiting", _waiting(waiting)),
                *(
                    []
                    if late_replies is None
                    else [
                        ("late replies", literal(f"{late_replies:,}", WARN if late_replies else ""))
                    ]
                ),
                ("put aside", _quarantined(quarantined)),
            ]
        ),
        *_why(store_away, ended),
        section(
            "Data sets",
            *([facts(datasets_words(datasets))] if datasets else [_none("securefl site data add")]),
        ),
        section(
            "Budget",
            *([facts(_budgets(budgets))] if budgets else [_none("securefl site budget set")]),
        ),
        section(
            "Studies", _studies(studies) if studies else Text("None was approved yet.", style=DIM)
        ),
        *(
            [
                section(
                    "Your rows, for your eyes alone",
                    *(part for name, counts in rows for part in _rows(name, counts)),
                )
            ]
            if rows
            else []
        ),
    )


def _rows(name: str, counts: Mapping[str, Any]) -> list[RenderableType]:
    """The counts of a study's rows; reasons name columns as the study does, so they stand behind a
    bar.
    """
    used = (
        f"{name}: {counts['kept']:,} of {counts['rows']:,} rows used, {counts['training']:,} to"
        f" train and {counts['held_out']:,} to check."
    )
    aside = [
        Quoted(f"{number:,} set aside ({reason})")
        for reason, number in sorted(counts["set_aside"].items())
    ]
    return [literal(used + _clamped(counts)), *aside]


def _clamped(counts: Mapping[str, Any]) -> str:
    """How often this hospital's noised sums were cut to the largest of a field; nothing to say
    where they never were.
    """
    if not counts.get("clamped"):
        return ""
    rounds = plural(counts["clamped_rounds"], "round")
    return (
        f" In {rounds} {plural(counts['clamped'], 'value')} of its noised sums did not fit the"
        " study's fields and were cut to the largest that does: the model learns less from this"
        " hospital there."
    )


def datasets_words(datasets: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Name and population of each data set, as label and text."""
    return [(name, f"patients of {population}") for name, population in datasets]


def _none(command: str) -> Text:
    return Text(f"None yet. Next: `{command}`", style=DIM)


def _agent(*, running: bool, paused: bool) -> Text:
    now = (
        Text("running", style=GOOD)
        if running
        else Text("not running; `securefl site start` starts it", style=BAD)
    )
    if not paused:
        return now
    return Text.assemble(
        now,
        (
            (
                "\npaused by its owner: nothing starts and nothing leaves; `securefl site pause"
                " --resume` ends the pause"
            ),
            WARN,
        ),
    )


def _store(away: tuple[str, str] | None) -> list[tuple[str, RenderableType | str]]:
    """A line on the store, where the agent cannot use it."""
    if away is None:
        return []
    return [("store", literal(f"unreachable since {day(away[0])}; the agent goes on trying", BAD))]


def _why(away: tuple[str, str] | None, ended: tuple[str, str] | None) -> list[RenderableType]:
    """Reasons; they may hold the words of a store or of another party, so they stand behind a bar."""
    told: list[RenderableType] = []
    if away is not None:
        told += [literal("What the store said:"), Quoted(away[1])]
    if ended is not None:
        at = f"at {day(ended[0])}" if ended[0] else "without a word"
        told += [literal(f"The last agent ended {at}:"), Quoted(ended[1])]
    return told


def _waiting(count: int) -> Text:
    if not count:
        return Text("no request waits for a decision")
    return Text(
        f"{plural(count, 'request')} for your decision; `securefl site inbox` lists them",
        style=WARN,
    )


def _quarantined(count: int) -> Text:
    if not count:
        return Text("no message was turned away")
    return Text(f"{plural(count, 'message')} did not pass the checks and had no effect", style=WARN)


def _budgets(budgets: Sequence[BudgetLine]) -> list[tuple[str, RenderableType | str]]:
    rows: list[tuple[str, RenderableType | str]] = []
    for population, used, room, revoked in (BudgetLine(*b) for b in budgets):
        words = (
            f"{percent(used)} of the budget used; you took back the rest, so no study can be"
            " approved."
            if revoked
            else explain_share(used, room)
        )
        rows += [(population, bar(used)), ("", words)]
    return rows


def _studies(studies: Sequence[StudyLine]) -> RenderableType:
    lines = [StudyLine(*line) for line in studies]
    rows = [
        (
            literal(s.name),
            literal(s.state),
            literal(f"{s.last_round} of {s.rounds}" if s.last_round else "none yet"),
        )
        for s in lines
    ]
    made = Records(["study", "state", "last round"], rows)
    failed = [
        part
        for s in lines
        if s.reason is not None
        for part in (literal(f"{s.name} failed:"), Quoted(s.reason))
    ]
    told = [literal(f"{s.name} waits for {s.waits_for}.") for s in lines if s.waits_for]
    told += [
        literal(f"{s.name}: the AUC asked for, {s.quality} (signed by the coordinator).")
        for s in lines
        if s.quality
    ]
    return Group(made, *failed, *([bullets(told)] if told else []))
