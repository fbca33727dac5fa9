"""An evaluation by hospital and by subgroup: its lists, what is read off them, and in which words."""

from functools import reduce

import numpy as np
import pytest
from conftest import make_study
from in_process_federation import Room, sealed_study
from small_study import SPEC, csv, protocol
from split_study import BY, OLD, ONLY_BY, ONLY_OWN, OWN, SPLIT

from securefl.errors import RoundError, StudyError
from securefl.learning.evaluation_lists import list_layout, subgroup_names, subgroup_places
from securefl.learning.evaluation_split import GroupFigures, below, is_wrong_way, spread_of
from securefl.learning.evaluation_words import DIFFERENT, INVERTED, apart_sentence
from securefl.learning.features import prepare
from securefl.learning.stages.programme import Programme
from securefl.learning.table import read_table
from securefl.learning.tasks import TASKS, task_of
from securefl.privacy.accounting import PldAccountant
from securefl.report.explain_study import own_figures_sentence, sum_sentences
from securefl.study.consistency import check_consistency
from securefl.study.noise_shares import evaluation_noises
from securefl.study.parse import parse_study

STUDY = parse_study(make_study(5, SPLIT)[0])
STAGE = Programme(STUDY).stages[-1]
SECTION = STAGE.section
#: A model that ranks well: negatives in the low bands, positives in the high ones.
GOOD = np.array([800, 100, 20, 10, 5, 10, 60, 300])
#: The other way round.
BAD = GOOD[[4, 5, 6, 7, 0, 1, 2, 3]]


def released(*lists):
    return np.concatenate(lists).astype(np.int64)


def test_lists_are_of_hospitals_first_and_then_of_each_split():
    layout = STAGE.layout
    assert [(p.name, p.groups, p.start) for p in layout.parts] == [
        ("hospital", STUDY.cohort, 0),
        ("sex", ("F", "M", "not recorded"), 5),
        ("age", ("below 40 years", "40 years or more"), 8),
    ]
    assert layout.length == STAGE.releases()[0].length == 80
    only_by = protocol(ONLY_BY)
    assert list_layout(only_by, only_by.stages[-1], 8).parts[0].groups == ("all",)
    template = protocol(ONLY_OWN)
    assert Programme(template).stages[-1].layout.hospitals[0] == "hospital 1"


def test_an_evaluation_that_is_not_split_is_as_it_was():
    stage = Programme(protocol()).stages[-1]
    (release,) = stage.releases()
    assert (release.kind, release.length, release.mechanism.cells) == ("evaluation", 8, 1)
    found = stage.read(GOOD, 3)
    assert set(found.record()) == {"histogram", "evaluation"}
    assert found.tables("patients") == []
    assert stage.recalled(found.record()) is None


def test_a_value_at_an_edge_is_in_the_band_above_and_a_missing_one_in_its_own():
    (by_level, by_band) = SECTION.by
    lines = ["p1,39.9,1,F,t,E", "p2,40,1,M,t,E", "p3,120,1,,t,E"]
    rows = prepare(read_table(csv(*lines)), SPEC, b"s" * 32)
    order = np.argsort(rows.patients)
    assert subgroup_places(SPEC, by_band, rows)[order].tolist() == [0, 1, 1]
    assert subgroup_places(SPEC, by_level, rows)[order].tolist() == [0, 1, 2]
    of_logarithms = protocol((OLD, OLD + 'by = [{ column = "TSH", edges = ["0.3", "10"] }]\n'))
    (by_tsh,) = of_logarithms.stages[-1].by
    assert subgroup_names(SPEC, by_tsh) == (
        "below 0.3",
        "0.3 to below 10",
        "10 or more",
        "not recorded",
    )
    lines = ["p1,1,0.3,F,t,E", "p2,1,10,M,t,E", "p3,1,,F,t,E", "p4,1,0.29,F,t,E"]
    rows = prepare(read_table(csv(*lines)), SPEC, b"s" * 32)
    order = np.argsort(rows.patients)
    assert subgroup_places(SPEC, by_tsh, rows)[order].tolist() == [1, 2, 3, 0]


def test_all_patients_are_the_hospitals_lists_added_up():
    total = released(GOOD, GOOD, GOOD, GOOD, GOOD, *[GOOD] * 5)
    assert STAGE.layout.overall(total).tolist() == (5 * GOOD).tolist()
    found = STAGE.read(total, 5)
    assert found.noises == pytest.approx(5 * 3, rel=1e-6)
    assert found.evaluation.positives == 5 * 375


