from dataclasses import replace

import numpy as np
import pytest
from secagg_round import NAMES, Round, digest_of
from secagg_whole import add_contributions, open_sum

from securefl.errors import RoundError, UsageError
from securefl.secagg.ring import add, sum_mod_q


@pytest.mark.parametrize(
    ("names", "bits", "length"),
    [(("A", "B"), 8, 1), (NAMES, 16, 9000), (tuple("ABCDEFGH"), 12, 500)],
)
def test_a_complete_masked_round_opens_to_the_plain_sum(names, bits, length):
    a_round = Round(names, bits, length)
    values = a_round.values()
    total = add_contributions(a_round.contributions(values), a_round.facts)
    opened = open_sum(a_round.keys, total.ciphertext, a_round.facts)
    assert np.array_equal(opened.values, sum(values.values()))
    assert opened.values.dtype == np.int64
    assert opened.contributors == len(names)
    assert a_round.keys.erased


def test_a_sum_opens_once():
    a_round = Round()
    total = add_contributions(a_round.contributions(a_round.values()), a_round.facts).ciphertext
    open_sum(a_round.keys, total, a_round.facts)
    with pytest.raises(RoundError, match="once and never again"):
        open_sum(a_round.keys, total, a_round.facts)


def test_an_incomplete_sum_is_caught_by_the_canary_even_without_masks():
    a_round = Round()
    values = a_round.values()
    total = sum_mod_q(a_round.encrypted(np.zeros_like(values[name])) for name in NAMES[1:])
    with pytest.raises(RoundError, match="nothing was released"):
        open_sum(a_round.keys, total, a_round.facts)
    assert a_round.keys.erased


def test_a_canary_that_is_not_the_number_of_contributors_is_named():
    a_round = Round()
    layout = a_round.facts.layout
    total = sum_mod_q(a_round.encrypted(np.zeros(10, dtype=np.int64)) for _ in NAMES)
    total[0, 0, 0] = add(total[0, 0, :1], np.array([layout.scale], dtype=np.uint64))[0]
    with pytest.raises(RoundError, match="exactly one contribution of each of the 5"):
        open_sum(a_round.keys, total, a_round.facts)


def test_another_rounds_key_pair_is_not_used_and_is_erased():
    a_round = Round()
    facts = replace(a_round.facts, public_key_sha256=digest_of("another key"))
    with pytest.raises(RoundError, match="not the one"):
        open_sum(a_round.keys, a_round.encrypted(np.zeros(10, dtype=np.int64)), facts)
    assert a_round.keys.erased


def test_a_sum_of_another_shape_is_refused_and_the_key_erased():
    a_round = Round()
    two = a_round.encrypted(np.zeros(10, dtype=np.int64)).repeat(2, axis=0)
    with pytest.raises(UsageError):
        open_sum(a_round.keys, two, a_round.facts)
    assert a_round.keys.erased
