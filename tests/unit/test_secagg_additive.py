"""One hospital's numbers under its key, and their sum: exact, of the right cohort, and gone
afterwards.
"""

from dataclasses import replace

import numpy as np
import pytest
from secagg_keyed import KeyedRound
from secagg_round import digest_of, make_facts

from securefl.errors import RoundError, UsageError
from securefl.secagg import additive, contribution, sections
from securefl.secagg.additive import NumberKey, shared_elements
from securefl.secagg.number_layout import NumberLayout
from securefl.secagg.ring import CHUNK_BYTES

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
    monkeypatch.setattr(sections, "_BLOCK_BYTES", 2 * CHUNK_BYTES)
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
