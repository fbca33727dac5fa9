"""A round's key as it is shown, and the opening of the round's sum with it."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from secagg_keyed import KeyedRound
from secagg_round import Round
from secagg_whole import add_contributions

from securefl.errors import MessageError, RoundError
from securefl.secagg.cipher_ring import CIPHER_RINGS
from securefl.secagg.opening import open_sum
from securefl.secagg.publickey import PublicKey
from securefl.secagg.seal import CkksIntegers
from securefl.secagg.seal_ring import from_transformed, to_transformed
from securefl.secagg.total_check import (
    KEY_ERROR_VARIANCE,
    LARGEST_KEY_ERROR,
    MOST_KEY_ERROR,
    SECRET_BYTES,
    RoundSecret,
    ShownKeys,
    check_secret,
    total_sha256,
)


@pytest.fixture(scope="module", params=CIPHER_RINGS, ids=lambda ring: ring.degree)
def pair(request):
    keys = CkksIntegers().generate(request.param)
    return keys.public, keys.secret()


def secret_of(values):
    return RoundSecret(np.array(values, dtype=np.int8))


@given(st.integers(0, 2**32 - 1), st.sampled_from(CIPHER_RINGS))
def test_a_key_is_read_as_it_was_written(seed, ring):
    values = np.random.default_rng(seed).integers(-1, 2, ring.degree).astype(np.int8)
    data = RoundSecret(values).pack()
    assert len(data) == ring.degree // 4 <= SECRET_BYTES
    assert np.array_equal(RoundSecret.unpack(data).values, values)


def test_a_key_of_another_form_is_refused():
    for data, match in (
        (bytes(SECRET_BYTES - 1), "1023 bytes instead of one of 256, 512, 1024"),
        (bytes(SECRET_BYTES + 1), "1025 bytes"),
        (bytes(SECRET_BYTES - 1) + b"\xc0", "not ternary"),
    ):
        with pytest.raises(MessageError, match=match):
            RoundSecret.unpack(data)


def test_the_secret_is_ternary_and_fits_its_public_key(pair):
    public, secret = pair
    assert set(np.unique(secret.values)) == {-1, 0, 1}
    check_secret(public, secret)


def test_the_errors_of_a_public_key_reach_close_to_the_bound_and_never_beyond(pair):
    """SEAL's errors are sums of 42 coins: the bound is no looser than it must be."""
    public, secret = pair
    s = secret.values.astype(object)
    b, a = coefficients(public)
    largest = 0
    degree, modulus = public.ring.degree, public.ring.modulus
    for place in range(0, degree, 43):
        rolled = np.concatenate([s[: place + 1][::-1], -s[place + 1 :][::-1]])
        error = (int(b[place]) + int((a.astype(object) * rolled).sum())) % modulus
        largest = max(largest, min(error, modulus - error))
    assert 4 <= largest <= LARGEST_KEY_ERROR == 42 // 2


def coefficients(public):
    first = np.ascontiguousarray(public.residues[:, :1])
    return from_transformed(public.ring.elements, first)[:, 0]


@pytest.mark.parametrize("place", [0, 77, -1])
def test_one_other_coefficient_is_another_key(pair, place):
    public, secret = pair
    values = secret.values.copy()
    values[place] = 1 if values[place] < 1 else -1
    with pytest.raises(MessageError, match="not the one of the announced public key"):
        check_secret(public, RoundSecret(values))


