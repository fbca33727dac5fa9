"""A time to an event: label, likelihood by interval, C-index and Brier scores from counts."""

from decimal import Decimal

import numpy as np
import pytest
from completed_study import finish
from in_process_federation import sealed_study
from small_study import protocol
from survival_study import (
    EDITS,
    LABEL,
    METRIC,
    MODEL,
    SURVIVAL_LABEL,
    csv,
    patients,
    survival_protocol,
)
from worker_hospital import room_of

from securefl.errors import RoundError, StudyError
from securefl.learning.clipping import clip_to_grid
from securefl.learning.families.linear import closed_gradients
from securefl.learning.features import prepare
from securefl.learning.models import family_of
from securefl.learning.table import read_table
from securefl.learning.tasks import task_of
from securefl.learning.tasks.survival.curve import band_middles
from securefl.learning.tasks.survival.labels import parts
from securefl.learning.tasks.survival.own_figures import exact_c_index
from securefl.learning.tasks.survival.pairs import concordance
from securefl.privacy.accounting import PldAccountant
from securefl.report.explain_columns import column_rows
from securefl.report.explain_study import leaving, model_words, quality_sentence
from securefl.report.page import facts
from securefl.report.terminal import plain_text
from securefl.report.told import told_section
from securefl.study.consistency import check_consistency
from securefl.study.counts import evaluation_of
from securefl.study.training import training_of

STUDY = survival_protocol()
SECTION = evaluation_of(STUDY)
TASK = task_of(STUDY.data)
SECRET = b"s" * 32
INTERVALS = 4


def cells(*pairs):
    return read_table(
        csv(*(f"p{i},40,1,F,t,{time},{event}" for i, (time, event) in enumerate(pairs)))
    )


def test_times_and_events_give_intervals_and_all_else_sets_the_row_aside():
    found, reasons = TASK.targets(
        cells(
            *((time, "yes") for time in ("0", "6", "6.1", "48", "48.1")),
            *((time, "no") for time in ("0", "5.9", "6", "47", "48", "240")),
            *(("-1", "yes"), ("241", "no"), ("soon", "no"), ("inf", "no"), ("5", "Yes")),
            *(("-9", "no"), ("5", "9"), ("", ""), ("5", "8")),
        )
    )
    # the event in interval t is 5 + t; an edge belongs to the interval before it
    assert found[:5] == [5, 5, 6, 8, 4]
    # without it: as many whole intervals as were observed
    assert found[5:11] == [0, 0, 1, 3, 4, 4]
    assert found[11:13] == ["months: below 0: before the start", "months: above 240"]
    assert found[13:15] == ["months: not a number"] * 2
    assert found[15] == found[19] == "died: neither declared as the event nor as its absence"
    assert found[16:19] == ["label is not recorded"] * 3
    assert reasons[11:16] == ["-1", "241", "soon", "inf", "Yes"]
    assert TASK.near(found[15], "Yes", ".") == "yes"
    assert TASK.near("months: not a number", "Yes", ".") is None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('event = "died"', 'event = "months"', "column of the time"),
        ('["no", "moved"]', '["no", "yes"]', "declared value"),
        ('event_missing_codes = ["9"]', 'event_missing_codes = ["no"]', "declared value"),
        ('["6", "12", "24", "48"]', '["6", "12", "12", "48"]', "rise strictly"),
        ('["6", "12", "24", "48"]', '["0", "12", "24", "48"]', "rise strictly"),
        ('longest = "240"', 'longest = "36"', "at least the last edge"),
        ('"0.65", "0.4"]', '"0.65"]', "3 shares for 4 edges"),
        ('"0.65", "0.4"]', '"0.85", "0.4"]', "fall strictly"),
        ('"0.65", "0.4"]', '"0.65", "0"]', "fall strictly"),
        ('survival_source = "A survey"\n', "", "survival_source"),
    ],
)
def test_a_label_that_contradicts_itself_is_refused(old, new, says):
    with pytest.raises(StudyError, match=says):
        protocol((LABEL[0], SURVIVAL_LABEL.replace(old, new)), METRIC, MODEL)


