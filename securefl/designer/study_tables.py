"""Tables of a designed study around its stages: what it is about, its data, parties, times, outcome."""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from securefl.designer.commented import Entry, Part
from securefl.designer.question import CURVE
from securefl.designer.rules import HOLDOUT, Figure, figure_entry
from securefl.study.claims import claim
from securefl.study.fields import NAME
from securefl.study.study_gaps import TO_WRITE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from securefl.designer.by_task import Designer
    from securefl.designer.question import Question

#: Values that only people can give. Owners read them on the request's page.
_YOURS: Final = "Yours to write."
_OPEN_DAYS: Final = 365
#: Seconds that the parties of a running study wait for one that is away.
_LONGEST_WAIT: Final = 7 * 86_400


def around(
    question: Question,
    designer: Designer,
    middle: Sequence[Part],
    today: datetime,
    reply_after: Figure,
) -> list[Part]:
    """The tables that every study has, before and after its stages."""
    return [
        Part("", (Entry("schema", "securefl-protocol/2"),)),
        _about(question),
        Part("[code]", (Entry("entrypoint", "declarative"),)),
        *_data(question, designer),
        *middle,
        *_parties(
            question,
            today,
            reply_after,
        ),
        *_outcome(question),
    ]


def study_id(question: Question) -> str:
    """Name of the study: of its data set and label."""
    columns = question.label.get("column") or question.label.get("time") or "label"
    plain = re.sub(
        r"[^A-Za-z0-9]+",
        "-",
        f"{question.table.dataset}-{columns}",
    ).strip("-")
    if question.kind == CURVE:
        plain = f"{plain[:34]}-curve"
    elif question.sizes is None:
        plain = f"{plain[:34]}-count"
    if not re.match(NAME, plain):
        plain = f"study-{plain}"
    return plain[:40].rstrip("-").lower()


def _asked_for(question: Question) -> str:
    """The label in words, as far as its table tells them."""
    conditions = question.label.get("conditions", ())
    if conditions:
        joint = " or " if question.label["kind"] == "any-of" else " and "
        return joint.join(_condition_words(one) for one in conditions)[:200]
    return _condition_words(question.label)


def _condition_words(label: Mapping[str, Any]) -> str:
    """One condition, or a label of one column."""
    column = str(label.get("column", "an outcome"))
    if "event_name" in label:
        return f"the time to {label['event_name']} ({label['time']})"[:200]
    positive = label.get("positive")
    if positive:
        return f"{column} ({', '.join(map(str, positive))})"[:200]
    if "value" in label:
        return f"{column} ({label['kind'].replace('-', ' ')} {label['value']})"
    return column


def _about(question: Question) -> Part:
    told = _asked_for(question)
    features = len(features_of(question))
    does = f"predicts {told} from {features} columns"
    title = question.title or f"Prediction of {told}"
    if question.kind == CURVE:
        split = ""
        if question.by:
            split = f", by {question.by}"
        does = f"draws survival curves of {told}{split}"
        title = question.title or f"Survival curves of {told}{split}"
    elif question.sizes is None:
        does = f"counts patients by {told}, so that a study can be designed"
        title = question.title or f"Count of patients by {told}"
    lay = (
        "Several hospitals take part, and each keeps its own records. No record leaves a hospital:"
        " each sends sums over its patients, blurred with noise, and only the total of all can be"
        " opened."
    )
    return Part(
        "[study]",
        (
            Entry("id", study_id(question)),
            Entry("title", title),
            Entry("purpose", f"One study of {question.hospitals} hospitals together: it {does}."),
            Entry(
                "lead",
                f"{TO_WRITE}: who leads the study",
                _YOURS,
            ),
            Entry(
                "lay_summary",
                lay,
                "For patients. Add in plain words what it is good for.",
            ),
            Entry(
                "ethics_ref",
                f"{TO_WRITE}: the approval's reference",
                _YOURS,
            ),
            Entry(
                "legal_basis",
                f"{TO_WRITE}: the legal basis",
                _YOURS,
            ),
            Entry(
                "duo",
                [],
                "Codes of the Data Use Ontology that the consent allows.",
            ),
        ),
    )


def features_of(question: Question) -> list[dict[str, Any]]:
    """Columns that are neither the label nor the patient."""
    label = question.label
    parts = (label, *label.get("conditions", ()))
    away = {one.get(key) for one in parts for key in ("column", "time", "event")}
    away.add(question.table.patient)
    return [dict(c) for c in question.table.columns if c["name"] not in away]


