from dataclasses import replace

import numpy as np
import pytest
from secagg_round import NAMES, digest_of, fake_ciphertext, make_facts

from securefl.errors import MessageError, RoundError
from securefl.secagg.frame import Contribution, SumFrame
from securefl.secagg.ring import MODULUS
from securefl.secagg.sum import add_contributions, check_sum

FACTS = make_facts()
CONTRIBUTIONS = [Contribution(name, digest_of(name), FACTS.digest(), fake_ciphertext(1, name)) for name in NAMES]


def claimed(**changes):
    total = add_contributions(CONTRIBUTIONS, FACTS)
    return replace(SumFrame("aggregator", digest_of("sum"), FACTS.digest(), total.parts, total.ciphertext), **changes)


def test_the_sum_is_the_sum_mod_q_in_any_order():
    plain = sum(item.ciphertext.astype(object) for item in CONTRIBUTIONS) % MODULUS
    for order in (CONTRIBUTIONS, CONTRIBUTIONS[::-1]):
        total = add_contributions(iter(order), FACTS)
        assert np.array_equal(total.ciphertext.astype(object), plain)
        assert dict(total.parts) == {name: digest_of(name) for name in NAMES}


def test_a_missing_hospital_fails_the_round_and_is_named():
    with pytest.raises(RoundError, match="No contribution of SVHC, SVI") as caught:
        add_contributions([item for item in CONTRIBUTIONS if item.sender not in {"SVI", "SVHC"}], FACTS)
    assert caught.value.whose == "SVHC, SVI"


def test_a_second_contribution_of_one_hospital_is_refused():
    with pytest.raises(MessageError, match="second") as caught:
        add_contributions([*CONTRIBUTIONS, CONTRIBUTIONS[2]], FACTS)
    assert caught.value.whose == CONTRIBUTIONS[2].sender


@pytest.mark.parametrize("changes", [{"round_digest": digest_of("other")}, {"sender": "mallory"}])
def test_a_contribution_to_another_round_is_refused(changes):
    with pytest.raises(MessageError, match="another round"):
        add_contributions([replace(CONTRIBUTIONS[0], **changes)], FACTS)


def test_an_honest_sum_checks():
    assert np.array_equal(check_sum(claimed(), CONTRIBUTIONS, FACTS).ciphertext, claimed().ciphertext)


def test_a_sum_that_is_not_the_sum_is_the_aggregators():
    crafted = claimed().ciphertext.copy()
    crafted[0, 1, 0] ^= np.uint64(1)
    with pytest.raises(RoundError, match="not the sum") as caught:
        check_sum(claimed(ciphertext=crafted), CONTRIBUTIONS, FACTS)
    assert caught.value.whose == "aggregator"


@pytest.mark.parametrize(
    "changes", [{"parts": {name: digest_of("x") for name in NAMES}}, {"round_digest": digest_of("other")}]
)
def test_a_sum_of_other_contributions_is_refused(changes):
    with pytest.raises(RoundError, match="other contributions"):
        check_sum(claimed(**changes), CONTRIBUTIONS, FACTS)
