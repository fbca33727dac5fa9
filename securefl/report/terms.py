"""Terms of a study on which an owner decides, as sentences.

When it runs, who gets what, what is enforced and what is promised. Each is a function of the
varying part alone and is pinned, word for word, by a test. Texts of the researcher are never part
of a sentence here; the page shows them apart, behind a bar.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Final

from securefl.learning.tasks import task_of
from securefl.privacy.explain import percent
from securefl.report.words import decimal_words, plural
from securefl.study.cadence import cadence_sentences
from securefl.study.longest_wait import duration_words
from securefl.study.recipients import recipients
from securefl.study.training import training_if_any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal

    from securefl.study.schema import Study


def moment(time: datetime) -> str:
    """A time to the minute, UTC.

    >>> from datetime import datetime, timedelta, timezone
    >>> moment(datetime(2026, 1, 31, 1, 30, tzinfo=timezone(timedelta(hours=2))))
    '2026-01-30 23:30 UTC'
    """
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def open_sentence(opens: datetime, closes: datetime) -> str:
    """Between which times the study may start."""
    return (
        f"It may start from {moment(opens)} until {moment(closes)}, when every hospital has"
        " approved."
    )


def round_sentences(
    deadline: int,
    reply_after: Decimal,
    longest_wait: int | None = None,
) -> list[str]:
    """Waiting time of a round, and the time at which an answer leaves."""
    seconds = plural(deadline, "second")
    waits = f"In each round the researcher waits at most {seconds} for a hospital."
    if longest_wait is not None:
        waits = f"In each round the researcher expects an answer within {seconds}."
    return [
        waits,
        (
            f"Your answer leaves {decimal_words(reply_after)} seconds after a round opens, not when"
            " it is ready: its time tells nothing about your patients."
        ),
    ]


def dropout_sentence(
    *,
    goes_on: bool,
    hospitals: int,
    least: int,
    longest_wait: int | None = None,
) -> str:
    """Consequence of a missing hospital for the study."""
    if longest_wait is not None:
        return _wait_sentence(goes_on, hospitals - least, longest_wait)
    if not goes_on:
        return (
            "If one hospital does not answer in time, the study ends for all. What was charged"
            " stays charged."
        )
    lost = plural(hospitals - least, "hospital")
    return (
        f"If a hospital does not answer in time, the others go on without it, for at most {lost};"
        " then the study ends for all. What was charged stays charged."
    )


def _wait_sentence(goes_on: bool, lost: int, longest_wait: int) -> str:
    """Consequence of a party that is away for long."""
    waits = duration_words(longest_wait)
    over = "Then the study ends for all. What was charged stays charged."
    if not goes_on:
        return (
            "If a hospital, the aggregator or the researcher's machine is away, the others wait for"
            f" at most {waits}; meanwhile nothing leaves. {over}"
        )
    return (
        "If a hospital does not answer in time, the others go on without it, for at most"
        f" {plural(lost, 'hospital')}. If more are away, or the aggregator or the researcher's"
        f" machine is, the others wait for at most {waits}; meanwhile nothing leaves. {over}"
    )


#: Term of a study whose old rounds' bytes are removed (:mod:`securefl.federation.old_rounds`).
OLD_ROUNDS: Final = (
    "Once every hospital has verified a round, its encrypted contributions are removed from the"
    " store, but for the last two rounds; the signed transcripts stay. An old round can then be"
    " checked by its transcript, and not added again."
)


def nothing_sentences(closes: datetime) -> list[str]:
    """Consequence of deciding nothing."""
    return [
        f"You can decide until {moment(closes)}.",
        (
            "If you do nothing, the study does not start, at any hospital: nothing runs, nothing"
            " leaves and nothing is charged."
        ),
    ]


def quality_sentence(
    metric: str,
    minimum: Decimal | None,
    *,
    withheld: bool = False,
) -> str:
    """Effect of the study's quality rule, and its limits.

    Args:
        metric: the figure that it is judged on, as "AUC".
        minimum: the lowest acceptable; None where the study asks for none.
        withheld: whether a model is withheld of which it is not shown.
    """
    if minimum is None:
        return f"The study asks for no lowest {metric}: the model is released whatever comes out."
    if withheld:
        return (
            f"The lowest acceptable {metric} is {decimal_words(minimum)}, judged on the lower end of"
            " the noised interval; every hospital is told whether it was met. If that is not shown,"
            " the program gives the model to nobody, and no hospital takes it. Whoever holds the"
            " opened totals could still work it out. Nothing is given back."
        )
    return (
        f"The lowest acceptable {metric} is {decimal_words(minimum)}, judged on the lower end of the"
        " noised interval; every hospital is told whether it was met. A model that misses it is"
        " released all the same, and nothing is given back."
    )


def each_sentence(metric: str, minimum: Decimal) -> str:
    """The lowest acceptable figure of any hospital."""
    return (
        f"At each hospital the lowest acceptable {metric} is {decimal_words(minimum)}; the judgement"
        " holds for all of them at once, and a hospital too small for the noise leaves it open."
    )


def recipients_sentence(names: Sequence[str]) -> str:
    """Recipients of the model."""
    if not names:
        return (
            "The researcher makes the model and has it. The study names nobody else to get it, and"
            " the program sends it to nobody else."
        )
    return (
        f"The researcher makes the model and has it. The study names to get it: {', '.join(names)}."
        " The program sends it to nobody else."
    )


def no_model_sentence() -> str:
    """Result of a study that makes no model."""
    return (
        "The researcher gets the noised totals listed above, and what follows from them. The study"
        " makes no model, and the program sends nothing to anybody else."
    )


def exit_sentence() -> str:
    """Leaving the study, as this program enforces it."""
    return (
        "You can leave at any time with `securefl site withdraw`: from then on nothing more is"
        " sent, and the study ends for all. Spent budget is never given back."
    )


def agreement_sentence(digest: str) -> str:
    """Effect of the agreement that a study names."""
    return (
        f"It is made under the agreement of a consortium ({digest[:12]}). A hospital that is bound"
        " by it holds the study to its articles; what goes beyond one stands among the faults."
    )


def vouched_words(by: str, until: str) -> str:
    """The mark of a party whose card was not compared in person; ``until``: a day.

    >>> vouched_words("Nord", "2027-02-28")
    'NOT compared in person; Nord vouched for it until 2027-02-28'
    """
    return f"NOT compared in person; {by} vouched for it until {until}"


#: The mark of a party whose keys are not those of this hospital's own list.
NOT_LISTED: Final = "NOT in your list"


def strangers_sentence(strangers: int, hospitals: int) -> str:
    """Warning of hospitals that nobody verified here."""
    return (
        f"{strangers} of {plural(hospitals, 'hospital')} {NOT_LISTED}. A researcher could invent"
        " hospitals; only those that you verified can hide your numbers in the total."
    )


def without_pysyft_sentence(names: Sequence[str]) -> str:
    """Hospitals that signed that they have no PySyft datasite."""
    return (
        f"Without a PySyft datasite: {', '.join(names)}. The signed request comes from the store"
        " there; review, approval and ledger are the same."
    )


def nothing_else_sentence(total: str) -> str:
    """Limit of what leaves, with its size in all."""
    return (
        "Nothing else about patients: no record, no identifier, no exact count of rows, no figure"
        f" without noise. In all {total}."
    )


def seen_sentence() -> str:
    """Observations that the others can make beside the sum."""
    return "The others can see whether you approved, and whether your answers came in time."


def takes_sentence(asked: Decimal) -> str:
    """A study's charge: its share of the budget, and the time of charging."""
    return (
        f"takes {percent(asked)} of the whole budget, charged for all it may do before any data is"
        " touched"
    )


