"""One hospital's numbers under its key, and their sum: exact, of the right cohort, and gone
afterwards.
"""

import secrets
from dataclasses import replace

import numpy as np
import pytest
from secagg_keyed import KeyedRound
from secagg_round import digest_of, make_facts

from securefl.errors import RoundError, UsageError
from securefl.secagg import additive, contribution, sections
from securefl.secagg.additive import NumberKey, shared_elements
from securefl.secagg.cipher_ring import LARGE_RING
from securefl.secagg.gaussian import SIGMA
from securefl.secagg.number_layout import NumberLayout
from securefl.secagg.seal_ring import from_transformed

DIGEST = digest_of("a round")


@pytest.mark.parametrize("primes", [1, 2, 3])
@pytest.mark.parametrize("length", [1, 20_000, 140_000])
@pytest.mark.parametrize("bits", [6, 16])
def test_whole_rounds_open_to_the_exact_sum(primes, length, bits):
    a_round = KeyedRound(("A", "B", "C"), bits=bits, length=length, primes=primes)
    values = a_round.values()
    total = a_round.add([a_round.sent(name, values[name]) for name in a_round.names])
    assert np.array_equal(a_round.open(total), sum(values.values()))


def test_the_size_of_a_block_changes_nothing(monkeypatch):
    a_round = KeyedRound(("A", "B"), length=100_000, primes=1)
    draw = np.random.default_rng(1)
    whole = a_round.body("A", np.arange(100_000) % 1000, draw=np.random.default_rng(1).bytes)
    monkeypatch.setattr(sections, "_BLOCK_BYTES", 2 * LARGE_RING.chunk_bytes)
    pieces = a_round.body("A", np.arange(100_000) % 1000, draw=draw.bytes)
    assert [p.shape for p in pieces] == [w.shape for w in whole]
    # the errors are drawn a block at a time, so only what does not depend on them can be compared:
    # the sum opens alike
    other = a_round.body("B", np.zeros(100_000, dtype=np.int64))
    assert np.array_equal(a_round.open(a_round.add([pieces, other])), np.arange(100_000) % 1000)


def test_elements_differ_by_place_prime_and_round():
    ring = NumberLayout(16, 5, 2).ring
    many = shared_elements(ring, DIGEST, 0, 4)
    assert np.array_equal(shared_elements(ring, DIGEST, 2, 4), many[2:])
    others = shared_elements(ring, digest_of("another"), 0, 4)
    rows = {row.tobytes() for element in (*many, *others) for row in element}
    assert len(rows) == 16
    assert ring.contains(many)


@pytest.mark.parametrize("digest", ["ab", "ab" * 33])
def test_elements_follow_from_a_round_digest_and_nothing_else(digest):
    with pytest.raises(UsageError, match="digest"):
        shared_elements(NumberLayout(16, 5, 1).ring, digest, 0, 1)


def test_the_key_of_a_contribution_is_overwritten_when_it_is_made(monkeypatch):
    drawn = []

    class Kept(NumberKey):
        @classmethod
        def draw(cls, ring, draw):
            drawn.append(NumberKey.draw(ring, draw))
            assert np.any(drawn[-1].values)
            return drawn[-1]

    monkeypatch.setattr(contribution, "NumberKey", Kept)
    a_round = KeyedRound(("A", "B"), length=100, primes=2)
    a_round.body("A", np.zeros(100, dtype=np.int64))
    assert not np.any(drawn[0].values)
    assert not np.any(drawn[0]._transformed)
    with pytest.raises(RoundError, match="does not fit"):
        a_round.body("A", np.full(100, 1 << 20))
    assert not np.any(drawn[1].values)


def test_the_sum_of_the_keys_is_overwritten_when_it_was_used(monkeypatch):
    opened = []
    original = NumberKey.opened
    monkeypatch.setattr(NumberKey, "opened", lambda *a: opened.append(original(*a)) or opened[-1])
    a_round = KeyedRound(("A", "B"), length=100, primes=1)
    a_round.open(a_round.add([a_round.sent(n, v) for n, v in a_round.values().items()]))
    assert not np.any(opened[0].values)
    assert a_round.keys.erased


@pytest.mark.parametrize("spoil", ["too large", "too few"])
def test_what_no_keys_add_up_to_is_no_sum_of_keys(spoil):
    ring = NumberLayout(16, 5, 1).ring
    values = np.zeros(ring.degree, dtype=np.int64)
    NumberKey.opened(ring, values + 5 * 65, 5)
    with pytest.raises(RoundError, match="keys"):
        NumberKey.opened(ring, values[1:] if spoil == "too few" else values - (5 * 65 + 1), 5)


@pytest.mark.parametrize("primes", [1, 2, 3])
@pytest.mark.parametrize("sign", [1, -1])
def test_an_error_opens_up_to_three_quarters_of_its_room_and_releases_nothing_beyond(primes, sign):
    layout = NumberLayout(16, 2, primes)
    ring = layout.ring
    limit = 3 << (layout.error_bits - 3)
    assert limit == 0.75 * (1 << (layout.error_bits - 1))
    values = np.array([3, -4], dtype=np.int64)
    elements = ring.from_words(layout.pack(values) + layout.pack(values))
    key = NumberKey(ring, np.zeros(ring.degree, dtype=np.int64))
    shared = shared_elements(ring, DIGEST, 0, 1)

    def opened(error):
        errors = np.zeros((1, ring.degree), dtype=np.int64)
        errors[0, 1] = error
        total = ring.add(elements, ring.small(errors))[:, :, :64]
        return additive.open_numbers(total, layout, key, shared, length=2, contributors=2)

    found, canaries, share = opened(sign * limit)
    assert (found.tolist(), canaries.tolist(), share) == ([6, -8], [2], 0.75)
    with pytest.raises(RoundError, match="nothing was released"):
        opened(sign * (limit + 1))