def _data(question: Question, designer: Designer) -> list[Part]:
    table = question.table
    holdout = Entry(
        "holdout",
        "0",
        "No model is made, so nobody is kept aside to check one.",
    )
    if question.makes_model:
        holdout = Entry(
            "holdout",
            str(HOLDOUT),
            "Patients who check the model and do not train it, drawn by a keyed hash.",
        )
    left = "; ".join(f"{name}: {why}" for name, why in table.left_out.items())
    why = f"Ranges and levels {table.origin}."
    if left:
        why += f" Left out: {left}."
    data = Part(
        "[data]",
        (
            Entry(
                "dataset",
                table.dataset,
                "The name under which hospitals register their table.",
            ),
            Entry(
                "population",
                table.population,
                "Whose budget pays.",
            ),
            Entry("patient", table.patient),
            Entry("max_rows_per_patient", table.most_rows),
            holdout,
            Entry(
                "columns",
                features_of(question),
                why,
                table.notes,
            ),
        ),
    )
    label = designer.label(question.label, question.sizes)
    return [
        data,
        Part(
            "[data.label]",
            tuple(label),
            "What is predicted.",
        ),
    ]


def _parties(question: Question, today: datetime, reply_after: Figure) -> list[Part]:
    hospitals = question.hospitals
    opens = today.astimezone(UTC).replace(
        hour=0,
        minute=0,
        second=0,
        microsecond=0,
    )
    return [
        Part(
            "[secagg]",
            (
                Entry(
                    "min_contributors",
                    hospitals,
                    "All hospitals: no smaller sum is opened.",
                ),
                Entry(
                    "colluders",
                    max(hospitals - 2, 0),
                    "So many may work together, and still learn nothing of one of the other two.",
                ),
            ),
        ),
        Part(
            "[schedule]",
            (
                Entry("opens", opens),
                Entry("closes", opens + timedelta(days=_OPEN_DAYS)),
                Entry(
                    "round_deadline",
                    600,
                    "Seconds that a round waits for a hospital.",
                ),
                Entry(
                    "longest_wait",
                    _LONGEST_WAIT,
                    "Seconds that whoever is away is waited for, then the study ends: seven days.",
                ),
                figure_entry("reply_after", reply_after),
                Entry(
                    "on_dropout",
                    "fail",
                    "A hospital that stays away ends the study. With more than three hospitals"
                    ' "continue" and a lower min_contributors go on without it.',
                ),
            ),
        ),
    ]


def _outcome(question: Question) -> list[Part]:
    model = question.makes_model
    quality = []
    if model:
        rule = (Entry("minimum", "0.5"), Entry("stop_rule", "none"))
        quality = [
            Part(
                "[quality]",
                rule,
                "Judged on the lower end of the released interval.",
            )
        ]
    artefacts = ["result.json"]
    recipients: list[str] = []
    if model:
        artefacts = ["model.safetensors", "model_card.md", "model.json"]
        recipients = ["participants", "coordinator"]
    return [
        *quality,
        Part(
            "[outputs]",
            (
                Entry("artefacts", artefacts),
                Entry("owner", "The hospitals together"),
                Entry("licence", "CC-BY-4.0"),
                Entry("recipients", recipients),
                Entry(
                    "intended_use",
                    f"{TO_WRITE}: what it may be used for. Not a medical device.",
                    _YOURS,
                ),
            ),
        ),
        Part(
            "[exit]",
            (
                Entry("notice", "A hospital may stop at any time with `securefl site withdraw`"),
                Entry("on_withdrawal", "study-ends"),
                Entry("spent_budget", "never-returned"),
            ),
        ),
    ]


def privacy_part(training: str, check: str, delta: Figure) -> Part:
    """Terms of privacy. Whoever trains is not kept aside, so the larger epsilon is a patient's."""
    whole = max(Decimal(training), Decimal(check))
    return Part(
        "[privacy]",
        (
            Entry(
                "unit",
                "patient",
                "All rows of a patient are protected together.",
            ),
            Entry("neighbouring", "add-remove"),
            Entry(
                "epsilon",
                claim(whole),
                "Of the whole study, for one patient.",
            ),
            figure_entry("delta", delta),
            Entry(
                "noise",
                "local",
                "Each hospital adds the full noise for its own patients.",
            ),
        ),
    )
