"""Crafted frames of numbers under keys that add up, and what can be solved for out of all that is
published.

Rostered hospitals sign whatever they like here. Each attack has a control: the same bytes without
the crafting, or the same attack where the rule it meets is left out.
"""

import io
from dataclasses import replace

import numpy as np
import pytest
from keyed_attacker import BY_CHANCE, key_from, key_out_of, likeness, read_with, shared_of
from mutated_bytes import mutations
from secagg_keyed import KeyedRound, by_section
from secagg_round import NAMES, digest_of

from securefl.errors import MessageError, RoundError
from securefl.secagg import additive, frame
from securefl.secagg.gaussian import LARGEST
from securefl.secagg.masks import Seeds
from securefl.secagg.ring import MODULUS, subtract
from securefl.secagg.seal_ring import from_transformed, to_transformed

ME, VICTIM = "SVI", "STMW"
NOTHING = Seeds((), ())
PRIMES = pytest.mark.parametrize("primes", [1, 2, 3])
LENGTH = 4000


def written(a_round, name, body):
    """A frame of this body, signed by the hospital; nothing is checked on this side."""
    file = io.BytesIO()
    facts = a_round.facts
    hashes = [
        chunk
        for section, part in zip(facts.sections, body, strict=True)
        for chunk in section.write(part, file)
    ]
    head = frame._contribution_envelope(facts, name).head(hashes, a_round.parties[name].sign)
    return head + file.getvalue()


def taken(a_round, name, data, facts=None):
    """A frame's body, read and checked."""
    facts = facts or a_round.facts
    blocks = frame.contribution_blocks(io.BytesIO(data), facts, name, a_round.parties[name].verify)
    return by_section(facts, blocks)


def bodies_without_masks(a_round, values):
    """What all send where no mask is in the way: the keys' ciphertexts are checked by no one else,
    and only the numbers' own checks stand.
    """
    return {name: a_round.body(name, values[name], mask=NOTHING) for name in a_round.names}


def nothing_opens(a_round, bodies):
    with pytest.raises(RoundError, match="nothing was released"):
        a_round.open(a_round.add(list(bodies.values())))


# Bytes that are altered on their way.


def messages(primes):
    """Frames that are good, who sent each, and how it is read."""
    a_round = KeyedRound(("A", "B"), length=10, primes=primes)
    values = a_round.values()
    contribution = a_round.frame("A", values["A"])
    total = a_round.add([a_round.sent(name, values[name]) for name in a_round.names])
    spool = io.BytesIO()
    parts = {name: digest_of(name) for name in a_round.names}
    aggregator = a_round.parties["aggregator"]
    frame.write_sum(
        a_round.facts, "aggregator", iter(total), spool, parts=parts, sign=aggregator.sign
    )

    def read_sum(data):
        found = frame.read_sum(io.BytesIO(data), a_round.facts, "aggregator", aggregator.verify)
        return list(found.blocks)

    return {
        "A": (contribution, lambda data: taken(a_round, "A", data)),
        "aggregator": (spool.getvalue(), read_sum),
    }


@PRIMES
@pytest.mark.parametrize("sender", ["A", "aggregator"])
def test_two_thousand_mutations_of_each_frame_are_refused_in_its_senders_name(primes, sender):
    """Twelve thousand in all, of frames that are taken as they are."""
    frames = messages(primes)
    data, read = frames[sender]
    assert read(data)  # the control
    others = [other for other, _ in frames.values()]
    refused = 0
    for mutant in mutations(data, others, 2000, f"{primes} {sender}"):
        with pytest.raises(MessageError) as caught:
            read(mutant)
        assert caught.value.whose == sender
        refused += 1
    assert refused == 2000


# Frames of another round, attempt or study.

ELSEWHERE = {
    "study": digest_of("another study"), "round": 2, "attempt": 2, "kind": "evaluation", "bound": 101,
    "model_sha256": digest_of("another model"), "length": 11,
}  # fmt: skip


@PRIMES
@pytest.mark.parametrize("fact", ELSEWHERE)
def test_a_frame_of_other_facts_is_refused_though_signed(primes, fact):
    a_round = KeyedRound(("A", "B"), length=10, primes=primes)
    body = a_round.body("A", a_round.values()["A"])
    data = written(a_round, "A", body)
    assert taken(a_round, "A", data)  # the control
    elsewhere = replace(a_round.facts, **{fact: ELSEWHERE[fact]})
    with pytest.raises(MessageError) as caught:
        taken(a_round, "A", data, elsewhere)
    assert caught.value.whose == "A"


@PRIMES
def test_a_frame_of_fewer_primes_is_refused_though_signed(primes):
    a_round = KeyedRound(("A", "B"), length=10, primes=primes)
    data = written(a_round, "A", a_round.body("A", a_round.values()["A"]))
    for other in {1, 2, 3} - {primes}:
        facts = replace(a_round.facts, layout=replace(a_round.layout, primes=other))
        with pytest.raises(MessageError):
            taken(a_round, "A", data, facts)


# Crafted keys.


