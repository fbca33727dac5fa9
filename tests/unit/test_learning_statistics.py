"""Statistics from one noised list: where a patient counts, what the sum says, what is refused."""

import csv as comma_separated
from functools import reduce

import numpy as np
import pytest
from in_process_federation import Room, sealed_study
from small_study import FixedDraws, csv, protocol
from statistics_study import ALONE, BEFORE, STATISTICS, statistics_protocol

from securefl.errors import RoundError, StudyError
from securefl.learning.features import prepare
from securefl.learning.split import split_rows
from securefl.learning.stages.programme import Programme, charges_of
from securefl.learning.stages.stage import Rows
from securefl.learning.statistics.blocks import Block, blocks_of, places
from securefl.learning.statistics.estimates import estimates, non_negative
from securefl.learning.statistics.words import told
from securefl.learning.table import read_table
from securefl.privacy.accounting import PldAccountant
from securefl.report.explain_study import leaving
from securefl.report.html import html_page
from securefl.report.study import study_page
from securefl.report.terminal import plain_text
from securefl.report.told import told_page
from securefl.study.consistency import check_consistency

STUDY = statistics_protocol()
STAGE = Programme(STUDY).stages[0]
SECTION = STAGE.section
SECRET = b"s" * 32
NO_PUBLIC = np.zeros(0)


def prepared(*lines, study=STUDY):
    return prepare(read_table(csv(*lines)), study.data, SECRET)


def answered(rows, draws=None, stage=STAGE, study=STUDY):
    """One hospital's list."""
    local = stage.local(
        study,
        "A",
        Rows(rows, rows.select(np.zeros(len(rows.y), dtype=bool))),
        draws or FixedDraws(),
    )
    return local.answer(stage.releases()[0], NO_PUBLIC)


def test_the_blocks_follow_from_the_study_alone():
    blocks = blocks_of(SECTION, STUDY.data)
    assert [(b.name, b.size, len(b.cells), b.missing) for b in blocks] == [
        ("age", 30, 10, False),
        ("TSH", 33, 11, True),
        ("sick", 6, 2, False),
        ("sex and sick", 6, 2, False),
    ]
    assert blocks[0].groups == ("F", "M", "not recorded")
    assert [b.start for b in blocks] == [0, 30, 63, 69]
    assert blocks[0].scale[:2] == (0.0, 12.0)
    assert blocks[1].logarithmic
    assert blocks[1].scale[5] == pytest.approx((0.005 * 600) ** 0.5)


def test_a_patient_counts_once_in_every_block():
    rows = prepared("p1,30,1,F,t,E", "p2,120,,M,f,-", "p3,0,0.005,,t,-")
    found = places(SECTION, STUDY.data, rows)
    # age 30 of 0 to 120 in ten bins, TSH 1 on a logarithmic scale, sick, and both together
    assert found[0].tolist() == [2, 30 + 4, 63 + 1, 69 + 1]
    assert found[1].tolist() == [10 + 9, 30 + 11 + 10, 63 + 2 + 0, 69 + 2 + 0]
    assert found[2].tolist() == [20 + 0, 30 + 22 + 0, 63 + 4 + 1, 69 + 4 + 1]


def test_taking_a_patient_with_several_rows_away_moves_four_numbers_by_one():
    study = statistics_protocol(("max_rows_per_patient = 1", "max_rows_per_patient = 3"))
    stage = Programme(study).stages[0]
    lines = [f"p{i // 3},{20 + i},1,{'FM'[i % 2]},t,E" for i in range(30)]
    whole = answered(prepared(*lines, study=study), stage=stage, study=study)
    for gone in ("p0,", "p4,", "p9,"):
        fewer = [line for line in lines if not line.startswith(gone)]
        moved = whole - answered(prepared(*fewer, study=study), stage=stage, study=study)
        assert sorted(moved.tolist()) == [0] * 71 + [1] * 4


