import io

import pytest
from conftest import SITES, make_study, protocol_text, with_stage
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.cells import cell_len
from rich.console import Console

from securefl.learning.tasks.binary.label_words import label_words
from securefl.report import explain_columns, explain_study
from securefl.report.markdown import escaped
from securefl.report.study import study_page, study_words
from securefl.report.terminal import drawn, plain_text
from securefl.study.binary_label import CombinedLabel, NumberCondition, TextCondition
from securefl.study.parse import parse_protocol, parse_study
from securefl.study.sealed import SealedStudy
from securefl.study.training import training_of

TEXT = make_study()[0]
STUDY, DIGEST = parse_study(TEXT), SealedStudy.read(TEXT).digest
PROTOCOL = parse_protocol(protocol_text())
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def flat(study=STUDY, digest=DIGEST):
    return " ".join(study_words(study, digest).split())


def test_a_study_is_explained_from_who_asks_to_how_to_leave():
    words = study_words(STUDY, DIGEST)
    headings = [line for line in words.splitlines() if line.startswith("#")]
    assert headings[0] == "# A small study"
    assert [h.removeprefix("## ") for h in headings[1:]] == [
        "For what",
        "Who asks and who takes part",
        "Which columns",
        "What is trained",
        "What leaves each hospital",
        "Who can see it",
        "What it costs a patient's privacy",
        "What cannot be undone",
        "What comes out",
        "When it runs and how a hospital leaves",
    ]


def test_the_digest_and_every_partys_fingerprint_stand_there():
    words = study_words(STUDY, DIGEST)
    assert DIGEST in words
    for party, role in (
        (STUDY.coordinator, "researcher"),
        (STUDY.aggregator, "aggregator"),
        *((p, "hospital") for p in STUDY.participants),
    ):
        assert explain_study.card(party, role).spoken in words
    assert all(site in words for site in SITES)


def test_the_privacy_figure_is_told_in_plain_words():
    assert "at most 73 %, but for a chance of 1 in 100,000" in flat()


def test_a_template_says_that_its_hospitals_are_not_decided():
    words = flat(PROTOCOL, None)
    assert "cannot be requested" in words
    assert "at least 5 hospitals" in words


def test_what_leaves_is_told_round_by_round_with_sizes():
    assert "4 times: one encrypted list of 7 numbers" in flat()
    assert "once, at the end: one encrypted list of 8 numbers" in flat()


def test_labels_are_told_by_kind():
    label = STUDY.data.label
    against = "against -, |, A, B, C, D, G, H, I, J, K; a row with any other character is set aside"
    assert label_words(label) == f"whether target contains one of the letters E, F ({against})"
    equals = TextCondition(column="target", kind="equals", positive=("yes",), negative=("no",))
    assert (
        label_words(equals)
        == "whether target is yes (against no; a row with any other text is set aside)"
    )
    two = equals.model_copy(update={"positive": ("a", "b"), "missing_codes": ("-9", "k.A.")})
    assert (
        label_words(two)
        == "whether target is one of a, b (against no; a row with any other text is set aside; -9,"
        ' k.A. mean "not recorded")'
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("at-least", "is 1.5 or more"),
        ("above", "is above 1.5"),
        ("at-most", "is 1.5 or less"),
        ("below", "is below 1.5"),
    ],
)
def test_labels_of_a_number_are_told_with_their_threshold_and_range(kind, words):
    label = NumberCondition(column="HbA1c", kind=kind, value="1.5", low="0", high="20")
    assert label_words(label) == f"whether HbA1c {words} (a row outside 0 to 20 is set aside)"


def test_a_label_out_of_two_columns_is_told_with_both():
    died = TextCondition(column="died", kind="equals", positive=("yes",), negative=("no",))
    lactate = NumberCondition(
        column="lactate", kind="at-least", value="4", low="0", high="30", missing_codes=("-9",)
    )
    parts = (
        "died is yes (against no; a row with any other text is set aside); "
        'lactate is 4 or more (a row outside 0 to 30 is set aside; -9 means "not recorded")'
    )
    any_of = CombinedLabel(kind="any-of", conditions=(died, lactate))
    assert label_words(any_of) == f"whether at least one of these holds: {parts}"
    assert (
        label_words(any_of.model_copy(update={"kind": "all-of"}))
        == f"whether all of these hold: {parts}"
    )