@pytest.mark.parametrize("spoil", ["residue", "empty", "constant", "both empty"])
def test_a_signed_frame_whose_key_is_no_ciphertext_is_refused(spoil):
    a_round = KeyedRound(("A", "B"), length=10, primes=1)
    body = a_round.body("A", a_round.values()["A"])
    assert taken(a_round, "A", written(a_round, "A", body))  # the control
    crafted = body[0].copy()
    if spoil == "residue":
        crafted[0, 0, 3] = MODULUS
    elif spoil == "empty":
        crafted[0, 1] = 0
    elif spoil == "constant":
        crafted[0, 0] = 77
    else:
        crafted[0] = 0
    with pytest.raises(MessageError) as caught:
        taken(a_round, "A", written(a_round, "A", [crafted, *body[1:]]))
    assert caught.value.whose == "A"


@PRIMES
def test_a_key_that_no_sampler_draws_changes_nothing_where_its_numbers_fit_it(primes, monkeypatch):
    """All its coefficients the largest there is: the sum stays exact, and no other key shows."""
    a_round = KeyedRound(length=LENGTH, primes=primes)
    values = a_round.values()
    bodies = bodies_without_masks(a_round, values)
    real = additive.gaussian_samples
    largest = [np.full(a_round.layout.ring.degree, LARGEST, dtype=np.int64)]
    monkeypatch.setattr(
        additive,
        "gaussian_samples",
        lambda count, draw: largest.pop() if largest else real(count, draw),
    )
    bodies[ME] = a_round.body(ME, values[ME], mask=NOTHING)
    opened = a_round.open(a_round.add(list(bodies.values())))
    assert np.array_equal(opened, sum(values.values()))


@PRIMES
@pytest.mark.parametrize("what", ["numbers", "key", "both", "numbers negated", "both negated"])
def test_a_hospital_that_sends_what_another_sent_opens_nothing(primes, what):
    """It sees every frame before it makes its own: copied, or negated so as to cancel it."""
    a_round = KeyedRound(length=LENGTH, primes=primes)
    values = a_round.values()
    bodies = {name: a_round.sent(name, values[name]) for name in NAMES}
    bodies[ME] = copied(a_round, bodies[VICTIM], bodies[ME], what)
    nothing_opens(a_round, bodies)


def copied(a_round, victim, mine, what):
    """``mine`` with the victim's numbers, key or both in its place."""
    ring = a_round.layout.ring
    key, numbers = victim[0], victim[1:]
    if what.endswith("negated"):
        zero = [np.zeros_like(part) for part in numbers]
        key = subtract(np.zeros_like(key), key)
        numbers = [ring.subtract(z, part) for z, part in zip(zero, numbers, strict=True)]
    if what.startswith("numbers"):
        return [mine[0], *numbers]
    return [key, *(mine[1:] if what == "key" else numbers)]