def test_the_noise_grows_with_what_a_patient_can_change():
    """Its Renyi divergence is that of one number with the charged multiplier; the multiplier alone
    as deviation (the control) would cost four times that.
    """
    draws = FixedDraws()
    answered(prepared("p1,30,1,F,t,E"), draws)
    (sigma,) = draws.sigmas
    mechanism = charges_of(STUDY)[0].mechanism
    assert mechanism.cells == SECTION.cells
    charged = 1 / (2 * float(mechanism.noise_multiplier) ** 2)
    assert SECTION.cells == 4
    assert SECTION.cells / (2 * float(sigma) ** 2) <= charged
    assert SECTION.cells / (2 * float(SECTION.noise_multiplier) ** 2) == 4 * charged


def test_a_study_of_them_runs_encrypted_and_its_list_is_the_sum_of_the_noised_ones():
    plan = sealed_study(*ALONE)[1]
    room = Room(plan)
    (result,) = room.coordinator().run().results
    total = reduce(np.add, [h.produced[0] for h in room.hospitals.values()])
    np.testing.assert_array_equal(result.total, total)
    again = plan.programme.stages[0].recalled(result.record())
    assert again.figures == result.figures


def test_they_may_stand_before_a_training():
    plan = sealed_study(BEFORE)[1]
    assert [plan.kind(n) for n in range(1, plan.last_round + 1)][:2] == ["statistics", "update"]
    assert len(Room(plan).coordinator().run().results) == 3


def test_a_sum_of_another_length_is_refused():
    with pytest.raises(RoundError, match="75 values are due"):
        STAGE.absorb(None, np.zeros(74, dtype=np.int64), 3)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"age", "TSH"', '"age", "age"', "named twice"),
        ('by = "sex"', 'by = "age"', "cannot be split by itself"),
        ('by = "sex"', 'by = "sex"\nby_outcome = true', "not both"),
        ('["sex", "sick"]]', '["sex", "sex"]]', "two different columns"),
        ('["sex", "sick"]]', '["sex", "sick"], ["sex", "sick"]]', "asked for twice"),
        ('["sex", "sick"]]', '["sex"]]', "at least 2"),
        ('"3.75"', '"1"', "two units"),
        ('epsilon = "1"\nbound', 'epsilon = "0"\nbound', "above 0"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused_with_its_line(old, new, says):
    with pytest.raises(StudyError, match=says) as refused:
        statistics_protocol((STATISTICS, STATISTICS.replace(old, new)))
    assert "line " in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"age", "TSH"', '"age", "weight"', "have no column weight"),
        ('by = "sex"', 'by = "height"', "have no column height"),
        ('["sex", "sick"]]', '["sex", "TSH"]]', "is a number and has no levels"),
        ('by = "sex"\n', 'by = "sex"\nbound_ = 1\n', "unknown key"),
        ('epsilon = "1"', 'epsilon = "0.5"', "says 0.5, but the noise gives"),
        ("bound = 20000", "bound = 200000000", "makes fields of"),
    ],
)
def test_a_table_that_contradicts_the_study_is_refused(old, new, says):
    with pytest.raises(StudyError, match=says):
        check_consistency(
            statistics_protocol((STATISTICS, STATISTICS.replace(old, new))), PldAccountant()
        )


def test_an_unknown_column_is_told_beside_the_whole_studys_epsilon_and_its_windows():
    """Both are worked out of the stages' releases, which such a stage cannot tell."""
    unknown = STATISTICS.replace('"age", "TSH"', '"age", "weight"')
    unit = 'unit = "patient"\nneighbouring = "add-remove"\n'
    stated = (unit, f'{unit}epsilon = "1"\n')
    with pytest.raises(StudyError, match="have no column weight"):
        check_consistency(statistics_protocol((STATISTICS, unknown), stated), PldAccountant())


