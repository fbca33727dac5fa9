import math
import re
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
from conftest import make_study
from small_study import COUNTED

from securefl.learning.tasks.binary.evaluation import evaluate
from securefl.learning.tasks.binary.words import told
from securefl.report.run import (
    DEMO_HEADING,
    ModelOutcome,
    demo_table,
    extracts_page,
    lost_hospitals,
    outcome_page,
    round_line,
)
from securefl.report.terminal import plain_text
from securefl.study.counts import evaluation_of
from securefl.study.parse import parse_study

STUDY = parse_study(make_study()[0])
EVALUATION = evaluate(
    np.array([900, 60, 20, 10, 3, 10, 20, 90], dtype=np.int64), evaluation_of(STUDY), 5
)


@dataclass
class Row:
    site: str
    positives: int
    auc_alone: float
    auc_alone_private: float
    auc_federated: float


@dataclass
class Record:
    round: int
    contributions: str


def flat(renderable, width=100):
    return " ".join(plain_text(renderable, width).split())


def outcome(evaluation=EVALUATION, **changed):
    model = {"folder": "out/model", "quality": "met", "minimum": Decimal("0.5")}
    made = ModelOutcome(told(evaluation), **{k: changed.pop(k, v) for k, v in model.items()})
    given = {"study_title": "A [bold]study[/]", "model": made}
    return flat(outcome_page(**(given | changed)))


def test_a_round_line_says_one_sum():
    assert (
        round_line("round 7 of 40", hospitals=5, upload_bytes=59_900, values=31)
        == "round 7 of 40: received one sum of 5 hospitals: 31 integers, 59.9 kB each"
    )
    assert round_line("evaluation", hospitals=5, upload_bytes=59_900, values=16).startswith(
        "evaluation: received one sum of 5 hospitals"
    )


def test_a_lost_hospital_is_named_in_the_line_and_on_the_page():
    line = round_line("round 7 of 40", hospitals=4, upload_bytes=59_900, values=31, lost=["SVI"])
    assert line.endswith("each; SVI is lost from here on")
    study = parse_study(make_study(3, COUNTED, ("rounds = 4", "rounds = 2"))[0])
    study = study.model_copy(
        update={
            "participants": tuple(
                p.model_copy(update={"name": name})
                for p, name in zip(study.participants, "abc", strict=True)
            )
        }
    )
    records = [
        Record(1, "abc"),
        Record(2, "abc"),
        Record(3, "ab"),
        Record(4, "a"),
    ]
    lost = lost_hospitals(study, records)
    assert lost == {"b": "evaluation", "c": "round 2 of 2"}
    assert "lost b, from the evaluation on; c, from round 2 of 2 on" in outcome(lost=lost)
    assert " lost " not in outcome(lost=lost_hospitals(study, records[:2]))


def test_the_outcome_names_the_auc_with_its_interval_and_where_it_came_from():
    page = outcome()
    assert (
        f"AUC 95 % interval {EVALUATION.low:.3f} to {EVALUATION.high:.3f}, around"
        f" {EVALUATION.auc:.3f}" in page
    )
    assert "one encrypted, noised total" in page
    assert "securefl predict out/model rows.csv --json scores.json" in page
    assert "A [bold]study[/]" in page


def test_the_outcome_says_whether_the_asked_quality_is_met():
    assert "asked for at least 0.5: met; the whole interval lies above" in outcome()
    assert "at least 1: NOT met; the whole interval lies below" in outcome(
        quality="not-met", minimum=Decimal(1)
    )
    assert "at least 0.9: cannot be judged; the interval holds it" in outcome(
        quality="cannot-be-judged", minimum=Decimal("0.9")
    )


def test_an_evaluation_that_holds_chance_gives_no_single_figure():
    page = outcome(replace(EVALUATION, low=0.41, high=0.62, auc=None))
    assert "AUC cannot be told from chance: 95 % interval 0.410 to 0.620" in page
    assert "around" not in page


def test_an_evaluation_lost_in_noise_says_that_nothing_can_be_said():
    page = outcome(evaluate(np.zeros(8, dtype=np.int64), evaluation_of(STUDY), 5))
    assert "AUC nothing can be said: too few positives or negatives for the noise" in page
    assert "right or wrong nothing can be said" in page
    assert "of 1,000 cases" not in page
    assert "not a probability" in page


def test_bands_lost_in_the_noise_are_marked():
    small = evaluate(np.array([9, 6, 5, 0, 0, 2, 0, 9], dtype=np.int64), evaluation_of(STUDY), 5)
    assert "too few to say" in outcome(small)
    assert "too few to say" not in outcome()


def comparison(*rows, exact=0.98):
    return demo_table(
        rows or [Row("other", 220, 0.985, 0.97, 0.98), Row("SVHD", 6, 0.9, 0.6, 0.98)],
        exact,
        0.975,
        (0.943, 1.0),
    )


def test_the_comparison_is_headed_as_what_only_a_demonstration_can_show():
    assert DEMO_HEADING == "Only a demonstration can show this, because the table is public"
    assert any(line == DEMO_HEADING for line in plain_text(comparison()).splitlines())


def test_a_hospital_that_loses_is_named_in_words():
    page = flat(comparison())
    assert "-0.005 loses" in page
    assert (
        "other loses by joining: alone and without privacy it reaches 0.985, federated 0.980."
        in page
    )
    assert "SVHD loses" not in page


def test_a_difference_that_the_table_cannot_show_is_no_loss():
    page = flat(comparison(Row("A", 1, 0.97949, 0.6, 0.9792)))
    assert "loses" not in page
    assert "+0.000" in page


def test_a_hospital_that_cannot_train_alone_has_no_figure():
    page = flat(comparison(Row("A", 0, math.nan, math.nan, 0.98)))
    assert "nan" not in page
    assert "loses" not in page


def test_the_comparison_says_whether_the_interval_held():
    assert (
        "95 % interval 0.943 to 1.000, around 0.975. The exact figure lies within the interval."
        in flat(comparison())
    )
    assert "lies NOT within" in flat(comparison(exact=0.9))


def test_a_study_without_a_model_says_what_was_found_and_speaks_of_no_model():
    page = outcome(model=None, found=[("counted", "about 312 patients")])
    assert "What was found counted about 312 patients" in page
    assert "model" not in page
    assert "asked for" not in page


def test_the_pages_fit_80_columns():
    for renderable in (
        comparison(),
        outcome_page(
            study_title="t" * 300,
            model=ModelOutcome(
                told(EVALUATION), "m" * 90, "cannot-be-judged", minimum=Decimal("0.9")
            ),
        ),
    ):
        assert max(map(len, plain_text(renderable, 80).splitlines())) <= 80


def test_extracts_are_a_line_a_hospital_and_a_missing_one_is_named():
    extract = {
        "study": {"status": "completed"},
        "epsilon": 0.9982,
        "releases": [{"kind": "update"}] * 40 + [{"kind": "evaluation"}],
    }
    words = plain_text(extracts_page({"SVI": extract}, ["SVI", "SVHD"]))
    assert re.search(r"SVI +completed +40 model updates, 1 check of +0\.9982\s+the model", words)
    assert re.search(r"SVHD +has not come yet", words)