def test_a_metric_of_another_task_is_refused():
    with pytest.raises(StudyError, match='"auc" does not judge what the label asks for'):
        check_consistency(protocol(LABEL), PldAccountant())


def likelihood(score, target):
    """-log of the chance of a target, interval by interval, in plain Python."""
    survival = [1.0, 0.9, 0.8, 0.65, 0.4]
    left, loss = True, 0.0
    for interval in range(INTERVALS):
        published = 1 - survival[interval + 1] / survival[interval]
        odds = published / (1 - published) * np.exp(score)
        hazard = odds / (1 + odds)
        if target == INTERVALS + 1 + interval and left:
            return loss - np.log(hazard)
        if target <= INTERVALS and target == interval:
            return loss
        loss -= np.log(1 - hazard)
    return loss


def test_gradients_are_those_of_the_likelihood_record_by_record():
    """A loop in plain Python over records, intervals and weights, slopes by finite differences."""
    generator = np.random.default_rng(1)
    y = np.array([*range(2 * INTERVALS + 1)] * 4, dtype=float)
    x = generator.uniform(-1, 1, (len(y), 6))
    theta, step = generator.normal(0, 0.5, 7), 1e-6
    got = closed_gradients(TASK)(theta, x, y)
    exact = family_of(training_of(STUDY).model, STUDY.data).gradients(TASK)

    def loss(weights, row):
        score = sum(w * v for w, v in zip(weights[:6], x[row], strict=True)) + weights[6]
        return likelihood(score, y[row])

    for row in range(len(y)):
        for place in range(7):
            moved = np.array(theta)
            moved[place] += step
            above = loss(moved, row)
            moved[place] -= 2 * step
            slope = (above - loss(moved, row)) / (2 * step)
            assert got[row, place] == pytest.approx(slope, abs=1e-6)
    np.testing.assert_allclose(exact(theta, x, y), got, atol=1e-4)


def test_a_patients_intervals_are_clipped_together():
    """Four intervals at risk weigh at most the clip norm in all. Each for itself, the control,
    would weigh four times that.
    """
    x = np.ones((1, 6))
    whole = closed_gradients(TASK)(np.full(7, 20.0), x, np.array([4.0]))
    assert np.linalg.norm(whole) > 3.9 * np.sqrt(7)  # all four hazards are nearly 1
    clipped = clip_to_grid(whole, 1.0, 1 << 20)
    assert (clipped.astype(object) ** 2).sum() <= (1 << 20) ** 2
    single = clip_to_grid(np.repeat(whole / 4, 4, axis=0), 1.0, 1 << 20).sum(axis=0)
    assert np.linalg.norm(single) > 3.9 * (1 << 20)


def test_predictions_are_chances_that_fall_and_begin_at_the_published_curve():
    scores = np.array([[0.0], [1.0], [-1.0], [1e300], [-1e300]])
    said = TASK.predictions(scores)
    np.testing.assert_allclose(said[0], [0.9, 0.8, 0.65, 0.4])
    assert (np.diff(said, axis=1) <= 0).all()
    assert (said[1] < said[0]).all()
    assert (said[2] > said[0]).all()
    np.testing.assert_allclose(said[3:], [[0] * 4, [1] * 4])


def population(generator, count, strength=1.0):
    """(scores, targets) of patients whose hazards are those of their scores, some lost early."""
    scores = generator.normal(0, strength, count)
    hazards = TASK._curve.hazards(scores)
    target = np.full(count, INTERVALS)
    free = np.ones(count, dtype=bool)
    for interval in range(INTERVALS):
        gone = free & (generator.random(count) < 0.1)
        target[gone] = interval
        free &= ~gone
        event = free & (generator.random(count) < hazards[:, interval])
        target[event] = INTERVALS + 1 + interval
        free &= ~event
    return scores, target.astype(np.int16)


def test_the_exact_c_index_is_that_of_all_pairs():
    scores, y = population(np.random.default_rng(2), 120)
    place, event = parts(y, INTERVALS)
    won = pairs = 0.0
    for i in range(120):
        for j in range(120):
            if event[i] and place[j] > place[i]:
                pairs += 1
                won += 1.0 if scores[i] > scores[j] else 0.5 * (scores[i] == scores[j])
    assert exact_c_index(scores, place, event) == pytest.approx(won / pairs)