def test_codes_and_clipping_stand_behind_their_column():
    age, tsh, sex, sick = STUDY.data.columns
    columns = (
        age.model_copy(update={"missing_codes": ("0", "999")}),
        tsh.model_copy(update={"outside": "clip", "missing_codes": ("-9",)}),
        sex.model_copy(update={"missing_codes": ("9",)}),
        sick.model_copy(update={"missing_codes": ("u",)}),
    )
    rows = dict(
        explain_columns.column_rows(
            STUDY.model_copy(update={"data": STUDY.data.model_copy(update={"columns": columns})})
        )
    )
    assert 'age (0 to 120 years; 0, 999 mean "not recorded")' in rows["numbers"]
    assert (
        'TSH (0.005 to 600; a value outside counts as the nearer end; -9 means "not recorded")'
        in rows["numbers"]
    )
    assert rows["choices"] == 'sex (F, M; 9 means "not recorded")'
    assert rows["yes or no"] == 'sick (u means "not recorded")'


def test_a_network_is_called_one():
    model = training_of(STUDY).model.model_copy(update={"kind": "mlp", "hidden": (8, 4)})
    network = with_stage(STUDY, training_of(STUDY), model=model)
    assert "A small neural network (hidden layers of 8, 4) with" in flat(network)


def test_without_tolerated_colluders_nobody_else_is_named():
    alone = STUDY.model_copy(update={"secagg": STUDY.secagg.model_copy(update={"colluders": 0})})
    assert "researcher, aggregator and nobody else work together" in flat(alone)


def test_an_unknown_use_code_is_shown_as_it_is():
    assert explain_study.duo_words("DUO:0000042") == "DUO:0000042 (general research use)"
    assert explain_study.duo_words("DUO:9999999") == "DUO:9999999"


def test_the_markdown_of_a_study_shows_hostile_texts_literally():
    hostile = "# Approved\n\n<b>x</b> [y](http://z) ![i](http://j) `c` *s* | t"
    study = STUDY.model_copy(
        update={
            "study": STUDY.study.model_copy(
                update=dict.fromkeys(("title", "lay_summary", "purpose", "lead"), hostile)
            )
        }
    )
    tokens = MARKDOWN.parse(study_words(study, DIGEST))
    assert sum(t.type == "heading_open" for t in tokens) == 11
    kinds = {c.type for t in tokens for c in t.children or ()}
    assert kinds <= {"text", "text_special", "code_inline", "softbreak"}


@given(st.text(st.sampled_from("ab1 \n#*_`[]()<>!|~-+=.&;:/\\\t") | st.characters(), max_size=60))
def test_escaped_text_is_one_paragraph_of_text(text):
    tokens = MARKDOWN.parse("Said: " + escaped(" ".join(text.split())))
    assert [t.type for t in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert {c.type for c in tokens[1].children} <= {"text", "text_special"}


@given(st.text(st.sampled_from("ab1 \n#*_`[]()<>!|~-+=.&;:/\\\t"), max_size=80))
def test_a_quoted_summary_stays_in_its_quote(text):
    study = STUDY.model_copy(update={"study": STUDY.study.model_copy(update={"lay_summary": text})})
    tokens = MARKDOWN.parse(study_words(study, DIGEST))
    opened = [i for i, t in enumerate(tokens) if t.type == "blockquote_open"]
    closed = [i for i, t in enumerate(tokens) if t.type == "blockquote_close"]
    assert len(opened) == len(closed) == 1
    assert {t.type for t in tokens[opened[0] + 1 : closed[0]]} <= {
        "paragraph_open",
        "inline",
        "paragraph_close",
    }
    assert sum(t.type == "heading_open" for t in tokens) == 11


def test_the_page_fits_100_columns():
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(drawn(study_page(STUDY, DIGEST)))
    assert max(cell_len(line.rstrip()) for line in console.export_text().splitlines()) <= 100
    assert "73 %" in plain_text(study_page(STUDY, DIGEST))


def test_what_a_hospital_shows_of_a_column_has_its_codes_and_its_clipping():
    column = {
        "name": "TSH",
        "low": "0.005",
        "high": "600",
        "unit": "mU/L",
        "outside": "clip",
        "missing_codes": ["0", "-9"],
    }
    words = (
        'TSH (0.005 to 600 mU/L; a value outside counts as the nearer end; 0, -9 mean "not'
        ' recorded")'
    )
    assert explain_columns.column_words(column) == words
    assert (
        explain_columns.column_words({"name": "sick", "missing_codes": ["u"]})
        == 'sick (u means "not recorded")'
    )
