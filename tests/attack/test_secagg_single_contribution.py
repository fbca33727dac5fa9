"""Who holds the CKKS key and the aggregator's store tries to open less than the whole cohort."""

from dataclasses import replace

import numpy as np
import pytest
from secagg_round import DEGREES, NAMES, Round, digest_of
from secagg_whole import modulus_of, open_sum, read_contribution

from securefl.errors import RoundError
from securefl.secagg import masks, seal
from securefl.secagg.ring import sum_mod_q


def attempt_to_open(a_round, ciphertext):
    """What the key holder reads when it ignores every check: int64[chunks * degree * fields] of the fields,
    canaries included.
    """
    layout = a_round.facts.layout
    decryptor = a_round.keys._decryptor
    ring = a_round.ring
    noisy = seal._from_ntt(
        np.stack([seal._decrypt_chunk(decryptor, chunk, ring) for chunk in ciphertext]), ring
    )
    messages = (noisy + np.uint64(layout.scale // 2)) // np.uint64(layout.scale)
    low = np.uint64((1 << layout.field_bits) - 1)
    fields = [(messages >> np.uint64(i * layout.field_bits)) & low for i in range(layout.fields)]
    return np.stack(fields, axis=1).astype(np.int64).reshape(-1)


def correlation(a_round, ciphertext, values):
    return float(np.corrcoef(attempt_to_open(a_round, ciphertext)[1:], values)[0, 1])


def chance(a_round):
    """Five standard deviations of the correlation of unrelated lists of this length."""
    return 5 / a_round.length**0.5


@pytest.fixture(scope="module", params=DEGREES)
def a_round(request):
    return Round(length=0, degree=request.param)


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
    assert abs(correlation(a_round, sent, values)) < chance(a_round)


def test_the_key_holder_reads_nothing_in_all_contributions_but_one(a_round):
    values = a_round.values()
    kept = NAMES[1:]
    truth = sum(values[name] for name in kept)
    modulus = modulus_of(a_round.facts)
    control = sum_mod_q((a_round.encrypted(values[name]) for name in kept), modulus)
    assert correlation(a_round, control, truth) > 0.99
    sent = (a_round.masked(name, a_round.encrypted(values[name])) for name in kept)
    partial = sum_mod_q(sent, modulus)
    assert abs(correlation(a_round, partial, truth)) < chance(a_round)


def test_colluding_hospitals_take_off_their_own_masks_and_still_read_nothing(a_round):
    """Three hospitals hand over every secret they have; two honest ones share one that nobody else
    has.
    """
    values = a_round.values()
    honest, colluding = ("SVI", "SVHC"), ("STMW", "SVHD", "other")
    sent = a_round.masked("SVI", a_round.encrypted(values["SVI"]))
    digest = a_round.facts.digest()
    ring, modulus = a_round.ring, modulus_of(a_round.facts)
    known = np.zeros((1, ring.degree), dtype=np.uint64)
    for peer in colluding:
        seed = masks.pair_seed(a_round.secrets(peer)["SVI"], digest)
        part = masks.expand_chunk(seed, 0, ring=ring)[None]
        change = masks.subtract if peer > "SVI" else masks.add
        known = change(known, part, modulus)
    stripped = masks.add_mask(sent, known, ring)
    assert abs(correlation(a_round, stripped, values["SVI"])) < chance(a_round)
    seed = masks.pair_seed(a_round.secrets(honest[1])["SVI"], digest)
    last = masks.expand_chunk(seed, 0, ring=ring)[None]
    control = masks.add_mask(stripped, last, ring)  # SVHC sorts before SVI, so SVI subtracted it
    assert correlation(a_round, control, values["SVI"]) > 0.999


def test_the_difference_of_two_contributions_opens_under_one_mask_and_not_across_attempts(a_round):
    """Were masks not bound to the attempt, the difference of two contributions would open."""
    second = a_round.values()["SVI"]
    first = np.full_like(
        second, -a_round.facts.layout.max_value
    )  # so that no field of the difference borrows
    again = replace(a_round.facts, attempt=2)

    def difference(facts):
        sent = a_round.masked("SVI", a_round.encrypted(second), facts)
        earlier = a_round.masked("SVI", a_round.encrypted(first))
        return masks.subtract(sent, earlier, modulus_of(facts))

    assert (
        correlation(a_round, difference(a_round.facts), second) > 0.99
    )  # the control: one mask, two payloads
    assert abs(correlation(a_round, difference(again), second)) < chance(a_round)


DIFFERENT = {
    "study": digest_of("another study"),
    "round": 2,
    "attempt": 2,
    "kind": "evaluation",
    "public_key_sha256": digest_of("another key"),
    "bound": 101,
    "model_sha256": digest_of("another model"),
}


def open_with(told, degree):
    """Open a round in which one hospital was told the facts ``told``; nobody checks a frame."""
    a_round = Round(degree=degree)
    values = a_round.values()
    facts = a_round.facts
    sent = []
    for name in NAMES:
        own = replace(facts, **told) if name == "SVI" else facts
        sent.append(a_round.masked(name, a_round.encrypted(values[name]), own))
    try:
        return open_sum(a_round.keys, sum_mod_q(sent, modulus_of(facts)), facts).values, sum(
            values.values()
        )
    finally:
        assert a_round.keys.erased


@pytest.mark.parametrize("degree", DEGREES)
@pytest.mark.parametrize("fact", DIFFERENT)
def test_a_hospital_that_was_told_other_facts_makes_the_sum_unreadable(fact, degree):
    with pytest.raises(RoundError, match="nothing was released"):
        open_with({fact: DIFFERENT[fact]}, degree)


@pytest.mark.parametrize("degree", DEGREES)
def test_with_equal_facts_the_same_sum_opens(degree):
    opened, truth = open_with({}, degree)
    assert np.array_equal(opened, truth)
