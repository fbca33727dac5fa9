"""What a Python session shows of our objects: one short line, and in a notebook a page or a small
table, whatever a study's texts hold.
"""

import numpy as np
import pytest
from completed_study import finished
from consortium import NAMES, Consortium

from securefl.api import PublicDataset, Study, load_model
from securefl.federation.round_record import RoundRecord
from securefl.learning.artefact import Model
from securefl.learning.stages.roles import judged_result
from securefl.report.html import html_page
from securefl.report.notebook import framed
from securefl.report.terminal import plain_text
from securefl.researcher.results import MadeModel, Result
from securefl.shown import Shown


class Hostile(Shown):
    def _shown(self):
        return [("title", "<script>alert(1)</script>\n\x1b[2J\u202e" + "x" * 10_000), ("<b>", "1")]


def test_texts_of_others_stay_on_their_line_and_are_no_markup():
    said, page = repr(Hostile()), Hostile()._repr_html_()
    assert len(said) < 120
    assert said.isprintable()
    assert "<script>" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;" in page
    assert len(page) < 1000
    assert "<script" not in page
    with pytest.raises(NotImplementedError):
        repr(Shown())


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """One of each that a session meets, of a study with 100,000 characters of contributions."""
    root = tmp_path_factory.mktemp("session")
    c, end = Consortium(root), finished()
    study = c.new_study("shown")
    figures = judged_result(end.outcome.results)
    evaluation = figures.evaluation
    end.unpacked(end.files, root / "model")
    model = load_model(root / "model")
    many = {f"H{i:04}": "0" * 64 for i in range(1000)}
    record = end.outcome.records[0].__class__(
        **{**end.outcome.records[0].__dict__, "contributions": many}
    )
    made = MadeModel(model, figures, "met", root / "model")
    result = Result(end.plan.study, end.outcome, {}, {}, made)
    dataset = PublicDataset(
        "SVI", "records", {"columns": [{"name": f"column {i}"} for i in range(200)]}, b""
    )
    return [c.lab, study, dataset, result, evaluation, model, record]


#: Objects that have a page; a notebook shows the others as a small table.
WITH_PAGE = (Study, Result, Model, RoundRecord)


def test_each_object_is_one_short_line_and_a_page_or_a_small_table(objects):
    for one in objects:
        said, shown = repr(one), one._repr_html_()
        assert said.startswith(f"<{type(one).__name__}: ")
        assert len(said) < 400
        assert "\n" not in said
        assert " at 0x" not in said
        if isinstance(one, WITH_PAGE):
            assert shown == framed(one.page())
            continue
        assert one.page() is None
        assert "<table class='securefl-shown'>" in shown
        assert len(shown) < 2000
    lab, study, dataset, result, evaluation, model, record = map(repr, objects)
    assert "researcher" in lab
    assert ", ".join(NAMES) in study
    assert "SVI/records" in dataset
    assert "quality met" in result
    assert "AUC 0." in evaluation
    assert "logistic regression" in model
    assert "hospitals 1000" in record


def test_pages_say_what_was_found_who_contributed_and_what_the_model_is_for(objects):
    *_, result, _, model, record = objects
    pages = (plain_text(one.page()) for one in (result, model, record))
    found, about, round_ = (" ".join(text.split()) for text in pages)
    assert result.told.headline in found
    assert all(site in found for site in result.study.cohort)
    assert "securefl predict " in found
    assert model.intended_use in about
    assert "probability" in about
    assert "folder" not in about
    assert "H0999" in round_
    assert record.sum_sha256 in html_page(record.page())


def test_a_data_set_that_nobody_signed_says_so():
    assert "not signed" in repr(PublicDataset("SVI", "records", {}, b"", "not signed"))


def test_an_outcome_does_not_print_its_arrays():
    assert len(repr(finished().outcome)) < 100
    assert np.size(finished().outcome.theta) > 1