def machine_sentences() -> list[str]:
    """Rules that this hospital's machine enforces beside the walls around the worker."""
    return [
        (
            "Only this study runs, unchanged: the approval names its digest. It brings no program"
            " code of its own."
        ),
        "The budget is reserved before data is touched; without room the study does not start.",
    ]


#: Before the terms that rest on people alone.
PROMISED = "Promised by the researcher, and kept by people alone: no program enforces it."


def when_sentences(study: Study) -> list[str]:
    """The study's schedule."""
    s = study.schedule
    return [
        open_sentence(s.opens, s.closes),
        *([] if s.cadence is None else cadence_sentences(s.cadence)),
        *round_sentences(s.round_deadline, s.reply_after, s.longest_wait),
        dropout_sentence(
            goes_on=s.on_dropout == "continue",
            hospitals=len(study.participants),
            least=study.secagg.min_contributors,
            longest_wait=s.longest_wait,
        ),
        *_look_sentences(study),
        *([OLD_ROUNDS] if s.old_rounds == "remove" else []),
    ]


def _look_sentences(study: Study) -> list[str]:
    """The rule by which looks at the training end the study, where it has one."""
    training = training_if_any(study)
    if training is None or training.looks is None or not training.looks.ends:
        return []
    rule = (
        "Where a look at the model on its way is worse than one before, the study ends for all,"
        " without a model. What was charged stays charged."
    )
    return [rule]


def enforced_sentences(study: Study) -> list[str]:
    """Terms on results and on leaving that the program keeps."""
    return [
        *_result_sentences(study),
        *_agreement_sentences(study),
        exit_sentence(),
    ]


def _agreement_sentences(study: Study) -> list[str]:
    if study.agreement is None:
        return []
    return [agreement_sentence(study.agreement)]


def _result_sentences(study: Study) -> list[str]:
    if study.quality is None:
        return [no_model_sentence()]
    task = task_of(study.data)
    minimum = None
    if task.asks(study.quality):
        minimum = study.quality.minimum
    return [
        recipients_sentence(recipients(study)),
        quality_sentence(task.metric, minimum, withheld=study.quality.stop_rule == "withhold"),
        *_each_sentences(task.metric, study.quality.minimum_each),
    ]


def _each_sentences(metric: str, minimum: Decimal | None) -> list[str]:
    return [] if minimum is None else [each_sentence(metric, minimum)]


def promises(study: Study) -> list[tuple[str, str]]:
    """Label and text, in the researcher's words, of what no program keeps; texts are to be quoted."""
    out = study.outputs
    rows = [
        ("results belong to", out.owner),
        ("licence", out.licence),
        ("not to be used after", "" if out.expires is None else f"{out.expires:%Y-%m-%d}"),
        ("intended use", out.intended_use),
        ("what comes out", ", ".join(out.artefacts)),
        ("further", "; ".join(out.notes)),
        ("leaving", study.exit.notice),
    ]
    return [(label, text) for label, text in rows if text]