def test_a_list_that_is_too_long_is_refused():
    long = STATISTICS.replace("bins = 10", "bins = 256").replace('by = "sex"\n', "")
    check_consistency(statistics_protocol((STATISTICS, long)), PldAccountant())
    levels = ", ".join(f'"l{i}"' for i in range(200))
    with pytest.raises(StudyError, match="65,536 are the most"):
        check_consistency(
            statistics_protocol(
                (STATISTICS, STATISTICS.replace("bins = 10", "bins = 256")),
                ('levels = ["F", "M"]', f"levels = [{levels}]"),
            ),
            PldAccountant(),
        )


def test_a_check_of_a_model_needs_patients_kept_aside():
    with pytest.raises(StudyError, match=r"data\.holdout keeps none"):
        check_consistency(protocol(('holdout = "3/10"', 'holdout = "0"')), PldAccountant())


def test_nobody_is_kept_aside_where_the_study_says_so():
    rows = prepared(*(f"p{i},30,1,F,t,E" for i in range(50)))
    train, aside = split_rows(rows, SECRET, STUDY.data.holdout)
    assert (len(train.y), len(aside.y)) == (50, 0)
    text = " ".join(plain_text(study_page(STUDY, None), 200).split())
    assert "All patients are used; none is kept aside." in text


def test_the_owner_is_told_what_leaves():
    (found,) = leaving(STUDY)
    assert "each band or level of age, TSH, sick, each split by sex; and of sex with sick" in (
        found.sentence
    )
    assert "one of them counts in 4 of the numbers" in found.sentence


def test_they_can_be_split_by_what_is_to_be_predicted():
    study = statistics_protocol((STATISTICS, STATISTICS.replace('by = "sex"', "by_outcome = true")))
    stage = Programme(study).stages[0]
    assert blocks_of(stage.section, study.data)[0].groups == ("negative", "positive")
    found = answered(prepared("p1,30,1,F,t,E", "p2,30,1,M,f,-"), stage=stage, study=study)
    assert found[:20].reshape(2, 10).sum(axis=1).tolist() == [1, 1]


# --- estimates

AGE = Block("age", 0, ("all",), tuple(map(str, range(21))), True, tuple(np.linspace(0, 120, 21)))
SEX = Block("sex", 21, ("all",), ("F", "M"), False)


def simulated(generator, patients, noise):
    """A noised list of one group: normal ages, a tenth of them missing, three in ten men."""
    age = np.clip(generator.normal(52, 18, patients), 0, 119.9)
    missing = generator.random(patients) < 0.1
    bins = np.where(missing, 20, (age / 6).astype(int))
    sex = (generator.random(patients) < 0.3).astype(int)
    exact = np.concatenate([np.bincount(bins, minlength=21), np.bincount(sex, minlength=2)])
    return exact + np.rint(generator.normal(0, noise, 23)).astype(np.int64)


@pytest.mark.parametrize(("patients", "noise"), [(3000, 40), (500, 12), (10_000, 60)])
def test_intervals_cover_as_often_as_they_say(patients, noise):
    generator, runs = np.random.default_rng(1), 1000
    truth = {"patients": patients, "missing": 0.1, "mean": 52, "deviation": 18, "F": 0.7}
    truth |= {"lower": 52 - 0.6745 * 18, "median": 52, "upper": 52 + 0.6745 * 18}
    covered = dict.fromkeys(truth, 0)
    for _ in range(runs):
        age, sex = estimates((AGE, SEX), simulated(generator, patients, noise), noise**2)
        (all_ages,), (both,) = age.groups, sex.groups
        found = {
            "patients": all_ages.patients,
            "missing": all_ages.missing,
            "mean": all_ages.mean,
            "deviation": all_ages.deviation,
            "F": both.shares[0],
            **dict(zip(("lower", "median", "upper"), all_ages.quartiles, strict=True)),
        }
        for name, value in truth.items():
            covered[name] += found[name].low <= value <= found[name].high
    assert min(covered.values()) >= 0.93 * runs, covered
    # the control: without the noise in them the same intervals miss far more often
    alone = sum(
        e.low <= patients <= e.high
        for e in (
            estimates((AGE, SEX), simulated(generator, patients, noise), 1.0)[0].groups[0].patients
            for _ in range(200)
        )
    )
    assert alone < 100


