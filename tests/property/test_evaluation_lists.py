"""An evaluation that is split by hospital and by subgroup: one patient moves the release by no more
than its noise is drawn for, whatever the task, and never a list of another hospital.
"""

from functools import cache

import numpy as np
import pytest
from classes_study import classes_protocol
from conftest import make_study
from count_study import EDITS as COUNT
from hypothesis import given, settings
from hypothesis import strategies as st
from number_study import EDITS as NUMBER
from small_study import FixedDraws
from split_study import ONLY_BY, ONLY_OWN, SPLIT
from survival_study import EDITS as SURVIVAL

from securefl.learning.features import prepare
from securefl.learning.mock import mock_table
from securefl.learning.stages.programme import Programme
from securefl.learning.stages.stage import Rows
from securefl.learning.table import read_table
from securefl.study.parse import parse_study

SECRET = b"s" * 32
EDITS = {
    "binary": (),
    "classes": None,
    "count": COUNT,
    "number": NUMBER,
    "time-to-event": SURVIVAL,
}


@cache
def stage_of(task, split):
    from classes_study import LABEL, METRIC

    edits = (LABEL, METRIC) if task == "classes" else EDITS[task]
    text = make_study(5, *edits, split, ("max_rows_per_patient = 1", "max_rows_per_patient = 3"))[0]
    return Programme(parse_study(text)).stages[-1]


def rows_of(stage, generator, count=60):
    """Rows of patients with one to three rows each."""
    table = mock_table(stage.study.data, count, int(generator.integers(1 << 20)))
    head, *lines = table.decode().splitlines()
    owners = np.sort(generator.integers(0, count // 2, len(lines)))
    named = [
        f"p{owner}{line[line.index(',') :]}" for owner, line in zip(owners, lines, strict=True)
    ]
    return prepare(read_table("\n".join([head, *named, ""]).encode()), stage.study.data, SECRET)


def exact(stage, site, rows, theta):
    """A hospital's lists without noise."""
    none = rows.select(np.zeros(len(rows.y), dtype=bool))
    local = stage.local(stage.study, site, Rows(none, rows), FixedDraws())
    return local.answer(stage.releases()[0], theta)


@pytest.mark.parametrize("split", [SPLIT, ONLY_BY, ONLY_OWN], ids=["both", "subgroups", "own"])
@pytest.mark.parametrize("task", EDITS)
@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000))
def test_one_patient_moves_the_release_by_what_its_noise_is_drawn_for(task, split, seed):
    stage, generator = stage_of(task, split), np.random.default_rng(seed)
    rows = rows_of(stage, generator)
    theta = generator.normal(0, 1, stage.public_length)
    site = stage.study.cohort[seed % 5]
    whole = exact(stage, site, rows, theta)
    gone = str(generator.choice(rows.patients))
    fewer = rows.select(np.array([patient != gone for patient in rows.patients]))
    moved = whole - exact(stage, site, fewer, theta)
    written = stage.layout.written_by(site)
    assert not moved[~written].any()
    section, (release,) = stage.section, stage.releases()
    # exact decimals: the length times the charged multiplier is at most the noise's deviation
    squared = int(moved @ moved) * release.mechanism.noise_multiplier**2
    assert 0 < squared <= section.split_sigma**2
    lists = moved.reshape(-1, stage.layout.size)
    assert np.count_nonzero(lists.any(axis=1)) == section.lists
    np.testing.assert_array_equal(
        lists[0 : stage.layout.parts[0].start + len(stage.layout.parts[0].groups)].sum(axis=0),
        stage.layout.overall(moved),
    )


def test_control_the_noise_of_one_list_would_be_too_small_for_three():
    stage = stage_of("binary", SPLIT)
    generator = np.random.default_rng(1)
    rows = rows_of(stage, generator)
    theta = np.zeros(stage.public_length)
    site = stage.study.cohort[0]
    fewer = rows.select(np.array([patient != rows.patients[0] for patient in rows.patients]))
    moved = exact(stage, site, rows, theta) - exact(stage, site, fewer, theta)
    squared = int(moved @ moved) * stage.section.noise_multiplier**2
    assert stage.section.sigma**2 < squared <= stage.section.split_sigma**2


def test_the_charge_names_all_numbers_in_which_a_patient_counts():
    assert stage_of("binary", SPLIT).releases()[0].mechanism.cells == 3
    assert stage_of("binary", ONLY_OWN).releases()[0].mechanism.cells == 1
    classes = classes_protocol(SPLIT).stages[-1]
    assert classes.split_cells == 3 * classes.cells
