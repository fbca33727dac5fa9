"""Survival curves from one noised list: where a patient counts, what the sum says, what is refused."""

from functools import reduce

import numpy as np
import pytest
from in_process_federation import Room, sealed_study
from small_study import FixedDraws, protocol
from survival_curve_study import CURVE_ALONE, CURVE_EDITS, curve_protocol
from survival_study import csv, survival_protocol

from securefl.errors import RoundError, StudyError
from securefl.learning.features import prepare
from securefl.learning.stages.programme import Programme, charges_of
from securefl.learning.stages.stage import Rows
from securefl.learning.survival.figures import figures_of
from securefl.learning.survival.kaplan_meier import Counts, curve_of
from securefl.learning.survival.log_rank import log_rank
from securefl.learning.survival.words import told
from securefl.learning.table import read_table
from securefl.privacy.accounting import PldAccountant
from securefl.report.curve_chart import curve_chart
from securefl.report.explain_study import leaving
from securefl.report.html import html_page
from securefl.report.terminal import plain_text
from securefl.report.told import told_page
from securefl.study.consistency import contradictions

STUDY = curve_protocol()
STAGE = Programme(STUDY).stages[0]
EDGES = (6.0, 12.0, 24.0, 48.0)
NO_PUBLIC = np.zeros(0)


def prepared(*lines, study=STUDY):
    return prepare(read_table(csv(*lines)), study.data, b"s" * 32)


def answered(rows, draws=None, stage=STAGE, study=STUDY):
    """One hospital's list."""
    nobody = rows.select(np.zeros(len(rows.y), dtype=bool))
    local = stage.local(study, "A", Rows(rows, nobody), draws or FixedDraws())
    return local.answer(stage.releases()[0], NO_PUBLIC)


def kaplan_meier(times, events, edges):
    """The curve of exact times, one time after the other."""
    curve = []
    for edge in edges:
        share = 1.0
        for time in sorted(set(times[events & (times <= edge)])):
            share *= 1 - np.sum(events & (times == time)) / np.sum(times >= time)
        curve.append(share)
    return curve


def invented(generator, count, mean, lost):
    """Times of events and of losses."""
    until = generator.exponential(mean, count)
    seen = np.minimum(generator.exponential(lost, count), generator.uniform(30, 70, count))
    return np.minimum(until, seen), until <= seen


def counts_of(times, events, generator=None, sd=0.0):
    """The cells of a group, with noise where asked."""
    interval = np.searchsorted(EDGES, times, side="left")
    whole = np.searchsorted(EDGES, times, side="right")
    inside = events & (interval < len(EDGES))
    happened = np.bincount(interval[inside], minlength=len(EDGES)).astype(float)
    ends = np.where(events, len(EDGES), whole)[~inside]
    censored = np.bincount(ends, minlength=len(EDGES) + 1).astype(float)
    if generator is not None:
        happened += generator.normal(0, sd, len(happened))
        censored += generator.normal(0, sd, len(censored))
    return Counts(happened, censored, sd**2)


def test_a_patient_counts_in_one_number_of_its_group():
    rows = prepared(
        "p1,30,1,F,t,6,yes",
        "p2,30,1,M,t,6,no",
        "p3,30,1,,t,50,yes",
        "p4,30,1,F,t,47,moved",
        "p5,30,1,M,t,0,yes",
    )
    found = answered(rows)
    # nine numbers a group: seen through 0 to 4 intervals, then events in interval 1 to 4
    assert found.reshape(3, 9).tolist() == [
        [0, 0, 0, 1, 0, 1, 0, 0, 0],
        [0, 1, 0, 0, 0, 1, 0, 0, 0],
        [0, 0, 0, 0, 1, 0, 0, 0, 0],
    ]


def test_taking_a_patient_with_several_rows_away_moves_one_number_by_one():
    study = curve_protocol(("max_rows_per_patient = 1", "max_rows_per_patient = 3"))
    stage = Programme(study).stages[0]
    lines = [f"p{i // 3},{20 + i},1,{'FM'[i % 2]},t,{3 * i},yes" for i in range(24)]
    whole = answered(prepared(*lines, study=study), stage=stage, study=study)
    for gone in ("p0,", "p3,", "p7,"):
        fewer = [line for line in lines if not line.startswith(gone)]
        moved = whole - answered(prepared(*fewer, study=study), stage=stage, study=study)
        assert sorted(moved.tolist()) == [0] * 26 + [1]


def test_the_noise_is_that_of_the_charge():
    draws = FixedDraws()
    answered(prepared("p1,30,1,F,t,5,yes"), draws)
    charged = charges_of(STUDY)[0].mechanism.noise_multiplier
    assert [float(s) for s in draws.sigmas] == [float(charged)]


def test_hospitals_that_share_the_noise_add_less_and_the_intervals_know():
    study = curve_protocol(('noise = "local"', 'noise = "distributed"'))
    stage, draws = Programme(study).stages[0], FixedDraws()
    answered(prepared("p1,30,1,F,t,5,yes", study=study), draws, stage, study)
    assert float(draws.sigmas[0]) < 3.75
    total = np.full(27, 200, dtype=np.int64)
    alone, shared = STAGE.absorb(None, total, 5).figures, stage.absorb(None, total, 5).figures
    assert shared.noise_sd < alone.noise_sd
    assert charges_of(study)[0].mechanism.shares == stage.shares.count > 1


