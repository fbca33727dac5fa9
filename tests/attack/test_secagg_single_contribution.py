"""Who holds the CKKS key and the aggregator's store tries to open less than the whole cohort."""

import numpy as np
import pytest
from secagg_round import NAMES, Round, digest_of, make_facts
from secagg_whole import open_sum, read_contribution

from securefl.errors import RoundError
from securefl.secagg import masks, seal
from securefl.secagg.ring import DEGREE, sum_mod_q


def attempt_to_open(a_round, ciphertext):
    """What the key holder reads when it ignores every check: int64[chunks * 8192] of the fields,
    canaries included.
    """
    layout = a_round.facts.layout
    decryptor = a_round.keys._decryptor
    noisy = seal._from_ntt(
        np.stack([seal._decrypt_chunk(decryptor, chunk) for chunk in ciphertext])
    )
    messages = (noisy + np.uint64(layout.scale // 2)) // np.uint64(layout.scale)
    low = np.uint64((1 << layout.field_bits) - 1)
    fields = [(messages >> np.uint64(i * layout.field_bits)) & low for i in range(layout.fields)]
    return np.stack(fields, axis=1).astype(np.int64).reshape(-1)


def correlation(a_round, ciphertext, values):
    return float(np.corrcoef(attempt_to_open(a_round, ciphertext)[1:], values)[0, 1])


@pytest.fixture(scope="module")
def a_round():
    return Round(length=2 * DEGREE - 1)


@pytest.mark.parametrize("me", NAMES)
def test_the_key_holder_reads_nothing_in_a_masked_contribution(a_round, me):
    values = a_round.values()[me]
    unmasked = a_round.encrypted(values)
    assert (
        correlation(a_round, unmasked, values) > 0.999
    )  # the control: without masks the key opens it
    sent = read_contribution(
        a_round.frame(me, values), a_round.facts, me, a_round.parties[me].verify
    ).ciphertext
    assert abs(correlation(a_round, sent, values)) < 0.05


def test_the_key_holder_reads_nothing_in_all_contributions_but_one(a_round):
    values = a_round.values()
    kept = NAMES[1:]
    truth = sum(values[name] for name in kept)
    control = sum_mod_q(a_round.encrypted(values[name]) for name in kept)
    assert correlation(a_round, control, truth) > 0.99
    partial = sum_mod_q(a_round.masked(name, a_round.encrypted(values[name])) for name in kept)
    assert abs(correlation(a_round, partial, truth)) < 0.05


def test_colluding_hospitals_take_off_their_own_masks_and_still_read_nothing(a_round):
    """Three hospitals hand over every secret they have; two honest ones share one that nobody else
    has.
    """
    values = a_round.values()
    honest, colluding = ("SVI", "SVHC"), ("STMW", "SVHD", "other")
    sent = a_round.masked("SVI", a_round.encrypted(values["SVI"]))
    digest = a_round.facts.digest()
    known = np.zeros((1, DEGREE), dtype=np.uint64)
    for peer in colluding:
        part = masks.expand_chunk(masks.pair_seed(a_round.secrets(peer)["SVI"], digest), 0)[None]
        known = masks.subtract(known, part) if peer > "SVI" else masks.add(known, part)
    stripped = masks.add_mask(sent, known)
    assert abs(correlation(a_round, stripped, values["SVI"])) < 0.05
    last = masks.expand_chunk(masks.pair_seed(a_round.secrets(honest[1])["SVI"], digest), 0)[None]
    control = masks.add_mask(stripped, last)  # SVHC sorts before SVI, so SVI subtracted it
    assert correlation(a_round, control, values["SVI"]) > 0.999


def test_the_difference_of_two_contributions_opens_under_one_mask_and_not_across_attempts(a_round):
    """Were masks not bound to the attempt, the difference of two contributions would open."""
    second = a_round.values()["SVI"]
    first = np.full_like(
        second, -a_round.facts.layout.max_value
    )  # so that no field of the difference borrows
    again = make_facts(
        length=a_round.length, public_key_sha256=a_round.facts.public_key_sha256, attempt=2
    )

    def difference(facts):
        sent = a_round.masked("SVI", a_round.encrypted(second), facts)
        return masks.subtract(sent, a_round.masked("SVI", a_round.encrypted(first)))

    assert (
        correlation(a_round, difference(a_round.facts), second) > 0.99
    )  # the control: one mask, two payloads
    assert abs(correlation(a_round, difference(again), second)) < 0.05


DIFFERENT = {
    "study": digest_of("another study"),
    "round": 2,
    "attempt": 2,
    "kind": "evaluation",
    "public_key_sha256": digest_of("another key"),
    "bound": 101,
    "model_sha256": digest_of("another model"),
}


def open_with(told):
    """Open a round in which one hospital was told the facts ``told``; nobody checks a frame."""
    a_round = Round()
    values = a_round.values()
    facts = make_facts(public_key_sha256=a_round.keys.public.sha256)
    sent = []
    for name in NAMES:
        own = make_facts(
            **{"public_key_sha256": a_round.keys.public.sha256, **(told if name == "SVI" else {})}
        )
        sent.append(a_round.masked(name, a_round.encrypted(values[name]), own))
    try:
        return open_sum(a_round.keys, sum_mod_q(sent), facts).values, sum(values.values())
    finally:
        assert a_round.keys.erased


@pytest.mark.parametrize("fact", DIFFERENT)
def test_a_hospital_that_was_told_other_facts_makes_the_sum_unreadable(fact):
    with pytest.raises(RoundError, match="nothing was released"):
        open_with({fact: DIFFERENT[fact]})


def test_with_equal_facts_the_same_sum_opens():
    opened, truth = open_with({})
    assert np.array_equal(opened, truth)
