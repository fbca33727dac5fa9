"""A malicious aggregator adds a probe to c1 of the "sum" and reads the secret key out of what the
coordinator opens.
"""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from secagg_round import DEGREES, NAMES, Party, Round
from secagg_whole import (
    add_contributions,
    check_sum,
    open_sum,
    read_contribution,
    read_sum,
    write_contribution,
    write_sum,
)

from securefl.errors import RoundError
from securefl.secagg import seal
from securefl.secagg.ring import add

#: As much as a field holds beside the values, which are made so much smaller.
PROBES = {4096: 1024, 2048: 1024, 1024: 64}


def with_probe(total, layout):
    crafted = total.copy()
    probe = np.array([PROBES[layout.degree] * layout.scale], dtype=np.uint64)
    modulus = np.uint64(layout.ring.modulus)
    crafted[0, 1, :1] = add(crafted[0, 1, :1], probe, modulus)
    return crafted


def open_again_and_again(decryptor, ciphertext, layout):
    """A coordinator without our rules: it opens whatever it is given, as often as it is asked."""
    ring = layout.ring
    noisy = seal._from_ntt(
        np.stack([seal._decrypt_chunk(decryptor, chunk, ring) for chunk in ciphertext]), ring
    )
    return seal.round_exactly(noisy, layout.scale, ring)[0]


@pytest.fixture(params=DEGREES)
def played(request):
    a_round = Round(length=0, degree=request.param)
    values = {name: vector // 64 for name, vector in a_round.values().items()}
    contributions = a_round.contributions(values)
    return a_round, contributions, add_contributions(contributions, a_round.facts), values


def test_control_a_coordinator_that_opens_twice_loses_its_whole_key(played):
    a_round, _, total, _ = played
    layout, decryptor = a_round.facts.layout, a_round.keys._decryptor
    honest = open_again_and_again(decryptor, total.ciphertext, layout)
    probed = open_again_and_again(decryptor, with_probe(total.ciphertext, layout), layout)
    probe = PROBES[layout.degree]
    key = (probed.astype(np.int64) - honest.astype(np.int64)) // probe
    assert set(np.unique(key)) == {-1, 0, 1}
    assert (
        0.6 < np.count_nonzero(key) / layout.degree < 0.73
    )  # uniform ternary: the secret key, coefficient by coefficient


def test_ours_opens_only_the_sum_that_it_recomputed(played):
    a_round, contributions, total, values = played
    aggregator = Party("aggregator")
    crafted = with_probe(total.ciphertext, a_round.facts.layout)
    data = write_sum(a_round.facts, "aggregator", crafted, total.parts, aggregator.sign)
    claimed = read_sum(
        data, a_round.facts, "aggregator", aggregator.verify
    )  # well formed and well signed
    with pytest.raises(RoundError, match="not the sum") as caught:
        check_sum(claimed, contributions, a_round.facts)
    assert caught.value.whose == "aggregator"
    assert not a_round.keys.erased
    opened = open_sum(
        a_round.keys,
        check_sum(
            replace(claimed, ciphertext=total.ciphertext), contributions, a_round.facts
        ).ciphertext,
        a_round.facts,
    )
    assert np.array_equal(opened.values, sum(values.values()))


def test_ours_never_opens_a_second_time_so_that_no_difference_can_be_taken(played):
    a_round, _, total, _ = played
    # The canary and the fields catch most probes; a probe they miss gains nothing, because the key
    # is gone.
    with suppress(RoundError):
        open_sum(a_round.keys, with_probe(total.ciphertext, a_round.facts.layout), a_round.facts)
    assert a_round.keys.erased
    with pytest.raises(RoundError, match="once and never again"):
        open_sum(a_round.keys, total.ciphertext, a_round.facts)


@pytest.mark.parametrize("degree", DEGREES)
def test_two_threads_that_open_at_once_get_one_opening(degree):
    from concurrent.futures import ThreadPoolExecutor

    a_round = Round(degree=degree)
    layout, keys = a_round.facts.layout, a_round.keys
    ciphertext = a_round.encrypted(np.zeros(10, dtype=np.int64))

    def try_it(_):
        try:
            keys.open_once(ciphertext, layout)
        except RoundError:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_it, range(16))) == 1


def opened_with_a_hostile_hospital(degree):
    """SVI signs a contribution with a probe in c1.

    No check sees it when the canary's key coefficient is 0: one in three.
    """
    while True:
        a_round = Round(length=0, degree=degree)
        small = PROBES[degree]
        values = {name: vector // small for name, vector in a_round.values().items()}
        masked = {name: a_round.masked(name, a_round.encrypted(values[name])) for name in NAMES}
        masked["SVI"] = with_probe(masked["SVI"], a_round.facts.layout)
        read = []
        for name in NAMES:
            party = a_round.parties[name]
            data = write_contribution(a_round.facts, name, masked[name], party.sign)
            read.append(read_contribution(data, a_round.facts, name, party.verify))
        decryptor = a_round.keys._decryptor
        with suppress(RoundError):
            opened = open_sum(
                a_round.keys, add_contributions(read, a_round.facts).ciphertext, a_round.facts
            )
            return a_round, decryptor, values, masked, opened.values


@pytest.mark.parametrize("degree", DEGREES)
def test_a_hostile_hospital_can_learn_the_rounds_key_and_it_opens_nothing_but_the_sum(degree):
    """A limit that is stated, and why it does no harm: the key is used up, and contributions are
    masked.
    """
    a_round, decryptor, values, masked, opened = opened_with_a_hostile_hospital(degree)
    key = np.rint(
        opened[: degree - 1] / PROBES[degree]
    )  # coefficients 1 to the last of the key, read from field 0 of the released sum
    assert set(np.unique(key)) == {-1, 0, 1}
    assert a_round.keys.erased

    def read_by_the_attacker(ciphertext):
        raw = seal._decrypt_chunk(decryptor, ciphertext[0], a_round.ring)
        noisy = seal._from_ntt(raw[None], a_round.ring)[0]
        fields = (noisy + np.uint64(a_round.facts.layout.scale // 2)) // np.uint64(
            a_round.facts.layout.scale
        )
        return (fields & np.uint64((1 << a_round.facts.layout.field_bits) - 1)).astype(np.int64)[1:]

    truth = values["STMW"][: degree - 1]
    control = a_round.encrypted(values["STMW"])
    assert np.corrcoef(read_by_the_attacker(control), truth)[0, 1] > 0.999
    assert (
        abs(np.corrcoef(read_by_the_attacker(masked["STMW"]), truth)[0, 1]) < 5 / len(truth) ** 0.5
    )
