"""Models of single rounds at a hospital: which are kept, and that damage costs a figure only."""

import numpy as np
import pytest
from hospital_after_study import COMMON, after_study
from in_process_federation import sealed_study
from looked_at import looked_at

from securefl.federation.kept_totals import KeptTotals
from securefl.learning.models import weights_to_bytes
from securefl.node import round_models
from securefl.node.owner.round_models import charged_looks, own_rounds
from securefl.node.round_figures import round_figures
from securefl.node.round_models import keep_round_model, kept_round_models
from securefl.report.own_rounds import own_rounds_page
from securefl.report.terminal import plain_text


@pytest.fixture
def site(tmp_path):
    return after_study(tmp_path)


@pytest.fixture(scope="module")
def plan():
    return sealed_study()[1]


def test_each_rounds_model_is_judged_on_the_own_patients(site, plan):
    for number, strength in ((1, 0.0), (2, 1.0), (plan.last_round, 1.0)):
        keep_round_model(site, plan, number, weights_to_bytes(strength * COMMON))
    found = round_figures(site, plan)
    assert [one.after for one in found] == [0, 1, 4]
    assert found[0].figures.auc == 0.5
    assert found[1].figures.auc == found[2].figures.auc > 0.6


def test_a_damaged_file_costs_its_figure_and_no_more(site, plan):
    keep_round_model(site, plan, 1, weights_to_bytes(COMMON))
    keep_round_model(site, plan, 2, b"short")
    keep_round_model(site, plan, 3, weights_to_bytes(np.full(7, np.nan)))
    assert [one.after for one in round_figures(site, plan)] == [0]


def test_models_that_are_too_large_together_are_not_kept(site, plan, monkeypatch):
    monkeypatch.setattr(round_models, "MOST_BYTES", 8)
    keep_round_model(site, plan, 1, weights_to_bytes(COMMON))
    assert kept_round_models(site, plan) == []
    assert round_figures(site, plan) == ()


def test_the_owner_asks_by_the_studys_name(site, plan):
    keep_round_model(site, plan, 1, weights_to_bytes(COMMON))
    (one,) = own_rounds(site).rounds
    assert one.low < one.value < one.high


def test_charged_figures_on_the_way_stand_beside_the_own_ones_while_the_study_runs(site, plan):
    looked = looked_at()
    kept = KeptTotals(site.study_folder(looked.digest) / "totals")
    assert charged_looks(site, looked) is None
    for number in range(1, 5):
        kept.keep(number, np.arange(looked.length(number), dtype=np.int64), 5)
    found = charged_looks(site, looked)
    assert [look.after for look in found.looks] == [1, 2]
    text = plain_text(own_rounds_page("small", "AUC", (), 0.0, found), 120)
    assert "AUC on the way" in text
    assert charged_looks(site, plan) is None  # a study without looks
    # the updates beside them may be long and are not read: one that is damaged costs nothing here
    (site.study_folder(looked.digest) / "totals" / "00001").write_bytes(b"damaged")
    assert charged_looks(site, looked) == found
    (site.study_folder(looked.digest) / "totals" / "00002").write_bytes(b"damaged")
    assert charged_looks(site, looked) is None
