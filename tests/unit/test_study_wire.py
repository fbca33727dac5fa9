"""Two grids: the wire's steps follow from the study's public figures, and counts are exact whatever
the bits are.
"""

import math
from decimal import Decimal
from types import SimpleNamespace

import pytest
from conftest import make_study, protocol_text

from securefl.learning.stages.programme import Programme
from securefl.privacy.noise import TAIL
from securefl.secagg.packing import FieldLayout
from securefl.study import wire
from securefl.study.parse import parse_protocol, parse_study
from securefl.study.training import training_of
from securefl.study.wire import (
    GRID,
    bound_of,
    count_bits,
    largest_update,
    least_bound,
    usual_bound,
    wire_of,
)

MANY = ('normaliser = "200"', 'normaliser = "20000"')


def protocol(*edits):
    return parse_protocol(protocol_text(*edits))


def bits(n):
    return ("bits = 16", f"bits = {n}")


@pytest.mark.parametrize("n", [6, 8, 12, 16, 20, 24])
@pytest.mark.parametrize(
    "edits",
    [
        (),
        (MANY,),
        (("local_steps = 1", "local_steps = 9"),),
        (("bits = 16", "bits = 16\nbound = 33"),),
    ],
)
def test_a_field_shows_the_planned_sum_and_six_and_a_half_deviations(n, edits):
    study = protocol(*edits)
    made = wire_of(study, n)
    steps, z = training_of(study).local_steps, float(training_of(study).noise_multiplier)
    shown = made.bound + 6.5 * z * GRID * math.sqrt(steps)
    assert (
        made.bound
        == (usual_bound(study, n) if training_of(study).bound is None else 33) * steps * GRID
    )
    assert made.largest == 2 ** (n - 1) - 1
    assert (made.step - 1) * made.largest < shown <= made.step * made.largest
    assert made.chance_of_saturation(0.0) < 1e-10
    assert made.chance_of_saturation(float(made.bound)) < 1e-10
    assert made.chance_of_saturation(2 * shown) > 0.99


def test_the_step_follows_from_the_study_and_not_from_who_computes_it():
    study = parse_study(make_study(5)[0])
    assert wire_of(study) == wire_of(parse_study(make_study(5)[0]))
    assert wire_of(study).step == math.ceil((40 * GRID + 6.5 * 2.14 * GRID) / 32767)


@pytest.mark.parametrize("edits", [(), (MANY,), (MANY, ("local_steps = 1", "local_steps = 4"))])
def test_the_usual_bound_takes_everybody_where_that_costs_nothing_and_never_less_than_the_least(
    edits,
):
    study = protocol(*edits)
    planned = math.ceil(wire.planned_patients(study))
    assert usual_bound(study, 24) == planned
    for n in (6, 8, 10, 12, 16):
        bound = usual_bound(study, n)
        assert min(planned, least_bound(study)) <= bound <= planned
        assert (
            bound in {planned, least_bound(study)}
            or wire_of(study, n, bound).added_variance <= 0.00101
        )
    assert [usual_bound(study, n) for n in (6, 8, 12, 16)] == sorted(
        usual_bound(study, n) for n in (6, 8, 12, 16)
    )


def test_a_stated_bound_is_taken():
    assert bound_of(protocol(("bits = 16", "bits = 16\nbound = 33"))) == 33
    assert bound_of(protocol()) == 40


def test_weights_that_differ_plan_for_the_largest():
    text = make_study(5)[0]
    for old, new in (("1/5", "6/10"), *[("1/5", "1/10")] * 4):
        head, mark, rest = text.partition(f'weight = "{old}"')
        text = head + f'weight = "{new}"' + rest
        assert mark
    assert wire.planned_patients(parse_study(text)) == 120


def test_rounding_adds_a_sixth_of_the_squared_step():
    made = wire_of(protocol(), 8)
    assert made.added_variance == made.step**2 / 6 / (2.14 * GRID) ** 2


@pytest.mark.parametrize(
    ("bound", "noise"),
    [
        (1, "2"),
        (20_000, "3.75"),
        (32_700, "3.75"),
        (32_714, "3.75"),
        (100, "10000"),
        (8_000_000, "20000"),
    ],
)
def test_fields_of_counts_hold_the_largest_count_and_the_largest_draw(bound, noise):
    width = count_bits(SimpleNamespace(bound=bound, sigma=Decimal(noise)))
    most = bound + math.ceil(TAIL * Decimal(noise))
    assert most <= 2 ** (width - 1) - 1
    assert most + 1 >= 2 ** (width - 2) - 1  # and no wider than that
    assert wire._LARGEST_DRAW == TAIL


@pytest.mark.parametrize("n", [6, 8, 24])
def test_counts_have_the_same_fields_whatever_the_bits_of_an_update(n):
    study = protocol(bits(n))
    update, evaluation = (release for _, release in Programme(study).releases)
    assert update.bits == n
    assert evaluation.bits == 16
    assert FieldLayout(evaluation.bits, 5).max_value >= 20_000 + 14 * 3.75


def test_the_largest_update_counts_every_value_of_the_model():
    assert largest_update(protocol()) == (1 + 2 + 3 + 1) + 1
    assert (
        largest_update(protocol(('kind = "logistic-regression"', 'kind = "mlp"\nhidden = [3, 2]')))
        == 8 * 3 + 4 * 2 + 3
    )


def test_the_largest_update_is_never_below_what_the_model_really_has():
    from securefl.learning.features import feature_names

    assert largest_update(protocol()) >= len(feature_names(protocol().data)) + 1


def test_whatever_passes_stays_below_an_int64():
    noise = 14 * 10**6 * GRID
    patients = (1 << 31) * GRID
    assert 1000 * (noise + patients) < 1 << 62
    most = protocol(
        ('noise_multiplier = "2.14"', 'noise_multiplier = "1000000"'),
        ("local_steps = 1", "local_steps = 1000"),
        ("bits = 16", f"bits = 6\nbound = {1 << 31}"),
    )
    assert wire_of(most).step <= 1 << 62