def test_counts_without_noise_give_the_c_index_of_the_bands():
    scores, y = population(np.random.default_rng(3), 3000)
    said = TASK.predictions(scores[:, None])
    counts = TASK.tally(said, y, SECTION).reshape(SECTION.bins, -1)
    bands = TASK.place(said, y, SECTION) // (2 * INTERVALS + 1)
    place, event = parts(y, INTERVALS)
    found = concordance(counts.astype(float), 0.0)
    assert found.share == pytest.approx(exact_c_index(bands.astype(float), place, event))
    own = TASK.own_figures(said, y, SECTION)
    assert 0 < own.c_index - found.share < 0.02  # two of one band count half


def test_bands_go_from_low_to_high_risk():
    middles = band_middles(SECTION.bins)
    said = TASK.predictions(middles[:, None])
    places = TASK.place(said, np.zeros(SECTION.bins, dtype=np.int16), SECTION)
    assert (places // (2 * INTERVALS + 1)).tolist() == list(range(SECTION.bins))


def test_intervals_cover():
    """1,000 runs of fresh patients and noise, out of one population: C-index and Brier score of the
    bands.
    """
    generator, contributors = np.random.default_rng(4), 5
    section = SECTION.model_copy(update={"noise_multiplier": Decimal(2)})
    scores, y = population(generator, 200_000)
    said = TASK.predictions(scores[:, None])
    places = TASK.place(said, y, section)
    size = TASK.histogram_size(section)
    whole = TASK.evaluate(np.bincount(places, minlength=size), section, 0)
    truth = whole.c_index
    brier = [(row.low + row.high) / 2 for row in whole.brier]
    covered, points, scored = 0, [], np.zeros(INTERVALS)
    for _ in range(1000):
        drawn = places[generator.integers(len(places), size=2000)]
        noise = generator.normal(0, contributors**0.5 * float(section.sigma), size)
        total = np.bincount(drawn, minlength=size) + np.rint(noise).astype(np.int64)
        found = TASK.evaluate(total, section, contributors)
        covered += found.low <= truth <= found.high
        points.append(found.c_index)
        scored += [row.low <= b <= row.high for row, b in zip(found.brier, brier, strict=True)]
    assert 930 <= covered <= 980
    assert None not in points
    assert abs(np.mean(points) - truth) < 0.005
    assert (scored >= 930).all()


def test_intervals_that_do_not_count_all_of_the_noise_are_noticed():
    """The control: four times the noise that the interval counts."""
    generator = np.random.default_rng(5)
    scores, y = population(generator, 3000)
    exact = TASK.tally(TASK.predictions(scores[:, None]), y, SECTION)
    truth = TASK.evaluate(exact, SECTION, 0).c_index
    covered = 0
    for _ in range(200):
        noise = generator.normal(0, 4 * 5**0.5 * float(SECTION.sigma), exact.size)
        found = TASK.evaluate(exact + np.rint(noise).astype(np.int64), SECTION, 5)
        covered += found.low <= truth <= found.high
    assert covered < 160


def test_a_model_that_guesses_gets_no_figure():
    generator, given = np.random.default_rng(6), 0
    for _ in range(100):
        _, y = population(generator, 1500)
        said = TASK.predictions(generator.normal(0, 1, (1500, 1)))
        exact = TASK.tally(said, y, SECTION)
        noise = np.rint(generator.normal(0, 8, exact.size)).astype(np.int64)
        given += TASK.evaluate(exact + noise, SECTION, 5).c_index is not None
    assert given <= 9


@pytest.mark.parametrize("count", [0, 1, 5])
def test_few_patients_give_no_figure_and_no_crash(count):
    scores, y = population(np.random.default_rng(7), count)
    exact = TASK.tally(TASK.predictions(scores[:, None]), y, SECTION)
    for seed in range(20):
        noise = np.rint(np.random.default_rng(seed).normal(0, 8, exact.size)).astype(np.int64)
        found = TASK.evaluate(exact + noise, SECTION, 5)
        text = plain_text(facts(TASK.told(found).rows), 80)
        assert 0 <= found.low <= found.high <= 1
        assert "nan" not in text


def test_a_hospital_without_any_event_has_figures_that_say_so():
    own = TASK.own_figures(np.full((5, 4), 0.5), np.full(5, 4, dtype=np.int16), SECTION)
    assert np.isnan(own.c_index)
    told = TASK.told_own(own, "patients")
    assert told.headline.startswith("cannot be worked out")


def test_a_sum_of_another_length_is_refused():
    with pytest.raises(RoundError, match="54 values are due"):
        TASK.evaluate(np.zeros(53, dtype=np.int64), SECTION, 5)


@pytest.mark.parametrize(
    ("minimum", "verdict"), [("0.6", "met"), ("0.9", "not-met"), ("0.72", "cannot-be-judged")]
)
def test_the_quality_rule_is_judged_on_the_interval(minimum, verdict):
    scores, y = population(np.random.default_rng(8), 3000)
    found = TASK.evaluate(TASK.tally(TASK.predictions(scores[:, None]), y, SECTION), SECTION, 5)
    assert found.low < 0.72 < found.high
    quality = STUDY.quality.model_copy(update={"minimum": Decimal(minimum)})
    assert TASK.judge(found, quality) == verdict


def test_a_better_model_has_lower_brier_scores_than_the_published_curve():
    scores, y = population(np.random.default_rng(9), 20_000, strength=1.5)
    said = TASK.predictions(scores[:, None])
    found = TASK.evaluate(TASK.tally(said, y, SECTION), SECTION, 5)
    own = TASK.own_figures(said, y, SECTION)
    for row, exact in zip(found.brier, own.brier, strict=True):
        assert row.high < row.published
        assert row.low - 0.01 < exact < row.high + 0.01


FOREIGN = ("AUC", "positive", "negative", "score,", "class")


def test_pages_speak_of_time_and_event():
    _, plan = sealed_study(*EDITS)
    study = plan.study
    scores, y = population(np.random.default_rng(10), 3000)
    said = TASK.predictions(scores[:, None])
    told = TASK.told(TASK.evaluate(TASK.tally(said, y, SECTION), SECTION, 5))
    spoken = [
        model_words(study),
        quality_sentence(study),
        TASK.score_words(probability=False),
        plain_text(told_section(told), 100),
        *(leave.sentence for leave in leaving(study)),
        *(text for row in column_rows(study) for text in row),
        *told.lines,
    ]
    text = "\n".join(spoken)
    assert not [word for word in FOREIGN if word in text]
    assert "discrete-time hazard regression with proportional odds with 7 weights" in text
    assert "The lowest acceptable C-index is 0.5" in text
    assert "the time to death, months in months, with died as yes for death" in text
    assert "by 48 months: Brier score 0." in text
    assert TASK.score_names == tuple(f"no death by {e} months" for e in (6, 12, 24, 48))


def test_a_step_learns_the_scores_that_made_the_patients():
    rows = prepare(read_table(patients(3000, 1)), STUDY.data, SECRET)
    x, y = rows.X.astype(np.float64), rows.y.astype(np.float64)
    gradients, theta = closed_gradients(TASK), np.zeros(x.shape[1] + 1)
    for _ in range(400):
        theta -= 0.5 * gradients(theta, x, y).mean(axis=0)
    own = TASK.own_figures(TASK.predictions((x @ theta[:-1] + theta[-1])[:, None]), rows.y, SECTION)
    place, event = parts(rows.y, INTERVALS)
    assert own.c_index > exact_c_index(x[:, 0], place, event) - 0.005  # age decides
    assert own.c_index > 0.65


def test_a_whole_study_of_it_runs_encrypted_and_every_hospital_accepts_its_model(tmp_path):
    _, plan = sealed_study(*EDITS)
    done = finish(room_of(plan, [patients(300, seed) for seed in range(3)]))
    done.check(done.files, tmp_path / "model")
    model = done.unpacked(done.files, tmp_path / "model")
    assert "C-index" in model.facts.figures
    found = model.predict({"age": [9, 130], "TSH": [1, 1], "sex": ["F", "F"], "sick": ["t", "t"]})
    assert found.shape == (2, 4)
    assert np.isnan(found[1]).all()
