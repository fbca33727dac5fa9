"""Simulations with hospitals that poison, and sums by groups."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import protocol_text
from simulated_tables import csv_of

from securefl.errors import UsageError
from securefl.learning.table import read_table
from securefl.report.terminal import plain_text
from securefl.report.told import told_page
from securefl.simulation.draws import Samplers
from securefl.simulation.poisoning import GroupedSum, with_flipped_labels
from securefl.simulation.tables import Source, Whole
from securefl.simulation.trial import run_trial, virtual_hospitals
from securefl.simulation.virtual_study import read_template, virtual_study

EDITS = (("min_contributors = 5", "min_contributors = 3"), ("colluders = 3", "colluders = 1"))
SAMPLERS = Samplers()


@pytest.fixture(scope="module")
def study():
    template, weights = read_template(protocol_text(*EDITS).encode())
    source = Source("a table", Whole(read_table(csv_of(1200)), 9))
    found = virtual_study(template, source.sites, weights)
    tables = source.division(found.data.patient, 1, 0)
    return found, virtual_hospitals(found, tables, 1, 0)


def figure(study, rule, factors=None, flipped=()):
    found, hospitals = study
    hospitals = with_flipped_labels(hospitals, flipped)
    summer = GroupedSum([one.site for one in hospitals], 3, rule, 1, factors)
    trial = run_trial(found, hospitals, SAMPLERS, seed=1, repeat=0, summer=summer, probes=0)
    return trial.probes[-1].figure


def test_a_scaled_update_is_withstood_by_groups_and_not_by_one_sum(study):
    site = study[1][0].site
    factors = {site: -50.0}
    assert figure(study, "mean") > 0.9
    assert figure(study, "median", factors) > 0.9
    assert figure(study, "mean", factors) < 0.5  # control: one sum follows the poisoner


def test_flipped_labels_are_of_the_training_rows_alone(study):
    _, hospitals = study
    (one, *others) = with_flipped_labels(hospitals, [hospitals[0].site])
    assert (one.rows.train.y == 1 - hospitals[0].rows.train.y).all()
    assert one.rows.held_out is hospitals[0].rows.held_out
    assert others == hospitals[1:]
    count = replace(hospitals[0].rows.train, y=np.full(3, 7))
    bad = replace(hospitals[0], rows=replace(hospitals[0].rows, train=count))
    with pytest.raises(UsageError, match="Only a yes or no"):
        with_flipped_labels([bad], [bad.site])


def test_the_report_of_a_study_names_the_hospital_whose_labels_are_inverted():
    """On a small table: one of four hospitals took yes for no everywhere."""
    text = protocol_text(
        ("min_contributors = 5", "min_contributors = 4"),
        ("colluders = 3", "colluders = 2"),
        ('metric = "auc"\n', 'metric = "auc"\neach_participant = true\n'),
    )
    template, weights = read_template(text.encode())
    source = Source("a table", Whole(read_table(csv_of(6000)), 4))
    found = virtual_study(template, source.sites, weights)
    honest = virtual_hospitals(found, source.division(found.data.patient, 2, 0), 2, 0)
    site = honest[1].site
    for inverted in ((site,), ()):
        hospitals = with_flipped_labels(honest, inverted, everywhere=True)
        trial = run_trial(found, hospitals, SAMPLERS, seed=2, repeat=0, probes=0)
        assert trial.split[0].below_chance == inverted
        page = plain_text(told_page(trial.tables), 200, most=200)
        words = f"At {site} the model orders patients the wrong way round"
        assert (words in page) == bool(inverted)


def test_the_same_seed_gives_the_same_model(study):
    assert figure(study, "trimmed") == figure(study, "trimmed")


def test_too_few_hospitals_make_no_groups(study):
    found, hospitals = study
    summer = GroupedSum([one.site for one in hospitals], 5, "median", 1)
    with pytest.raises(UsageError, match="one hospital that poisons decides"):
        run_trial(found, hospitals, SAMPLERS, seed=1, repeat=0, summer=summer, probes=0)