def with_error(public, secret, wanted, at=slice(0, 1)):
    """The public key with other errors, at its first coefficient unless said."""
    ring, residues = public.ring.elements, public.residues.copy()
    modulus = public.ring.modulus
    key = to_transformed(ring, ring.small(secret.values.astype(np.int64))[None])
    b, a = residues[0, :1], residues[1, :1]
    errors = from_transformed(ring, ring.add(b[None], ring.multiply(a[None], key[0])))
    apart = np.zeros(public.ring.degree, dtype=np.int64)
    signed = (errors[0, 0].astype(np.int64) + modulus // 2) % modulus - modulus // 2
    apart[at] = wanted - signed[at]
    residues[0, :1] = ring.add(b[None], to_transformed(ring, ring.small(apart)[None]))[0]
    return PublicKey(residues, public.ring)


def test_errors_that_are_long_in_all_are_no_errors_of_a_key(pair):
    """A coordinator that makes every error the largest one would have sums that two keys open."""
    public, secret = pair
    # The control: each of them by itself is an error that a key may have.
    check_secret(with_error(public, secret, LARGEST_KEY_ERROR, slice(0, 8)), secret)
    with pytest.raises(MessageError, match="none that a key is made with"):
        check_secret(with_error(public, secret, LARGEST_KEY_ERROR, slice(None)), secret)


def test_it_is_the_squares_of_the_errors_that_count(pair):
    public, secret = pair
    check_secret(with_error(public, secret, 4, slice(None)), secret)  # 16 of 18.4 that may be
    with pytest.raises(MessageError, match="none that a key is made with"):
        check_secret(with_error(public, secret, 6, slice(None)), secret)


def test_honest_keys_are_far_from_the_bound_on_their_errors(pair):
    public, secret = pair
    ring = public.ring.elements
    key = to_transformed(ring, ring.small(secret.values.astype(np.int64))[None])
    b, a = public.residues[0, :1], public.residues[1, :1]
    errors = from_transformed(ring, ring.add(b[None], ring.multiply(a[None], key[0])))[0, 0]
    small = np.minimum(errors, np.uint64(public.ring.modulus) - errors).astype(np.int64)
    share = float((small**2).sum()) / (KEY_ERROR_VARIANCE * len(small))
    deviation = (2 / len(small)) ** 0.5
    assert abs(share - 1) < 6 * deviation
    assert 1 + 14 * deviation < MOST_KEY_ERROR


@pytest.mark.parametrize("ring", CIPHER_RINGS, ids=lambda ring: ring.degree)
def test_under_any_key_that_passes_an_integer_stays_eleven_deviations_away(ring):
    """u e' + e0 + e1 s' for the longest e' and the densest s' that pass."""
    ternary = 2 / 3 * ring.degree
    variance = KEY_ERROR_VARIANCE * (MOST_KEY_ERROR * ternary + 1 + ring.degree)
    # A special prime divides that noise, and rounds by up to half in each coefficient of s'.
    noise = variance / ring.special**2 + (ring.special > 1) * (1 + ring.degree) / 12
    away = 1.25 * 12 * ring.noise_sd / noise**0.5
    assert away > 11.7


def test_a_key_of_another_ring_is_refused(pair):
    public, _ = pair
    for ring in CIPHER_RINGS:
        if ring == public.ring:
            continue
        other = CkksIntegers().generate(ring).secret()
        with pytest.raises(MessageError, match="another ring"):
            check_secret(public, other)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_error_is_an_error_and_one_more_is_none(pair, sign):
    public, secret = pair
    check_secret(with_error(public, secret, sign * LARGEST_KEY_ERROR), secret)
    with pytest.raises(MessageError, match="not the one of the announced public key"):
        check_secret(with_error(public, secret, sign * (LARGEST_KEY_ERROR + 1)), secret)


def test_a_key_of_zeros_is_no_key(pair):
    with pytest.raises(MessageError):
        check_secret(pair[0], secret_of(np.zeros(pair[0].ring.degree)))


def opened_by(a_round, keys, blocks):
    values = np.empty(a_round.facts.length, dtype=np.int64)
    open_sum(keys, blocks, a_round.facts, values)
    return values


@pytest.mark.parametrize(
    "make",
    [
        lambda: Round(length=20_000, bits=12),
        lambda: Round(length=5_000, degree=2048),
        lambda: Round(length=2_500, degree=1024),
        lambda: KeyedRound(length=9000, primes=1),
        lambda: KeyedRound(length=50_000, primes=2),
        lambda: KeyedRound(length=70_000, primes=3),
    ],
    ids=["ciphertexts", "degree 2048", "degree 1024", "one prime", "two primes", "three primes"],
)
def test_a_shown_key_opens_the_same_integers(make):
    a_round = make()
    secret = a_round.keys.secret()
    rng = np.random.default_rng(1)
    values = {me: rng.integers(-10, 11, a_round.facts.length) for me in a_round.facts.cohort}
    blocks = summed(a_round, values)
    shown = ShownKeys(a_round.keys.public, RoundSecret.unpack(secret.pack()))
    found = opened_by(a_round, shown, blocks)
    assert np.array_equal(found, sum(values.values()))
    assert np.array_equal(found, opened_by(a_round, a_round.keys, blocks))
    assert shown.erased


def summed(a_round, values):
    if isinstance(a_round, KeyedRound):
        return a_round.add([a_round.sent(me, values[me]) for me in values])
    return [add_contributions(a_round.contributions(values), a_round.facts).ciphertext]


def test_a_sum_that_misses_a_contribution_does_not_open():
    a_round = KeyedRound(length=9000)
    secret = a_round.keys.secret()
    bodies = [a_round.sent(me, np.zeros(9000, np.int64)) for me in a_round.facts.cohort]
    shown = ShownKeys(a_round.keys.public, secret)
    with pytest.raises(RoundError, match="nothing was released"):
        opened_by(a_round, shown, a_round.add(bodies[1:]))


def test_a_key_is_copied_before_the_opening_and_never_after():
    keys = CkksIntegers().generate()
    secret = keys.secret()
    keys.erase()
    with pytest.raises(RoundError, match="used or erased"):
        keys.secret()
    secret.erase()
    assert not secret.values.any()
    assert "values" not in repr(secret)


def test_a_shown_key_is_not_shown_again_and_opens_once(pair):
    shown = ShownKeys(*pair)
    assert not shown.erased
    with pytest.raises(RoundError, match="not shown again"):
        shown.secret()
    shown.erase()
    assert shown.erased
    with pytest.raises(RoundError, match="used before"):
        next(shown.open_blocks([], None))


def test_a_total_is_hashed_as_little_endian_int64():
    data = (-2).to_bytes(8, "little", signed=True) + (3).to_bytes(8, "little")
    assert total_sha256(np.array([-2, 3])) == hashlib.sha256(data).hexdigest()
