"""A run while it goes on, on one screen: how far, whom it waits for and since when, when it will be
over, and whether the model still moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from securefl.learning.looks import Trend, trend_words
from securefl.learning.settling import WINDOW, Course
from securefl.report.codes import code_words
from securefl.report.page import Bar, Outside, Page, Quoted, Span, Tone, facts, page, when
from securefl.report.words import day, plural
from securefl.utc_times import time_text

if TYPE_CHECKING:
    from datetime import datetime

    from securefl.learning.looks import Looks
    from securefl.learning.settling import Settling
    from securefl.report.page import Value


_TREND_TONES: Final = {
    Trend.EARLY: Tone.QUIET,
    Trend.UNKNOWN: Tone.WARN,
    Trend.BETTER: Tone.GOOD,
    Trend.NO_GAIN: Tone.WARN,
    Trend.WORSE: Tone.BAD,
}


@dataclass(frozen=True)
class LiveFacts:
    """Facts of the page.

    Attributes:
        title: the study's.
        state: ``not-begun``, ``paused``, ``running``, ``stopped`` or ``ended``.
        code: how it ended.
        done: rounds that were opened.
        rounds: of the study.
        next_round: the round that goes on, in words; empty where none does.
        waits_for: whom it waits for.
        since: since when.
        until: when the next round may begin, where the study's hours keep it.
        now: the time that ages are counted from.
        last: when something happened last.
        over_at: when it will be over at this pace; None where nobody can say.
        lost: hospitals that are not in the sums any more.
        settling: how the training goes; None where there is none.
        looks: figures on the way; None where the study asks for none.
    """

    title: str
    state: str
    code: str
    done: int
    rounds: int
    next_round: str
    waits_for: tuple[str, ...]
    since: datetime | None
    until: datetime | None
    now: datetime
    last: datetime | None
    over_at: datetime | None
    lost: tuple[str, ...]
    settling: Settling | None = None
    looks: Looks | None = None


def live_page(found: LiveFacts) -> Page:
    """The page, drawn anew as events come."""
    share = Decimal(found.done) / Decimal(max(found.rounds, 1))
    rows: list[tuple[str, Value] | None] = [
        ("run", _state(found)),
        ("rounds", Bar(share)),
        ("", f"{found.done} of {plural(found.rounds, 'round')} opened"),
        when(found.state == "running" and found.next_round, ("now", found.next_round)),
        _waiting(found),
        _until(found),
        when(found.lost, ("lost", Outside(", ".join(found.lost), Tone.WARN))),
        _moving(found.settling),
        *_looks(found.looks),
        _last(found),
        _over(found),
    ]
    return page("A run while it goes on", Quoted(found.title), facts(rows))


def _state(found: LiveFacts) -> Span:
    match found.state:
        case "running":
            return Span("running", Tone.GOOD)
        case "paused":
            return Span("waits for the study's hours", Tone.WARN)
        case "stopped":
            again = "stopped; `securefl study run` again goes on with it"
            return Span(again, Tone.WARN)
        case "ended" if found.code == "completed":
            return Span("completed", Tone.GOOD)
        case "ended":
            return Span(f"over: the coordinator {code_words(found.code)}", Tone.BAD)
        case _:
            return Span("has not begun", Tone.QUIET)


def _waiting(found: LiveFacts) -> tuple[str, Value] | None:
    if not found.waits_for or found.since is None:
        return None
    seconds = (found.now - found.since).total_seconds()
    since = f" since {found.since:%H:%M:%S} UTC, {span_words(seconds)}"
    return ("waits for", (Outside(", ".join(found.waits_for), Tone.WARN), since))


def _until(found: LiveFacts) -> tuple[str, Value] | None:
    if found.until is None or found.until <= found.now:
        return None
    left = span_words((found.until - found.now).total_seconds())
    at = f"{found.until:%Y-%m-%d %H:%M} UTC, in {left}, as the study's hours say"
    return ("next round", at)


def _moving(settling: Settling | None) -> tuple[str, Value] | None:
    if settling is None:
        return None
    return ("model", settling_words(settling))


def settling_words(settling: Settling) -> Span:
    """Course of a training in a sentence that rests on opened sums alone."""
    match settling.course:
        case Course.EARLY:
            words = f"too early to say: {plural(settling.rounds, 'training round')}, of {WINDOW}"
            return Span(words, Tone.QUIET)
        case Course.SETTLED:
            words = (
                f"its last {WINDOW} updates are no longer than noise alone: it has settled, or the"
                " noise hides what is left"
            )
            return Span(words, Tone.WARN)
        case Course.DIVERGING:
            words = (
                f"its last {WINDOW} updates grew to more than four times the least before: it goes"
                " apart, and a smaller learning rate may help"
            )
            return Span(words, Tone.BAD)
        case Course.MOVING:
            words = (
                f"it moves: without the noise, its last {WINDOW} updates are {settling.signal:.2g}"
                " times as long as the noise"
            )
            return Span(words)


def _looks(looks: Looks | None) -> list[tuple[str, Value]]:
    """The newest figure on the way, and what all of them say."""
    if looks is None:
        return []
    count = f"{len(looks.looks)} of {plural(looks.planned, 'look')}"
    if not looks.looks:
        return [(f"{looks.metric} on the way", Span(f"{count}: none yet", Tone.QUIET))]
    newest = looks.looks[-1]
    said = "the noise leaves nothing to say"
    if newest.known:
        said = f"{newest.low:.3f} to {newest.high:.3f} (95 %)"
    figure = f"{said} after {plural(newest.after, 'round')} of training, {count}"
    words = Span(trend_words(looks), _TREND_TONES[looks.trend])
    return [(f"{looks.metric} on the way", figure), ("", words)]


def _last(found: LiveFacts) -> tuple[str, Value] | None:
    if found.last is None or found.state == "ended":
        return None
    ago = span_words((found.now - found.last).total_seconds())
    return ("last heard", f"{ago} ago")


def _over(found: LiveFacts) -> tuple[str, Value] | None:
    if found.over_at is None:
        return None
    at = time_text(found.over_at)
    return ("over at", f"about {day(at)} at the pace of the last rounds")


def span_words(seconds: float) -> str:
    """A span of time as a person says it.

    >>> span_words(42), span_words(150), span_words(7300), span_words(200_000)
    ('42 s', '2 min', '2 h', '2 days')
    """
    if seconds < 120:
        return f"{max(seconds, 0):.0f} s"
    if seconds < 7200:
        return f"{seconds // 60:.0f} min"
    if seconds < 2 * 86_400:
        return f"{seconds // 3600:.0f} h"
    return f"{seconds // 86_400:.0f} days"
