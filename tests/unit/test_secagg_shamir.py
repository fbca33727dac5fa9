import secrets

import numpy as np
import pytest

from securefl.errors import UsageError
from securefl.secagg import shamir

SEEDS = [bytes(32), b"\xff" * 32, bytes(range(32)), secrets.token_bytes(32)]


def test_any_threshold_shares_restore_every_secret():
    shares = shamir.split(SEEDS, 7, 4, secrets.token_bytes)
    rng = np.random.default_rng(1)
    for _ in range(20):
        holders = rng.permutation(7)[:4].tolist()
        assert shamir.restore(shares[holders], holders) == SEEDS


def test_shares_travel_as_36_bytes_each():
    shares = shamir.split(SEEDS, 3, 2, secrets.token_bytes)
    data = shamir.share_bytes(shares[1])
    assert len(data) == 36 * len(SEEDS)
    assert np.array_equal(shamir.read_shares(data, len(SEEDS)), shares[1])


def test_a_number_at_or_above_the_prime_is_no_share():
    assert shamir.read_shares(b"\xf1\xff" * 18, 1) is None
    assert shamir.read_shares(b"\xf0\xff" * 18, 1) is not None
    assert shamir.read_shares(b"", 0).shape == (0, 18)


def test_fewer_shares_fit_every_secret():
    """With one share less, each secret is as likely: for any other secret there are polynomials
    through the same shares.
    """
    one = shamir.split([SEEDS[0]], 3, 3, secrets.token_bytes)[:2]
    other = shamir._to_limbs(SEEDS[2]).astype(object)
    # the polynomial of degree 2 through (0, other), (1, s1), (2, s2), taken at 3
    s1, s2 = one[0, 0].astype(object), one[1, 0].astype(object)
    third = (other - 3 * s1 + 3 * s2) % shamir.PRIME
    shares = np.stack([s1, s2, third]).astype(np.uint16)[:, None]
    assert shamir.restore(shares, [0, 1, 2]) == [SEEDS[2]]


def test_shares_below_the_threshold_look_alike_whatever_the_secret():
    """Means over 2000 sharings of two opposite secrets: a single share of threshold 2 is uniform."""
    for secret in (bytes(32), b"\xff" * 32):
        shares = np.concatenate(
            [shamir.split([secret], 2, 2, secrets.token_bytes)[:1, 0] for _ in range(2000)]
        )
        assert abs(shares.mean() / (shamir.PRIME - 1) - 0.5) < 0.01


def test_a_wrong_share_gives_another_secret_or_none():
    shares = shamir.split(SEEDS, 4, 3, secrets.token_bytes)[:3].copy()
    shares[0, :, 5] = (shares[0, :, 5].astype(int) + 1) % shamir.PRIME
    restored = shamir.restore(shares, [0, 1, 2])
    assert all(got != seed for got, seed in zip(restored, SEEDS, strict=True))


def test_numbers_that_make_no_32_bytes_are_seen():
    shares = np.zeros((1, 2, 18), dtype=np.uint16)
    shares[0, 0, 3], shares[0, 1, 17] = 1 << 15, 1 << 2
    assert shamir.restore(shares, [0]) == [None, None]


def test_numbers_are_uniform_below_the_prime_and_never_short():
    """The generator gives many words at or above the prime; they are drawn again."""
    drawn = iter([b"\xff\xff" * 1000] * 3)

    def draw(size):
        return next(drawn, secrets.token_bytes(size))

    numbers = shamir._below_prime(100, draw)
    assert numbers.shape == (100,)
    assert int(numbers.max()) < shamir.PRIME


@pytest.mark.parametrize(
    ("secret", "holders", "threshold"),
    [(bytes(31), 3, 2), (bytes(32), 3, 4), (bytes(32), 3, 0), (bytes(32), 65521, 2)],
)
def test_what_cannot_be_shared_is_refused(secret, holders, threshold):
    with pytest.raises(UsageError):
        shamir.split([secret], holders, threshold, secrets.token_bytes)


def test_a_holder_counts_once():
    shares = shamir.split(SEEDS, 3, 2, secrets.token_bytes)
    with pytest.raises(UsageError):
        shamir.restore(shares[[0, 0]], [0, 0])
    with pytest.raises(UsageError):
        shamir.restore(shares, [0, 1])


def test_a_share_is_the_value_of_a_polynomial_of_full_degree():
    """Were two powers alike, shares would still restore the secret, and fewer than the threshold
    would too.
    """
    powers = shamir._powers(9, 6).tolist()
    assert powers == [[pow(x, m, shamir.PRIME) for m in range(6)] for x in range(1, 10)]


def test_one_share_less_than_the_threshold_restores_nothing():
    for threshold in range(2, 8):
        shares = shamir.split(SEEDS, 7, threshold, secrets.token_bytes)
        some = shamir.restore(shares[: threshold - 1], range(threshold - 1))
        assert all(got != seed for got, seed in zip(some, SEEDS, strict=True))


def test_threshold_one_hands_everybody_the_secret():
    shares = shamir.split(SEEDS, 3, 1, secrets.token_bytes)
    assert all(shamir.restore(shares[[h]], [h]) == SEEDS for h in range(3))


def test_one_secret_of_another_size_among_good_ones_is_refused():
    with pytest.raises(UsageError):
        shamir.split([bytes(32), bytes(31)], 3, 2, secrets.token_bytes)


def test_shares_of_another_shape_are_refused():
    with pytest.raises(UsageError):
        shamir.restore(np.zeros((2, 1, 17), dtype=np.uint16), [0, 1])


def test_the_prime_itself_is_drawn_again():
    drawn = iter([shamir.PRIME.to_bytes(2, "little") * 1000])
    assert shamir._below_prime(10, lambda size: next(drawn, bytes(size))).tolist() == [0] * 10