def test_the_hospital_where_the_model_fails_is_named_with_the_gap():
    total = released(GOOD, GOOD, BAD, 0 * GOOD, GOOD // 100, *[GOOD] * 5)
    hospitals, by_sex, _ = STAGE.read(total, 4).split
    spread = hospitals.spread
    assert spread.lowest == STUDY.cohort[2]
    assert spread.as_low == ()
    assert spread.high < 0.3
    assert spread.gap_low > 0.4
    assert spread.compared == 3
    assert spread.unknown == (STUDY.cohort[4],)
    assert [one.lost for one in hospitals.groups] == [False, False, False, True, False]
    assert by_sex.spread.gap_low == 0
    told = STAGE.read(total, 4).tables("patients")
    assert [table.metric for table in told] == ["AUC at each hospital", "AUC by sex", "AUC by age"]
    assert f"Lowest is {STUDY.cohort[2]}: the lowest AUC lies" in told[0].sentences[0]
    assert "may be lower" in told[0].sentences[2]
    assert told[0].cells[3] == (STUDY.cohort[3], "–", "–", "lost before the check")
    assert told[0].cells[4][1] is None
    assert "cannot be told" in told[1].sentences[1]
    card = STAGE.read(total, 4).card_rows()
    assert card["AUC at each hospital, lowest"].startswith(STUDY.cohort[2])


def test_a_hospital_where_the_model_orders_the_wrong_way_round_is_named_with_what_to_do():
    inverted = STAGE.read(released(GOOD, GOOD, BAD, GOOD, GOOD, *[GOOD] * 5), 5)
    name = STUDY.cohort[2]
    hospitals, by_sex, _ = inverted.split
    assert hospitals.below_chance == (name,)
    assert hospitals.record()["below_chance"] == [name]
    assert by_sex.below_chance == ()
    said = inverted.tables("patients")[0].sentences
    assert f"At {name} the model orders patients the wrong way round" in said[-2]
    assert said[-1] == INVERTED
    assert inverted.card_rows()["AUC at each hospital, the wrong way round"] == name
    # control: where all do well nobody is named, and no line is added
    well = STAGE.read(released(*[GOOD] * 10), 5)
    assert well.split[0].below_chance == ()
    assert len(well.tables("patients")[0].sentences) == 2
    assert not any("wrong way" in row for row in well.card_rows())
    # a column's subgroup is named without a word on hospitals
    women = STAGE.read(released(*[GOOD] * 5, BAD, *[GOOD] * 4), 5).tables("patients")[1].sentences
    assert women[-1].startswith("For F the model orders patients the wrong way round")


def test_a_hospital_that_stands_apart_is_named_and_one_that_may_be_as_low_is_not():
    weak = np.array([400, 200, 120, 100, 60, 60, 80, 100])
    found = STAGE.read(released(GOOD, GOOD, weak, GOOD, GOOD, *[GOOD] * 5), 5)
    name = STUDY.cohort[2]
    assert found.split[0].below_chance == ()
    assert found.split[0].apart == name
    said = found.tables("patients")[0].sentences
    assert said[-2:] == (apart_sentence(name, "AUC"), DIFFERENT)
    two = STAGE.read(released(GOOD, weak, weak, GOOD, GOOD, *[GOOD] * 5), 5)
    assert two.split[0].apart == ""
    assert len(two.tables("patients")[0].sentences) == 2


def test_a_figure_without_an_order_names_nobody():
    low = GroupFigures("a", -0.9, -0.5, -0.7, known=True, lost=False, figures=None)
    assert below([low], None, -1.0) == ()
    assert below([low], 0.0, -1.0) == ("a",)
    assert [TASKS[name].chance for name in ("binary", "time-to-event", "classes")] == [0.5] * 3
    assert TASKS["number"].chance is TASKS["count"].chance is None


@pytest.mark.parametrize("at_once", [True, False], ids=["as told", "control"])
def test_a_hospital_is_named_by_chance_in_one_study_of_forty_at_most(at_once):
    """Twelve hospitals at which the model is a guess; intervals that do not hold at once (the
    control) name one far more often.
    """
    generator = np.random.default_rng(4)
    studies, named = 2000, 0
    for _ in range(studies):
        deviation = generator.uniform(0.02, 0.06, 12)
        points = generator.normal(0.5, deviation)
        groups = [
            GroupFigures("h", p - 1.96 * d, p + 1.96 * d, p, known=True, lost=False, figures=None)
            for p, d in zip(points, deviation, strict=True)
        ]
        found = below(groups, 0.5, 0.0) if at_once else [g for g in groups if g.high < 0.5]
        named += bool(found)
    assert (named / studies <= 1 / 40) == at_once


def test_where_no_list_says_anything_nothing_is_compared():
    tiny = np.array([1, 0, 2, -3, 1, 0, -1, 2])
    found = STAGE.read(released(*[tiny] * 10), 5)
    assert [part.spread for part in found.split] == [None, None, None]
    assert "Nothing can be compared" in found.tables("patients")[0].sentences[0]
    assert "nothing can be compared" in found.card_rows()["AUC by sex"]


def test_a_hospitals_interval_carries_its_own_noise_alone():
    """The same list read as if all five hospitals' noise were in it (the control) is wider."""
    own = STAGE.read(released(*[GOOD // 5] * 10), 5).split[0].groups[0]
    every = task_of(STUDY.data).evaluate(GOOD // 5, SECTION, evaluation_noises(STUDY, SECTION, 5))
    assert own.high - own.low < every.high - every.low


@pytest.mark.parametrize("noisy", [True, False], ids=["as charged", "control"])
def test_the_lowest_figure_and_the_gap_lie_in_their_intervals(noisy):
    """In 95 % of simulated releases at least; the interval of a single list (the control, as if it
    had not been picked) holds for the lowest of twelve far less often.
    """
    generator = np.random.default_rng(3)
    truth = np.full(12, 0.72)
    runs, held, narrow = 2000, 0, 0
    for _ in range(runs):
        deviation = generator.uniform(0.02, 0.06, 12)
        points = generator.normal(truth, deviation)
        groups = [
            GroupFigures(
                f"h{i}", p - 1.96 * d, p + 1.96 * d, p, known=True, lost=False, figures=None
            )
            for i, (p, d) in enumerate(zip(points, deviation, strict=True))
        ]
        spread = spread_of(groups, 0.0)
        gap = truth.max() - truth.min()
        held += (
            spread.low <= truth.min() <= spread.high and spread.gap_low <= gap <= spread.gap_high
        )
        place = int(points.argmin())
        narrow += abs(points[place] - truth.min()) <= 1.96 * deviation[place]
    if noisy:
        assert held / runs >= 0.95
    else:
        assert narrow / runs < 0.85


@pytest.mark.parametrize("inverted", [True, False], ids=["inverted", "control"])
def test_a_model_that_orders_the_own_patients_the_wrong_way_round_is_told_on_the_own_screen(
    inverted,
):
    task = task_of(STUDY.data)
    label = np.arange(200) % 2
    scores = np.linspace(0.2, 0.3, 200) + (0.2 * label)
    figures = task.own_figures(scores, 1 - label if inverted else label, SECTION)
    assert is_wrong_way(task, figures) == inverted


def test_a_study_of_it_runs_encrypted_and_its_lists_are_the_noised_ones():
    plan = sealed_study(SPLIT)[1]
    room = Room(plan)
    result = room.coordinator().run().results[-1]
    total = reduce(np.add, [hospital.produced[-1] for hospital in room.hospitals.values()])
    np.testing.assert_array_equal(result.histogram, total)
    layout = plan.programme.stages[-1].layout
    for place, hospital in enumerate(room.hospitals.values()):
        own = hospital.produced[-1].reshape(-1, layout.size)[:3]
        assert not np.delete(own, place, axis=0).any()
        np.testing.assert_array_equal(total.reshape(-1, layout.size)[place], own[place])
    again = plan.programme.stages[-1].recalled(result.record())
    assert again.split == result.split
    rows = again.figure_rows()
    assert {row.name for row in rows} == {"hospital", "sex", "age"}


def test_a_sum_of_another_length_is_refused():
    with pytest.raises(RoundError, match="80 values are due"):
        STAGE.read(np.zeros(8, dtype=np.int64), 5)


@pytest.mark.parametrize(
    ("by", "says"),
    [
        ('by = [{ column = "weight" }]', "have no column weight"),
        ('by = [{ column = "age" }]', "list edges between 0 and 120"),
        ('by = [{ column = "age", edges = ["40", "40"] }]', "rise strictly between 0 and 120"),
        ('by = [{ column = "age", edges = ["130"] }]', "rise strictly between 0 and 120"),
        ('by = [{ column = "sex", edges = ["1"] }]', "needs no edges"),
        ('by = [{ column = "sex" }, { column = "sex" }]', "a second time"),
        ('by = [{ column = "sex", levels = ["F"] }]', "unknown key"),
        ('by = "sex"', "by"),
        ("each_participant = 1", "each_participant"),
    ],
)
def test_a_split_that_cannot_be_is_refused_with_its_line(by, says):
    with pytest.raises(StudyError, match=says) as refused:
        check_consistency(protocol((OLD, f"{OLD}{by}\n")), PldAccountant())
    assert refused.value.next_step


def test_the_charge_of_a_split_is_checked_like_any_other():
    check_consistency(protocol((OLD, OLD + BY + OWN)), PldAccountant())


def test_the_owner_reads_that_own_figures_are_shown():
    assert own_figures_sentence() in sum_sentences(STUDY)
    assert own_figures_sentence() not in sum_sentences(parse_study(make_study(5, ONLY_BY)[0]))
    (release,) = STAGE.releases()
    assert release.kind == "hospital-evaluation"
    assert "by sex, age" in release.words.leaves
    assert "a list of this hospital's own" in release.words.leaves
