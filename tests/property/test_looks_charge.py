"""Looks beside training and evaluation: what the ledger adds up is what another accountant composes, and
each round of the programme is one of what was charged.
"""

import math
from collections import Counter
from decimal import Decimal

import dp_accounting
import pytest
from conftest import protocol_text
from dp_accounting.rdp import RdpAccountant
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from looked_at import EVALUATE

from securefl.learning.stages.programme import Programme, charges_of
from securefl.privacy.accounting import NANO, ORDERS
from securefl.privacy.charges import total_cost
from securefl.study.parse import parse_protocol

ROUNDS = st.integers(2, 60)
EVERY = st.integers(1, 20)
NOISE = st.decimals(Decimal(2), Decimal(40), places=2)


def studied(rounds, every, noise):
    """The small study with so many rounds and looks."""
    table = (
        f'[stages.looks]\nevery = {every}\nnoise_multiplier = "{noise}"\nepsilon = "1"\n'
        "patience = 1\n\n"
    )
    return parse_protocol(
        protocol_text(
            ("rounds = 4", f"rounds = {rounds}"),
            ("steps = 4", f"steps = {rounds}"),
            (EVALUATE, table + EVALUATE),
        )
    )


def composed(study, order):
    """Rényi divergence of all rounds of the programme at one order, by dp-accounting, one by one."""
    accountant = RdpAccountant([order])
    programme = Programme(study)
    for number in range(1, programme.last_round + 1):
        mechanism = programme.at(number).release.mechanism
        event = dp_accounting.GaussianDpEvent(float(mechanism.noise_multiplier))
        rate = float(mechanism.sample_rate)
        accountant.compose(dp_accounting.PoissonSampledDpEvent(rate, event))
    return float(accountant._rdp[0])


@given(ROUNDS, EVERY, NOISE, st.sampled_from([order for order in ORDERS if order <= 64]))
@settings(max_examples=25)
def test_the_ledgers_sum_is_that_of_each_round_composed_by_itself(rounds, every, noise, order):
    assume((rounds - 1) // every >= 1)
    study = studied(rounds, every, noise)
    cost = total_cost(charges_of(study), order, 1) / NANO
    expected = composed(study, order)
    # the ledger rounds each of three charges up to a nano unit
    assert math.isclose(cost, expected, rel_tol=1e-9, abs_tol=4 / NANO)
    assert cost >= expected * (1 - 1e-12)


@given(ROUNDS, EVERY)
@settings(max_examples=25)
def test_each_round_is_one_release_of_what_was_charged(rounds, every):
    study = studied(rounds, every, "8")
    programme = Programme(study)
    kinds = [programme.at(n).release.kind for n in range(1, programme.last_round + 1)]
    charged = {
        charge.purpose: charge.mechanism.count // release.mechanism.count
        for charge, (_, release) in zip(charges_of(study), programme.releases, strict=True)
    }
    assert Counter(kinds) == charged
    assert kinds[-2:] == ["update", "evaluation"]
    assert all(kinds[n - 1] == "update" for n, kind in enumerate(kinds) if kind == "look")
    between = "".join(kind[0] for kind in kinds).split("l")
    assert [part.count("u") for part in between[:-1]] == [every] * (len(between) - 1)


@pytest.mark.parametrize("count", [1, 4, 9])
def test_so_many_looks_cost_what_one_does_with_less_noise_by_their_root(count):
    """The price list of decision 50: k looks with noise z are one with z / sqrt(k)."""
    noise = 6 * math.isqrt(count)
    _, looks, _ = charges_of(studied(count + 1, 1, noise))
    _, one, _ = charges_of(studied(2, 1, 6))
    assert (looks.mechanism.count, one.mechanism.count) == (count, 1)
    for order in (2, 16, 64):
        assert total_cost([looks], order, 1) == total_cost([one], order, 1)
