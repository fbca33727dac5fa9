from dataclasses import replace

import numpy as np
import pytest
from secagg_keyed import KeyedRound
from secagg_round import NAMES, Round, digest_of
from secagg_whole import add_contributions, open_sum

from securefl.errors import RoundError, UsageError
from securefl.secagg import additive, contribution, opening
from securefl.secagg.masks import Seeds
from securefl.secagg.number_layout import NumberLayout
from securefl.secagg.ring import add, sum_mod_q
from securefl.secagg.seal import CkksIntegers


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


# Numbers under keys that add up: a whole element and a cut one, two hospitals, no errors and no
# masks but where a test puts them.


@pytest.fixture
def keyed(monkeypatch):
    monkeypatch.setattr(additive, "gaussian_samples", lambda count, draw: np.zeros(count, np.int64))
    monkeypatch.setattr(
        additive.NumberKey, "draw", classmethod(lambda cls, ring, draw: fixed_key(ring))
    )
    return KeyedRound(("A", "B"), length=NumberLayout(16, 2, 1).values_per_element + 5, primes=1)


def fixed_key(ring):
    return additive.NumberKey(ring, np.arange(ring.degree, dtype=np.int64) % 7 - 3)


def keyed_total(a_round, round_digest=None):
    """The sum of what all send; ``(sections' arrays, true sums)``."""
    values = {name: vector // 8 for name, vector in a_round.values().items()}
    bodies = [
        list(
            contribution.encrypted_body(
                values[name],
                a_round.facts,
                round_digest or a_round.facts.digest(),
                public=a_round.keys.public,
                mask=Seeds((), ()),
                cipher=CkksIntegers(),
            )
        )
        for name in a_round.names
    ]
    return a_round.add(bodies), sum(values.values())


def shifted(a_round, total, section, shift):
    """A sum whose coefficient 0 is larger by ``shift`` in one of its elements."""
    part = total[section].copy()
    prime = a_round.layout.ring.primes[0]
    # In transformed order a constant is added to every value.
    last = None if part.shape[-1] == a_round.layout.ring.degree else 1
    row = part[0, 0, :last]
    part[0, 0, :last] = [(value + shift) % prime for value in row.tolist()]
    return [part if i == section else other for i, other in enumerate(total)]


def opened_keyed(a_round, total, **more):
    into = np.empty(a_round.length, dtype=np.int64)
    result = opening.open_sum(a_round.keys, total, a_round.facts, into, **more)
    return result, into


@pytest.mark.parametrize("section", [1, 2], ids=["whole element", "cut element"])
@pytest.mark.parametrize(("error", "told"), [(38, 0.3), (39, 0.35), (-39, 0.35)])
def test_the_largest_error_of_any_element_is_told_in_twentieths(keyed, section, error, told):
    """Of 128, which would change an integer."""
    assert keyed.layout.error_bits == 8
    total, truth = keyed_total(keyed)
    result, into = opened_keyed(keyed, shifted(keyed, total, section, error))
    assert np.array_equal(into, truth)
    assert result.noise_share == told


def test_where_numbers_have_no_errors_the_noise_told_is_the_ciphertexts(keyed):
    total, truth = keyed_total(keyed)
    result, into = opened_keyed(keyed, total)
    assert np.array_equal(into, truth)
    assert result.contributors == 2
    assert 0 < result.noise_share < 0.3


@pytest.mark.parametrize("section", [1, 2], ids=["whole element", "cut element"])
@pytest.mark.parametrize("missing", [1, -1])
def test_a_canary_of_numbers_that_is_not_the_number_of_contributors_is_named(
    keyed, section, missing
):
    total, _ = keyed_total(keyed)
    crafted = shifted(keyed, total, section, missing << keyed.layout.error_bits)
    with pytest.raises(RoundError, match="exactly one contribution of each of the 2"):
        opened_keyed(keyed, crafted)
    assert keyed.keys.erased


def test_elements_follow_the_round_digest_that_is_told(keyed):
    digest = digest_of("terms of a round that survives losses")
    total, truth = keyed_total(keyed, digest)
    _, into = opened_keyed(keyed, total, round_digest=digest)
    assert np.array_equal(into, truth)


def test_under_another_round_digest_nothing_opens(keyed):
    total, _ = keyed_total(keyed, digest_of("terms of a round that survives losses"))
    with pytest.raises(RoundError, match="nothing was released"):
        opened_keyed(keyed, total)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda t: t[:-1], "fewer ciphertexts"),
        (lambda t: t[:1], "fewer ciphertexts"),
        (lambda t: [*t, t[-1]], "more ciphertexts"),
        (lambda t: [*t, t[0]], "more ciphertexts"),
    ],
)
def test_numbers_that_are_missing_or_too_many_are_refused_and_the_key_erased(keyed, change, error):
    total, _ = keyed_total(keyed)
    with pytest.raises(RoundError, match=error):
        opened_keyed(keyed, change(total))
    assert keyed.keys.erased


@pytest.mark.parametrize(
    "change",
    [
        lambda t: [t[0], t[1][:, :, :64], t[2]],
        lambda t: [t[0], t[1].astype(np.int64), t[2]],
        lambda t: [t[0], np.full_like(t[1], (1 << 58) - 1), t[2]],
        lambda t: [t[0], np.repeat(t[1], 2, axis=0), t[2]],
        lambda t: [t[0], t[1][:0], t[2]],
    ],
    ids=["cut", "signed", "no residues", "two of one", "empty block"],
)
def test_blocks_that_are_no_elements_of_the_round_are_refused(keyed, change):
    total, _ = keyed_total(keyed)
    with pytest.raises(UsageError, match="residues below their primes"):
        opened_keyed(keyed, change(total))
    assert keyed.keys.erased