@PRIMES
def test_control_without_masks_a_copy_of_key_and_numbers_opens_and_counts_twice(primes):
    a_round = KeyedRound(length=LENGTH, primes=primes)
    values = {name: vector // 8 for name, vector in a_round.values().items()}
    bodies = bodies_without_masks(a_round, values)
    bodies[ME] = bodies[VICTIM]
    opened = a_round.open(a_round.add(list(bodies.values())))
    others = sum(values[name] for name in NAMES if name != ME)
    assert np.array_equal(opened - others, values[VICTIM])


# Crafted numbers. One value stands in field 1 of coefficient 0, beside the canary.


def with_shift(a_round, body, shift, coefficients=1):
    """A body whose first coefficients of the last, cut element are larger by ``shift``."""
    crafted = body[-1].copy()
    for place, prime in enumerate(a_round.layout.ring.primes):
        for i in range(coefficients):
            crafted[0, place, i] = (int(crafted[0, place, i]) + shift) % prime
    return [*body[:-1], crafted]


def shifted_round(primes, shift, coefficients=1):
    """A round in which one hospital shifts; ``(round, values, bodies)``."""
    a_round = KeyedRound(length=10, primes=primes)
    values = {name: vector // 8 for name, vector in a_round.values().items()}
    bodies = bodies_without_masks(a_round, values)
    bodies[ME] = with_shift(a_round, bodies[ME], shift(a_round.layout), coefficients)
    return a_round, values, bodies


@PRIMES
def test_a_shifted_value_is_what_that_hospital_could_have_sent(primes):
    """A limit that is stated: a hospital may send what it likes within its field."""
    a_round, values, bodies = shifted_round(
        primes, lambda layout: 5 << (layout.error_bits + layout.field_bits)
    )
    opened = a_round.open(a_round.add(list(bodies.values())))
    assert (opened - sum(values.values())).tolist() == [5] + [0] * 9


@PRIMES
@pytest.mark.parametrize("canary", [-1, 1])
def test_a_hospital_that_counts_twice_or_not_at_all_opens_nothing(primes, canary):
    a_round, _, bodies = shifted_round(primes, lambda layout: canary << layout.error_bits)
    with pytest.raises(RoundError, match="exactly one contribution"):
        a_round.open(a_round.add(list(bodies.values())))


@PRIMES
def test_a_value_beyond_its_field_opens_nothing(primes):
    """Control above: the same place, a shift that fits."""
    a_round, _, bodies = shifted_round(
        primes,
        lambda layout: 5 * layout.max_value << (layout.error_bits + layout.field_bits),
    )
    nothing_opens(a_round, bodies)


@PRIMES
@pytest.mark.parametrize("sign", [1, -1])
def test_an_error_that_no_sampler_draws_opens_nothing_before_it_changes_an_integer(primes, sign):
    small = shifted_round(primes, lambda layout: sign * (1 << (layout.error_bits - 3)))
    a_round, values, bodies = small  # the control: an error within the margin is rounded away
    opened = a_round.open(a_round.add(list(bodies.values())))
    assert np.array_equal(opened, sum(values.values()))
    # in three coefficients: in one, the errors of the others take as much off once in 150 rounds
    a_round, _, bodies = shifted_round(
        primes, lambda layout: sign * (15 << (layout.error_bits - 5)), coefficients=3
    )
    nothing_opens(a_round, bodies)


# Keys out of what is published.


def solved(a_round, element, plain):
    """The key with ``element = a · key + plain``, coefficients modulo the first prime around 0.

    ``plain``: long integers uint64[1, primes, degree].
    """
    ring = a_round.layout.ring
    rest = ring.subtract(element, to_transformed(ring, ring.from_words(plain)))
    shared = shared_of(a_round.facts)[:1]
    quotient = np.empty_like(rest)
    for place, prime in enumerate(ring.primes):
        inverse = [pow(int(a), -1, prime) for a in shared[0, place]]
        row = rest[0, place].tolist()
        quotient[0, place] = [x * y % prime for x, y in zip(row, inverse, strict=True)]
    first = from_transformed(ring, quotient)[0, 0].astype(np.int64)
    prime = ring.primes[0]
    return np.where(first > prime // 2, first - prime, first)


def small_share(coefficients, bound):
    """The share of coefficients that a key, or a sum of keys, may have."""
    return float((np.abs(coefficients) <= bound).mean())


def whole_element_round(primes):
    """A round of one whole element; ``(round, values)``."""
    a_round = KeyedRound(length=10, primes=primes)
    length = a_round.layout.values_per_element
    a_round = KeyedRound(length=length, primes=primes)
    return a_round, {name: vector // 8 for name, vector in a_round.values().items()}


def packed_sum(a_round, values):
    """The integers that everybody learns, packed as the sum of all packs them."""
    words = sum(a_round.layout.pack(vector).astype(object) for vector in values.values())
    for place in range(a_round.layout.primes - 1):
        words[:, place + 1] += words[:, place] >> 58
        words[:, place] &= (1 << 58) - 1
    return words.astype(np.uint64)


@pytest.mark.parametrize("primes", [1, 3])
def test_the_noisy_sum_gives_the_sum_of_keys_away_and_the_integers_do_not(primes):
    """Li and Micciancio (2021), for symmetric ciphertexts: frames and results are for all to see."""
    a_round, values = whole_element_round(primes)
    bodies = bodies_without_masks(a_round, values)
    total = a_round.add(list(bodies.values()))
    ring, bound = a_round.layout.ring, len(NAMES) * LARGEST
    true = sum_of_keys(a_round, total)
    noisy = ring.subtract(total[1], true.times(shared_of(a_round.facts)[:1]))
    with_errors = ring.to_words(from_transformed(ring, noisy))
    control = solved(a_round, total[1], with_errors)  # a coordinator that publishes what it opened
    assert np.array_equal(control, true.values)
    ours = solved(a_round, total[1], packed_sum(a_round, values))
    assert small_share(ours, bound) < 0.01
    for name in NAMES:  # nor does it read anybody's numbers
        guess = key_from(a_round.facts, np.clip(ours, -bound, bound))
        read = read_with(a_round.facts, bodies[name][1:], guess)
        assert likeness(read, values[name]) < BY_CHANCE


def sum_of_keys(a_round, total):
    return key_out_of(a_round.facts, a_round.keys._decryptor, total[0], len(NAMES))


@pytest.mark.parametrize("primes", [1, 3])
def test_whoever_knows_a_hospitals_numbers_has_not_its_key(primes, monkeypatch):
    """Known numbers, for instance of an empty update, and the frame that carries them."""
    a_round, values = whole_element_round(primes)
    plain = a_round.layout.pack(values[ME])
    body = a_round.body(ME, values[ME], mask=NOTHING)
    assert small_share(solved(a_round, body[1], plain), LARGEST) < 0.01
    real = additive.gaussian_samples
    drawn = []

    def without_errors(count, draw):
        drawn.append(real(count, draw) if not drawn else np.zeros(count, dtype=np.int64))
        return drawn[-1].copy()

    monkeypatch.setattr(additive, "gaussian_samples", without_errors)
    body = a_round.body(ME, values[ME], mask=NOTHING)
    control = solved(a_round, body[1], plain)  # a hospital that draws no errors
    assert np.array_equal(control, drawn[0])
