from decimal import Decimal
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from securefl.privacy.accounting import NANO, epsilon_of_rdp, rdp_cap, rdp_cost
from securefl.privacy.mechanisms import (
    Gaussian,
    SubsampledGaussian,
    decimal_text,
    mechanism_from_json,
)
from securefl.privacy.noise import IntegerGaussian, stochastic_quotient
from securefl.privacy.randomness import ChaChaStream, uniform_below

NOISE = st.decimals("0.3", "50", places=2)
RATES = st.fractions(Fraction(1, 1000), Fraction(1), max_denominator=1000)
ORDERS = st.integers(2, 40)
QUICK = settings(max_examples=150, derandomize=True, deadline=None)


@QUICK
@given(NOISE, RATES, st.integers(1, 10_000))
def test_mechanisms_survive_their_text(noise, rate, steps):
    for mechanism in (SubsampledGaussian(noise, rate, steps), Gaussian(noise, steps)):
        assert mechanism_from_json(mechanism.to_json()) == mechanism
    assert Decimal(decimal_text(noise)) == noise


@QUICK
@given(NOISE, RATES, st.integers(1, 1000), ORDERS)
def test_costs_move_the_right_way(noise, rate, steps, order):
    mechanism = SubsampledGaussian(noise, rate, steps)
    cost = rdp_cost(mechanism, order)
    assert cost >= 1
    assert rdp_cost(mechanism.with_count(steps + 1), order) >= cost
    assert rdp_cost(mechanism.with_noise(noise + 1), order) <= cost
    assert rdp_cost(mechanism, order + 1) >= cost
    assert cost <= rdp_cost(Gaussian(noise, steps), order)


@QUICK
@given(NOISE, RATES, st.integers(1, 500), st.integers(1, 500), ORDERS)
def test_a_study_in_pieces_never_costs_less(noise, rate, first, second, order):
    one = SubsampledGaussian(noise, rate, 1)
    pieces = rdp_cost(one.with_count(first), order) + rdp_cost(one.with_count(second), order)
    assert 0 <= pieces - rdp_cost(one.with_count(first + second), order) <= 2


@QUICK
@given(st.decimals("0.05", "20", places=3), st.sampled_from(["1e-5", "1e-6", "1e-9"]), ORDERS)
def test_spending_the_whole_cap_keeps_the_promise(epsilon, delta, order):
    cap = rdp_cap(epsilon, Decimal(delta), order)
    if cap > 0:
        assert epsilon_of_rdp(cap, Decimal(delta), order) <= epsilon.quantize(
            Decimal("0.0001")
        ) + Decimal("0.0001")
        assert rdp_cap(epsilon + 1, Decimal(delta), order) - cap in {NANO - 1, NANO, NANO + 1}


@QUICK
@given(st.integers(1, 1 << 63), st.integers(0, 50), st.binary(min_size=32, max_size=32))
def test_uniform_integers_are_below_any_bound(bound, count, key):
    values = uniform_below(count, bound, ChaChaStream(key))
    assert values.shape == (count,)
    assert all(int(v) < bound for v in values)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(
    st.one_of(st.decimals("2", "300", places=2), st.decimals("20000", "1e12", places=2)),
    st.integers(0, 99),
    st.binary(min_size=32, max_size=32),
)
def test_noise_has_the_shape_that_was_asked_and_stays_in_its_tail(sigma, size, key):
    draws = IntegerGaussian(sigma, ChaChaStream(key)).draw(size)
    assert draws.shape == (size,)
    assert draws.dtype.name == "int64"
    assert all(abs(int(d)) <= 14.1 * float(sigma) + 1 for d in draws)


@QUICK
@given(
    st.lists(st.integers(-(1 << 61), 1 << 61), min_size=1, max_size=40),
    st.integers(1, 1 << 56),
    st.binary(min_size=32, max_size=32),
)
def test_a_value_in_steps_is_next_to_the_value_and_a_whole_number_of_steps_stays(values, step, key):
    rounded = stochastic_quotient(np.array(values, dtype=np.int64), step, ChaChaStream(key))
    assert all(abs(int(r) * step - v) < step for r, v in zip(rounded, values, strict=True))
    whole = [v // step for v in values]
    assert stochastic_quotient(np.array(whole) * step, step, ChaChaStream(key)).tolist() == whole