def test_fewer_or_more_items_than_the_round_has_are_refused():
    for change in (lambda t: t[:-1], lambda t: [*t, t[-1]], lambda t: t[1:]):
        a_round = KeyedRound(("A", "B"), length=100, primes=1)
        total = a_round.add([a_round.sent(n, v) for n, v in a_round.values().items()])
        with pytest.raises((RoundError, UsageError)):
            a_round.open(change(total))
        assert a_round.keys.erased


def test_a_block_that_reaches_into_the_next_section_is_a_wrong_use():
    facts = replace(make_facts(length=9000), layout=NumberLayout(16, 5, 1))
    blocks = [np.zeros((facts.chunks + 1, 2, 4096), dtype=np.uint64)]
    with pytest.raises(UsageError, match="more items"):
        list(sections.placed(blocks, facts.sections))


class Draws:
    """The operating system's generator, whose first answers a test keeps: they make the key."""

    def __init__(self):
        self.first = []

    def __call__(self, size):
        data = secrets.token_bytes(size)
        if len(self.first) < 2:
            self.first.append(data)
        return data

    def replay(self, size):
        data = self.first.pop(0)
        assert len(data) == size
        return data


def errors_of(a_round, values):
    """The errors of one contribution, int64[coefficients] for each element, whole ones first."""
    draws = Draws()
    body = a_round.body("A", values, draw=draws)
    ring, layout = a_round.layout.ring, a_round.layout
    key = NumberKey.draw(ring, draws.replay)
    whole, cut = body[1], body[2]
    shared = a_round.shared()
    noisy = from_transformed(ring, ring.subtract(whole, key.times(shared[: len(whole)])))
    last = from_transformed(ring, key.times(shared[len(whole) :]))[:, :, : cut.shape[-1]]
    found = []
    half = np.uint64(1 << (layout.error_bits - 1))
    for element in (*noisy, *ring.subtract(cut, last)):
        shifted = ring.add(element[None], np.full((len(ring.primes), 1), half))
        lowest = ring.to_words(shifted)[0, 0] & np.uint64(2 * half - 1)
        found.append(lowest.astype(np.int64) - int(half))
    return found


def faults_of(errors):
    """What is wrong with errors that must be independent discrete Gaussians: a list of words."""
    found = []
    for i, one in enumerate(errors):
        # Within six standard deviations of what so many samples give.
        deviation = float(SIGMA) / (2 * one.size) ** 0.5
        if abs(one.std() - float(SIGMA)) > 6 * deviation:
            found.append(f"element {i} has a standard deviation of {one.std():.2f}")
        for j in range(i):
            size = min(one.size, errors[j].size)
            alike = float(np.mean(one[:size] * errors[j][:size])) / float(SIGMA) ** 2
            if abs(alike) > 6 / size**0.5:
                found.append(f"elements {j} and {i} have the same errors")
    return found


ELEMENTS = 5


@pytest.fixture
def many_elements(monkeypatch):
    """A round of five elements, the last one cut, two to a block."""
    layout = NumberLayout(16, 2, 1)
    length = (ELEMENTS - 1) * layout.values_per_element + 2000
    a_round = KeyedRound(("A", "B"), length=length, primes=1)
    monkeypatch.setattr(sections, "_BLOCK_BYTES", 2 * a_round.facts.sections[1].item_bytes)
    return a_round


def test_every_element_of_every_block_has_errors_of_its_own(many_elements):
    """What the argument rests on: without an error an element gives its numbers to whoever can
    solve linear equations for the key.
    """
    values = np.arange(many_elements.length) % 1000
    errors = errors_of(many_elements, values)
    assert [e.size for e in errors] == [4096] * (ELEMENTS - 1) + [errors[-1].size]
    assert faults_of(errors) == []


def spoiled(samples, how):
    """The sampler with a fault in it."""
    calls = []

    def draw(count, source=secrets.token_bytes):
        found = samples(count, source)
        calls.append(count)
        elements = found.reshape(-1, 4096)
        if how == "none after the first of a block":
            elements[1:] = 0
        elif how == "one for all of a block":
            elements[:] = elements[0]
        elif how == "none after the first block" and len(calls) > 2:
            elements[:] = 0
        elif how == "half as wide":
            elements //= 2
        return found

    return draw


@pytest.mark.parametrize(
    "how",
    [
        "none after the first of a block",
        "one for all of a block",
        "none after the first block",
        "half as wide",
    ],
)
def test_the_control_errors_that_are_missing_or_repeated_are_seen(many_elements, monkeypatch, how):
    usual = additive.gaussian_samples
    monkeypatch.setattr(additive, "gaussian_samples", spoiled(usual, how))
    # The key itself stays as it is.
    monkeypatch.setattr(
        NumberKey,
        "draw",
        classmethod(lambda cls, ring, draw: cls(ring, usual(ring.degree, draw))),
    )
    assert faults_of(errors_of(many_elements, np.zeros(many_elements.length, dtype=np.int64)))
