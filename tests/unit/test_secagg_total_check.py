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
from securefl.secagg.number_ring import ring_of
from securefl.secagg.opening import open_sum
from securefl.secagg.publickey import PublicKey
from securefl.secagg.ring import DEGREE, MODULUS
from securefl.secagg.seal import CkksIntegers
from securefl.secagg.seal_ring import from_transformed, to_transformed
from securefl.secagg.total_check import (
    LARGEST_KEY_ERROR,
    SECRET_BYTES,
    RoundSecret,
    ShownKeys,
    check_secret,
    total_sha256,
)


@pytest.fixture(scope="module")
def pair():
    keys = CkksIntegers().generate()
    return keys.public, keys.secret()


def secret_of(values):
    return RoundSecret(np.array(values, dtype=np.int8))


@given(st.integers(0, 2**32 - 1))
def test_a_key_is_read_as_it_was_written(seed):
    values = np.random.default_rng(seed).integers(-1, 2, DEGREE).astype(np.int8)
    data = RoundSecret(values).pack()
    assert len(data) == SECRET_BYTES
    assert np.array_equal(RoundSecret.unpack(data).values, values)


def test_a_key_of_another_form_is_refused():
    for data, match in (
        (bytes(SECRET_BYTES - 1), "1023 bytes instead of 1024"),
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
    for place in range(0, DEGREE, 173):
        rolled = np.concatenate([s[: place + 1][::-1], -s[place + 1 :][::-1]])
        error = (int(b[place]) + int((a.astype(object) * rolled).sum())) % MODULUS
        largest = max(largest, min(error, MODULUS - error))
    assert 4 <= largest <= LARGEST_KEY_ERROR == 42 // 2


def coefficients(public):
    return from_transformed(ring_of(1), np.ascontiguousarray(public.residues[:, :1]))[:, 0]


@pytest.mark.parametrize("place", [0, 77, DEGREE - 1])
def test_one_other_coefficient_is_another_key(pair, place):
    public, secret = pair
    values = secret.values.copy()
    values[place] = 1 if values[place] < 1 else -1
    with pytest.raises(MessageError, match="not the one of the announced public key"):
        check_secret(public, RoundSecret(values))


def with_error(public, secret, wanted):
    """The public key with another error at its first coefficient."""
    ring, residues = ring_of(1), public.residues.copy()
    key = to_transformed(ring, ring.small(secret.values.astype(np.int64))[None])
    b, a = residues[0, :1], residues[1, :1]
    errors = from_transformed(ring, ring.add(b[None], ring.multiply(a[None], key[0])))
    apart = np.zeros(DEGREE, dtype=np.int64)
    apart[0] = wanted - (int(errors[0, 0, 0]) + MODULUS // 2) % MODULUS + MODULUS // 2
    residues[0, :1] = ring.add(b[None], to_transformed(ring, ring.small(apart)[None]))[0]
    return PublicKey(residues)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_error_is_an_error_and_one_more_is_none(pair, sign):
    public, secret = pair
    check_secret(with_error(public, secret, sign * LARGEST_KEY_ERROR), secret)
    with pytest.raises(MessageError, match="not the one of the announced public key"):
        check_secret(with_error(public, secret, sign * (LARGEST_KEY_ERROR + 1)), secret)


def test_a_key_of_zeros_is_no_key(pair):
    with pytest.raises(MessageError):
        check_secret(pair[0], secret_of(np.zeros(DEGREE)))


def opened_by(a_round, keys, blocks):
    values = np.empty(a_round.facts.length, dtype=np.int64)
    open_sum(keys, blocks, a_round.facts, values)
    return values


@pytest.mark.parametrize(
    "make",
    [
        lambda: Round(length=20_000, bits=12),
        lambda: KeyedRound(length=9000, primes=1),
        lambda: KeyedRound(length=50_000, primes=2),
        lambda: KeyedRound(length=70_000, primes=3),
    ],
    ids=["ciphertexts", "one prime", "two primes", "three primes"],
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
