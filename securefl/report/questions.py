"""Questions and answers on a request, as a section of its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.report.page import Moment, Paragraph, Quoted, Tone, section

if TYPE_CHECKING:
    from collections.abc import Sequence

    from securefl.report.page import Section, Value


@dataclass(frozen=True)
class Exchange:
    """A question, and its answer where there is one; times are UTC."""

    number: int
    question: str
    asked_at: str
    reply: str | None = None
    replied_at: str | None = None


def thread_section(exchanges: Sequence[Exchange]) -> Section | None:
    """Questions of the owner and answers of the researcher; None where nothing was asked."""
    if not exchanges:
        return None
    parts: list[Value] = []
    for one in exchanges:
        parts.append((f"Question {one.number}, asked ", Moment(one.asked_at), " UTC:"))
        parts.append(Quoted(one.question))
        if one.reply is None:
            parts.append(Paragraph("No answer has come yet.", Tone.WARN))
            continue
        parts.append(("Answered ", Moment(one.replied_at or ""), " UTC, signed by the researcher:"))
        parts.append(Quoted(one.reply))
    return section("Questions and answers", *parts)
