"""Numbers under keys that add up: who sees everything that is published reads nothing but the
complete sum.

Each attack stands beside a control in which the rule it runs against is left out, and it succeeds.
"""

import io
from dataclasses import replace

import keyed_attacker
import numpy as np
import pytest
from keyed_attacker import BY_CHANCE, likeness, read_with
from secagg_keyed import KeyedRound
from secagg_round import NAMES, digest_of

from securefl.errors import MessageError, RoundError
from securefl.secagg import frame, seal
from securefl.secagg.additive import NumberKey
from securefl.secagg.gaussian import gaussian_samples
from securefl.secagg.masks import Seeds, expand_chunk, pair_seed
from securefl.secagg.ring import add, subtract

ME = "SVI"
NOTHING = Seeds((), ())
LENGTH = 4000
PRIMES = pytest.mark.parametrize("primes", [1, 2, 3])


def key_out_of(a_round, ciphertexts, contributors=1):
    """The key that the holder of the round's CKKS key reads in ciphertexts."""
    decryptor = a_round.keys._decryptor
    return keyed_attacker.key_out_of(a_round.facts, decryptor, ciphertexts, contributors)


@pytest.fixture(params=[1, 2, 3], ids=["1 prime", "2 primes", "3 primes"])
def a_round(request):
    return KeyedRound(length=LENGTH, primes=request.param)


def test_the_complete_sum_opens_exactly(a_round):
    values = a_round.values()
    total = a_round.add([a_round.sent(name, values[name]) for name in NAMES])
    assert np.array_equal(a_round.open(total), sum(values.values()))


def test_the_key_holder_reads_nothing_in_one_contribution(a_round):
    values = a_round.values()[ME]
    bare = a_round.body(ME, values, mask=NOTHING)
    key = key_out_of(a_round, bare[0])
    assert np.array_equal(
        read_with(a_round.facts, bare[1:], key), values
    )  # the control: a key that is sent bare
    sent = a_round.sent(ME, values)
    assert (
        likeness(read_with(a_round.facts, sent[1:], key_out_of(a_round, sent[0])), values)
    ) < BY_CHANCE
    nothing = NumberKey(a_round.layout.ring, np.zeros(a_round.layout.ring.degree, dtype=np.int64))
    assert likeness(read_with(a_round.facts, sent[1:], nothing), values) < BY_CHANCE


def test_a_sum_that_misses_a_hospital_does_not_open_and_shows_nothing(a_round):
    values = a_round.values()
    bodies = {name: a_round.sent(name, values[name]) for name in NAMES}
    partial = a_round.add([bodies[name] for name in NAMES[1:]])
    read = read_with(a_round.facts, partial[1:], key_out_of(a_round, partial[0]), len(NAMES) - 1)
    assert likeness(read, sum(values[name] for name in NAMES[1:])) < BY_CHANCE
    with pytest.raises(RoundError, match="nothing was released"):
        a_round.open(partial)


def test_a_cohort_that_shrinks_between_the_keys_and_the_numbers_opens_nothing(a_round):
    """All keys, and the numbers of all but one: what is left over is that one's key times public
    elements.
    """
    values = a_round.values()
    bodies = {name: a_round.sent(name, values[name]) for name in NAMES}
    whole = a_round.add(list(bodies.values()))
    fewer = a_round.add([bodies[name] for name in NAMES[1:]])
    read = read_with(a_round.facts, fewer[1:], key_sum(a_round, whole[0]), len(NAMES) - 1)
    assert likeness(read, sum(values[name] for name in NAMES[1:])) < BY_CHANCE
    with pytest.raises(RoundError, match="nothing was released"):
        a_round.open([whole[0], *fewer[1:]])


def key_sum(a_round, ciphertexts):
    """The sum of all keys, as the coordinator learns it."""
    return key_out_of(a_round, ciphertexts, len(NAMES))


def test_the_control_the_same_cohort_for_both_opens(a_round):
    values = a_round.values()
    whole = a_round.add([a_round.sent(name, values[name]) for name in NAMES])
    read = read_with(a_round.facts, whole[1:], key_sum(a_round, whole[0]), len(NAMES))
    assert np.array_equal(read, sum(values.values()))


