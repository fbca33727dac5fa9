"""A study of a researcher's own model: sealed, asked for, approved, run, sent home, used."""

import tomllib

import numpy as np
from conftest import protocol_text
from graph_models import changed, model_table, raw_graph, written
from in_process_federation import sealed_study
from whole_study import whole_study

from securefl.learning.artefact import load_model
from securefl.learning.mock import mock_table
from securefl.learning.table import read_table
from securefl.report.changes import Earlier, changes_section
from securefl.report.explain_study import model_words
from securefl.report.page import page
from securefl.report.study import study_page, study_words
from securefl.report.terminal import plain_text
from securefl.study.differences import differences
from securefl.study.parse import load_raw
from securefl.study.sealed import SealedStudy

SOURCE = "class Model(nn.Module):\n    width = 2\n"
MODEL = ('kind = "logistic-regression"', model_table(6, 1, SOURCE))


def test_it_is_approved_charged_run_by_agents_audited_and_used(tmp_path, monkeypatch):
    done = whole_study(tmp_path, MODEL, patch=monkeypatch)
    done.check_models()
    for said in done.audits().values():
        assert "rounds 1 to 3: 3 model updates" in said
    home = done.consortium.root / done.consortium.names[0] / "models" / done.study.name
    model = load_model(home)
    assert model.spec.family == "graph"
    rows = read_table(mock_table(model.data, 20, 1))
    scores = model.predict(rows)
    assert scores.shape == (20,)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert len(np.unique(scores)) > 1


def test_the_digest_covers_graph_and_text():
    text, plan = sealed_study(MODEL)
    assert model_words(plan.study).startswith("a model of the researcher's own (7 operations")
    first = SealedStudy.read(text).digest
    other = written(changed(raw_graph(6, 1), "nodes", 2, "options", "eps", 0.02))
    assert other in written({"a": other}).replace("\\", "")
    again = text.replace(r"\"eps\":0.01", r"\"eps\":0.02")
    assert SealedStudy.read(again).digest != first
    assert SealedStudy.read(text.replace("width = 2", "width = 3")).digest != first


def test_an_owner_sees_every_operation_and_the_text_as_text():
    _, plan = sealed_study(MODEL)
    said = " ".join(plain_text(study_page(plan.study), 200).split())
    for part in ("slides small filters over it", "1x2x6", "bends by GELU", "width = 2"):
        assert part in said
    assert "It is no program" in said
    # the same page goes with the request, in Markdown
    words = study_words(plan.study)
    assert (
        "- what it does: bends by GELU; makes: `1x2x6`; in the researcher's words: model" in words
    )
    assert "> width = 2" in words


def test_a_difference_names_operations_and_lines():
    text, _ = sealed_study(MODEL)
    later = text.replace(r"\"approximate\":\"none\"", r"\"approximate\":\"tanh\"")
    later = later.replace("width = 2", "width = 3")
    found = differences(text.encode(), later.encode())
    earlier = Earlier("before-0123456789ab", "2026-03-01T12:00:00Z", True, found)
    said = plain_text(page("Changes", changes_section(earlier)), 200)
    assert "-    width = 2" in said
    assert "+    width = 3" in said
    assert "3: gelu [8] {'approximate': 'tanh'}" in said
    assert "convolution" not in said


def test_control_two_studies_of_one_model_have_no_such_lines():
    text, _ = sealed_study(MODEL)
    assert differences(text.encode(), text.encode()) == ()


def test_a_template_without_its_graph_says_where_it_comes_from():
    import pytest

    from securefl.errors import StudyError
    from securefl.study.sealed import UnsealedStudy

    bare = protocol_text(('kind = "logistic-regression"', 'kind = "graph"\nfile = "model.py"'))
    assert tomllib.loads(bare) == load_raw(bare.encode())
    with pytest.raises(StudyError, match="`securefl study new`, `check`, `plan`"):
        UnsealedStudy.read(bare)