def test_without_noise_and_loss_it_is_the_kaplan_meier_curve():
    generator = np.random.default_rng(1)
    times = generator.exponential(30, 4000)
    everybody = np.ones(4000, dtype=bool)
    counts = counts_of(times, everybody)
    found = [share.value for share in curve_of(counts).survival]
    np.testing.assert_allclose(found, kaplan_meier(times, everybody, EDGES), rtol=1e-12)


def test_with_loss_it_lies_close_to_the_curve_of_exact_times():
    times, events = invented(np.random.default_rng(2), 20_000, 40, 60)
    found = [share.value for share in curve_of(counts_of(times, events)).survival]
    exact = kaplan_meier(times, events, EDGES)
    # in the last, wide interval most are lost late: half a patient is too little for them
    np.testing.assert_allclose(found[:3], exact[:3], atol=0.004)
    assert found[3] == pytest.approx(exact[3], abs=0.02)
    # the control: who is lost in an interval taken for observed through it lies further away
    counts = counts_of(times, events)
    through = Counts(counts.events, np.append(0.0, counts.censored[:-1]), 0.0)
    through.censored[-1] += counts.censored[-1]
    late = [share.value for share in curve_of(through).survival]
    assert np.max(np.abs(np.subtract(late, exact))) > 0.02