def test_two_sets_in_one_round_would_show_one_hospital_and_the_round_opens_once(a_round):
    """The control of rule 4: with the sums of two sets that differ by one hospital its numbers are
    read.
    """
    values = a_round.values()
    bare = {name: a_round.body(name, values[name], mask=NOTHING) for name in NAMES}
    with_me = a_round.add(list(bare.values()))
    without = a_round.add([body for name, body in bare.items() if name != ME])
    ring = a_round.layout.ring
    mine = NumberKey(
        ring,
        key_sum(a_round, with_me[0]).values - (key_out_of(a_round, without[0]).values - 3 * 128),
    )
    assert np.array_equal(read_with(a_round.facts, bare[ME][1:], mine), values[ME])
    a_round.open(with_me)
    with pytest.raises(RoundError, match="once"):
        a_round.open(without)


@PRIMES
def test_a_key_is_drawn_for_each_contribution_and_one_that_is_used_twice_shows_the_difference(
    primes,
):
    a_round = KeyedRound(length=LENGTH, primes=primes)
    rng = np.random.default_rng(3)
    first = rng.integers(-1000, 1000, LENGTH)
    second = np.full(
        LENGTH, -32_767
    )  # so that no field of the difference borrows from its neighbour
    zero = NumberKey(a_round.layout.ring, np.zeros(a_round.layout.ring.degree, dtype=np.int64))

    def difference(draw):
        one, other = (a_round.body(ME, v, draw=draw, mask=NOTHING) for v in (first, second))
        parts = [
            a_round.layout.ring.subtract(a, b) for a, b in zip(one[1:], other[1:], strict=True)
        ]
        return read_with(a_round.facts, parts, zero, 0)

    reused = difference(lambda n: bytes(range(256)) * (n // 256) + bytes(n % 256))
    assert np.array_equal(reused, first - second)  # the control: one key, two payloads
    assert likeness(difference(np.random.default_rng(5).bytes), first) < BY_CHANCE
    bodies = [a_round.body(ME, first) for _ in range(2)]
    assert not np.array_equal(bodies[0][-1], bodies[1][-1])


DIFFERENT = {
    "study": digest_of("another study"), "round": 2, "attempt": 2, "kind": "evaluation", "bound": 101,
    "model_sha256": digest_of("another model"),
}  # fmt: skip


@pytest.mark.parametrize("fact", DIFFERENT)
def test_a_hospital_that_was_told_other_facts_has_other_elements_and_opens_nothing(fact):
    a_round = KeyedRound(length=LENGTH, primes=2)
    values = a_round.values()
    told = replace(a_round.facts, **{fact: DIFFERENT[fact]})
    assert not np.array_equal(a_round.shared(told), a_round.shared())
    bodies = [
        a_round.body(name, values[name], told if name == ME else None, mask=NOTHING)
        for name in NAMES
    ]
    with pytest.raises(RoundError, match="nothing was released"):
        a_round.open(a_round.add(bodies))  # even where no ring mask is in the way


def test_the_control_with_the_same_facts_the_same_bodies_open():
    a_round = KeyedRound(length=LENGTH, primes=2)
    values = a_round.values()
    bodies = [a_round.body(name, values[name], mask=NOTHING) for name in NAMES]
    assert np.array_equal(a_round.open(a_round.add(bodies)), sum(values.values()))


def test_numbers_of_another_attempt_in_the_place_of_this_ones_open_nothing():
    a_round = KeyedRound(length=LENGTH, primes=2)
    values = a_round.values()
    again = replace(a_round.facts, attempt=2)
    bodies = {name: a_round.sent(name, values[name]) for name in NAMES}
    bodies[ME] = [bodies[ME][0], *a_round.body(ME, values[ME], again)[1:]]
    with pytest.raises(RoundError, match="nothing was released"):
        a_round.open(a_round.add(list(bodies.values())))


def test_all_others_together_read_one_hospital_and_all_but_one_of_them_do_not(a_round):
    """Whoever knows the sum of all keys and all keys but one has the last.

    Of two honest keys only the sum is known.
    """
    values = a_round.values()
    ring = a_round.layout.ring
    draws = {name: np.random.default_rng(i) for i, name in enumerate(NAMES)}
    keys = {
        name: gaussian_samples(ring.degree, np.random.default_rng(i).bytes)
        for i, name in enumerate(NAMES)
    }
    bare = {
        name: a_round.body(name, values[name], draw=draws[name].bytes, mask=NOTHING)
        for name in NAMES
    }
    known = sum(keys.values())
    alone = NumberKey(ring, known - sum(k for name, k in keys.items() if name != ME))
    assert np.array_equal(
        read_with(a_round.facts, bare[ME][1:], alone), values[ME]
    )  # the control: h = 1
    both = known - sum(k for name, k in keys.items() if name not in {ME, "other"})
    guesses = (both // 2, both - both // 2, np.zeros_like(both), both)
    assert all(
        likeness(read_with(a_round.facts, bare[ME][1:], NumberKey(ring, g)), values[ME]) < BY_CHANCE
        for g in guesses
    )


def test_colluding_hospitals_take_off_their_own_masks_and_the_key_still_does_not_open(a_round):
    values = a_round.values()[ME]
    sent = a_round.sent(ME, values)
    digest = a_round.facts.digest()
    ciphertexts = sent[0].copy()
    for peer in ("STMW", "SVHD", "other"):
        part = expand_chunk(pair_seed(a_round.secrets(peer)[ME], digest), 0)
        ciphertexts[0, 0] = (subtract if peer > ME else add)(ciphertexts[0, 0], part)
    assert (
        likeness(read_with(a_round.facts, sent[1:], key_out_of(a_round, ciphertexts)), values)
    ) < BY_CHANCE
    last = expand_chunk(pair_seed(a_round.secrets("SVHC")[ME], digest), 0)
    ciphertexts[0, 0] = add(ciphertexts[0, 0], last)  # SVHC sorts before SVI, so SVI subtracted it
    assert np.array_equal(
        read_with(a_round.facts, sent[1:], key_out_of(a_round, ciphertexts)), values
    )  # the control


def test_a_hospital_that_sends_a_key_no_sampler_draws_spoils_the_sum_and_reads_nothing(a_round):
    values = a_round.values()
    bodies = {name: a_round.body(name, values[name], mask=NOTHING) for name in NAMES}
    layout = a_round.facts.cipher_layout
    wrong = np.full(a_round.layout.ring.degree, layout.max_value, dtype=np.int64)
    size = layout.values_per_chunk
    crafted = np.concatenate(
        [
            seal.encrypt(a_round.keys.public, layout.pack(wrong[i : i + size]), layout)
            for i in range(0, wrong.size, size)
        ]
    )
    bodies[ME] = [crafted, *bodies[ME][1:]]
    with pytest.raises(RoundError, match="nothing was released"):
        a_round.open(a_round.add(list(bodies.values())))


@pytest.mark.parametrize("primes", [1, 2, 3])
def test_a_frame_with_any_bit_changed_is_refused(primes):
    """Every chunk is hashed into the signed head: nothing of an altered body is added."""
    a_round = KeyedRound(("A", "B", "C"), length=LENGTH, primes=primes)
    good = a_round.frame("A", a_round.values()["A"])
    rng = np.random.default_rng(primes)

    def read(data):
        return list(
            frame.contribution_blocks(
                io.BytesIO(data), a_round.facts, "A", a_round.parties["A"].verify
            )
        )

    assert read(good)
    for place in (*rng.integers(len(good), size=200).tolist(), 0, len(good) - 1):
        mutant = bytearray(good)
        mutant[place] ^= 1 << int(rng.integers(8))
        with pytest.raises(MessageError):
            read(bytes(mutant))
    for cut in (1, 100, len(good) // 2):
        with pytest.raises(MessageError):
            read(good[:-cut])
    with pytest.raises(MessageError):
        read(good + b"x")


@pytest.mark.parametrize("spoil", ["residue", "empty", "constant"])
def test_a_signed_body_that_holds_no_elements_is_refused(spoil):
    a_round = KeyedRound(("A", "B", "C"), length=LENGTH, primes=2)
    body = a_round.body("A", a_round.values()["A"])
    crafted = body[-1].copy()
    if spoil == "residue":
        crafted[0, 1, 5] = a_round.layout.ring.primes[1]
    elif spoil == "empty":
        crafted[0, 1] = 0
    else:
        crafted[0, 0] = 12345
    file = io.BytesIO()
    hashes = [
        h
        for section, part in zip(a_round.facts.sections, [*body[:-1], crafted], strict=True)
        for h in section.write(part, file)
    ]
    head = frame._contribution_envelope(a_round.facts, "A").head(hashes, a_round.parties["A"].sign)
    with pytest.raises(MessageError, match="prime" if spoil == "residue" else "empty or constant"):
        list(
            frame.contribution_blocks(
                io.BytesIO(head + file.getvalue()), a_round.facts, "A", a_round.parties["A"].verify
            )
        )