def test_the_interval_of_a_quartile_holds_wherever_in_their_bins_values_lie():
    # everybody is 0.1 above an edge, so that interpolation puts the median far too high
    counts = np.zeros(23, dtype=np.int64)
    counts[7:11] = 2000
    counts[21] = 8000
    age, _ = estimates((AGE, SEX), counts, 100.0)
    lower, median, upper = age.groups[0].quartiles
    assert lower.low <= 42.1 <= lower.high
    assert median.low <= 48.1 <= median.high
    assert upper.low <= 54.1 <= upper.high
    # control: two bins at most, as the noise is small
    assert all(one.high - one.low <= 12 for one in (lower, median, upper))


def test_without_noise_the_figures_are_those_of_the_bins():
    generator = np.random.default_rng(2)
    age, sex = estimates((AGE, SEX), simulated(generator, 20_000, 0), 1e-9)
    (found,), (both,) = age.groups, sex.groups
    assert found.patients.value == pytest.approx(20_000)
    assert found.mean.value == pytest.approx(52, abs=0.5)
    assert found.deviation.value == pytest.approx(18, abs=0.5)
    assert found.quartiles[1].value == pytest.approx(52, abs=1)
    assert sum(share.value for share in both.shares) == pytest.approx(1)


def test_nothing_is_said_of_a_group_that_is_lost_in_the_noise():
    noise = np.rint(np.random.default_rng(3).normal(0, 50, 23)).astype(np.int64)
    age, _ = estimates((AGE, SEX), noise - 20, 2500.0)
    (found,) = age.groups
    assert found.patients.low == 0
    assert found.mean.value is None
    assert {quartile.value for quartile in found.quartiles} == {None}
    text = plain_text(told_page([told(age, "patients")]), 100)
    assert text.count("too few to say") == 6


def test_counts_that_are_shown_are_not_negative_and_keep_their_total():
    generator = np.random.default_rng(4)
    for _ in range(50):
        counts = generator.normal(3, 10, 12)
        total = max(float(counts.sum()), 0.0)
        shown = non_negative(counts, total)
        assert shown.min() >= 0
        assert shown.sum() == pytest.approx(total)


RESULT = STAGE.absorb(None, np.arange(75, dtype=np.int64) * 7, 3)


def test_the_page_has_a_section_for_every_column_in_a_terminal_and_as_html():
    page = told_page(RESULT.tables("patients"))
    text = plain_text(page, 100)
    for words in ("age (years)", "TSH", "sick", "sex and sick (patients)", "geometric mean"):
        assert words in text
    assert html_page(page).count("<svg") == 3


def test_the_rows_of_a_spreadsheet_hold_every_figure():
    rows = RESULT.figure_rows()
    assert len({(row.name, row.group, row.figure) for row in rows}) == len(rows)
    assert {row.name for row in rows} == {"age", "TSH", "sick", "sex and sick"}
    assert all(row.value is None or row.low <= row.value <= row.high for row in rows)
    medians = [row for row in rows if row.figure == "median"]
    assert [row.group for row in medians] == ["F", "M", "not recorded"] * 2


def test_csv_reads_back(tmp_path):
    from securefl.cli.study_report import _write_csv

    _write_csv(RESULT.figure_rows(), tmp_path / "figures.csv")
    with (tmp_path / "figures.csv").open(newline="") as file:
        read = list(comma_separated.DictReader(file))
    assert len(read) == len(RESULT.figure_rows())
    assert set(read[0]) == {"name", "group", "figure", "value", "low", "high"}