def test_intervals_are_greenwoods_without_noise_and_loss():
    times = np.random.default_rng(3).exponential(30, 500)
    counts = counts_of(times, np.ones(500, dtype=bool))
    found = curve_of(counts)
    at_risk, happened = counts.at_risk, counts.events
    greenwood = np.cumsum(happened / (at_risk * (at_risk - happened)))
    for share, raw, variance in zip(found.survival, found.raw, greenwood, strict=True):
        half = (share.high - share.low) / 2
        assert half == pytest.approx(1.95996 * raw * np.sqrt(variance), rel=1e-4)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Shares, restricted means and the level of the test, over sampling and noise; without the noise
    in their variance (the control) the intervals hold too rarely.
    """
    generator, sd, mean = np.random.default_rng(4), 16.0, 40.0
    truth = np.exp(-np.array(EDGES) / mean)
    area = mean * (1 - np.exp(-EDGES[-1] / mean))
    held, means, careless, differ = [], [], [], []
    for _ in range(400):
        counts = counts_of(*invented(generator, 2500, mean, 80), generator, sd)
        other = counts_of(*invented(generator, 1500, mean, 50), generator, sd)
        curve = curve_of(counts)
        held.append([s.low <= t <= s.high for s, t in zip(curve.survival, truth, strict=True)])
        wide = curve.area(np.diff((0.0, *EDGES)))
        means.append(wide.low <= area <= wide.high)
        blind = curve_of(Counts(counts.events, counts.censored, 0.0))
        careless.append([s.low <= t <= s.high for s, t in zip(blind.survival, truth, strict=True)])
        differ.append(log_rank([counts, other]) < 0.05)
    assert np.mean(held) >= 0.93
    assert np.mean(means) >= 0.93
    assert np.mean(careless) < 0.93
    assert np.mean(differ) <= 0.09


def test_groups_that_differ_are_told_apart():
    generator = np.random.default_rng(5)
    first = counts_of(*invented(generator, 2000, 40, 80), generator, 16.0)
    second = counts_of(*invented(generator, 2000, 20, 80), generator, 16.0)
    third = counts_of(*invented(generator, 2000, 40, 80), generator, 16.0)
    assert log_rank([first, second]) < 1e-6
    assert log_rank([first, second, third]) < 1e-6
    assert log_rank([first, third]) > 0.001


def test_the_log_rank_test_without_noise_is_mantels():
    """Two groups and one interval: the square of (O - E) over the hypergeometric variance."""
    from scipy.special import chdtrc

    groups = [
        Counts(np.array([30.0]), np.array([0.0, 70.0]), 0.0),
        Counts(np.array([45.0]), np.array([0.0, 55.0]), 0.0),
    ]
    expected, variance = 75 * 100 / 200, 75 * 0.5 * 0.5 * 125 / 199
    assert log_rank(groups) == pytest.approx(chdtrc(1, (30 - expected) ** 2 / variance))


@pytest.mark.parametrize("total", [np.zeros(27), np.full(27, -40), np.eye(27)[0] * 30])
def test_a_group_of_nobody_or_of_one_is_said_to_be_too_few(total):
    figures = figures_of(total.astype(np.int64), ("F", "M", "not recorded"), EDGES, 70.0)
    assert figures.horizon == 0
    assert figures.p_value is None
    for group in figures.groups:
        assert [share.value for share in group.survival] == [None] * 4
        assert all(0.0 <= s.low <= s.high <= 1.0 for s in group.survival)
    shown = plain_text(told_page([told(figures, STUDY.data.label, "sex", "patients")]), 100)
    assert "too few for the noise" in shown
    assert "too few to say" in shown


def test_an_empty_group_shortens_no_other_groups_mean():
    generator = np.random.default_rng(6)
    full = counts_of(*invented(generator, 3000, 40, 80))
    total = np.concatenate([full.cells, np.zeros(9)]).astype(np.int64)
    figures = figures_of(total, ("F", "M"), EDGES, 14.0)
    assert figures.horizon == EDGES[-1]
    assert figures.groups[0].mean.value is not None
    assert figures.groups[1].mean.value is None
    assert figures.p_value is None


def test_the_curve_never_rises_and_stays_in_its_interval():
    generator = np.random.default_rng(7)
    for _ in range(50):
        counts = counts_of(*invented(generator, 1500, 400, 80), generator, 16.0)
        shares = [s for s in curve_of(counts).survival if s.value is not None]
        values = [s.value for s in shares]
        assert values == sorted(values, reverse=True)
        assert all(s.low <= s.value <= s.high for s in shares)


def test_medians_are_read_off_the_curve_and_its_interval():
    generator = np.random.default_rng(8)
    fast = counts_of(*invented(generator, 4000, 20, 80))
    slow = counts_of(*invented(generator, 4000, 400, 80))
    total = np.concatenate([fast.cells, slow.cells]).astype(np.int64)
    figures = figures_of(total, ("F", "M"), EDGES, 14.0)
    quick, late = (group.median for group in figures.groups)
    assert quick.low <= quick.value <= quick.high
    assert quick.value == pytest.approx(20 * np.log(2), abs=2.5)
    assert late.value is None
    assert late.low == EDGES[-1]
    shown = plain_text(told_page([told(figures, STUDY.data.label, "sex", "patients")]), 120)
    assert "after 48" in shown


def test_a_study_of_curves_runs_encrypted_and_its_list_is_the_sum_of_the_noised_ones():
    plan = sealed_study(*CURVE_EDITS)[1]
    room = Room(plan)
    (result,) = room.coordinator().run().results
    total = reduce(np.add, [h.produced[0] for h in room.hospitals.values()])
    np.testing.assert_array_equal(result.total, total)
    again = plan.programme.stages[0].recalled(result.record())
    assert again.figures == result.figures
    rows = result.figure_rows()
    assert {row.group for row in rows} >= {"F", "M", "not recorded"}
    assert html_page(told_page(result.tables("patients"))).count("<svg") == 1


def test_the_owner_is_told_what_leaves():
    (item,) = leaving(STUDY)
    assert "one of them counts in 1 of the numbers" in item.sentence
    assert "split by sex" in item.sentence
    assert not contradictions(STUDY, PldAccountant())


def test_a_sum_of_another_length_is_refused():
    with pytest.raises(RoundError, match="27 values are due"):
        STAGE.absorb(None, np.zeros(26, dtype=np.int64), 3)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (('by = "sex"', 'by = "age"'), "is a number and has no levels"),
        (('by = "sex"', 'by = "colour"'), "have no column colour"),
        (('epsilon = "1"\nbound', 'epsilon = "0.5"\nbound'), "epsilon"),
    ],
)
def test_a_study_that_contradicts_itself_is_refused(edit, said):
    found = contradictions(curve_protocol(edit), PldAccountant())
    assert any(said in fault for fault in found)


def test_it_needs_a_time_to_an_event():
    study = protocol(*CURVE_ALONE)
    (fault,) = contradictions(study, PldAccountant())
    assert "time-to-event" in fault


def test_less_noise_than_two_units_is_refused():
    with pytest.raises(StudyError, match="integer noise needs two units"):
        curve_protocol(('noise_multiplier = "3.75"', 'noise_multiplier = "1.9"'))


def test_the_published_curve_may_be_left_out_where_no_model_begins_at_it():
    dropped = (
        ('survival = ["0.9", "0.8", "0.65", "0.4"]\n', ""),
        ('survival_source = "A survey"\n', ""),
    )
    assert curve_protocol(*dropped).data.label.survival is None
    with pytest.raises(StudyError, match=r"data\.label\.survival: is missing"):
        survival_protocol(*dropped)


def test_the_picture_says_the_curves_in_words_and_keeps_names_apart():
    generator = np.random.default_rng(9)
    one = counts_of(*invented(generator, 3000, 40, 80))
    total = np.concatenate([one.cells, one.cells]).astype(np.int64)
    figures = figures_of(total, ("F", "M"), EDGES, 14.0)
    (curves,) = told(figures, STUDY.data.label, "sex", "patients").curves
    picture = curve_chart(curves)
    assert [line.words for line in picture.spoken[1:]] == ["F", "M"]
    assert all(0.0 <= level <= 1.0 for line in picture.spoken for level in line.curve)
    names = [line for line in picture.svg.split("<text") if ">F<" in line or ">M<" in line]
    heights = [float(line.split('y="')[1].split('"')[0]) for line in names]
    assert abs(heights[0] - heights[1]) >= 15
