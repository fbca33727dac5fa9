import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from securefl import curve25519
from securefl.curve25519 import L, P, is_agreement_key, is_signing_key

#: RFC 8032 section 7.1: secret key and public key of tests 1, 2, 3, 1024 and SHA(abc).
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    ),
    (
        "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
        "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
    ),
]
#: RFC 7748 section 6.1: the public keys of Alice and Bob.
ALICE = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
BOB = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"


def hex_of(number):
    return number.to_bytes(32, "little").hex()


def point_hex(point):
    x, y, z, _ = point
    inverse = pow(z, -1, P)
    return hex_of((y * inverse % P) | ((x * inverse % P & 1) << 255))


def torsion():
    """The eight points of small order, as multiples of one of order 8."""
    for y in range(2, 200):
        found = curve25519._decoded(y.to_bytes(32, "little"))
        if found is None:
            continue
        point = curve25519._multiplied(L, found)
        if not curve25519._is_neutral(curve25519._multiplied(4, point)):
            return [curve25519._multiplied(k, point) for k in range(8)]
    raise AssertionError


TORSION = torsion()


@pytest.mark.parametrize(("secret", "public"), RFC_8032)
def test_the_keys_of_rfc_8032_are_sound(secret, public):
    made = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret)).public_key()
    assert made.public_bytes_raw().hex() == public
    assert is_signing_key(public)


def test_a_decoded_point_is_encoded_as_it_was():
    for _, public in RFC_8032:
        assert point_hex(curve25519._decoded(bytes.fromhex(public))) == public


def test_the_keys_of_rfc_7748_are_sound():
    assert is_agreement_key(ALICE)
    assert is_agreement_key(BOB)


def test_what_the_library_makes_is_sound():
    for _ in range(20):
        assert is_signing_key(Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex())
        assert is_agreement_key(X25519PrivateKey.generate().public_key().public_bytes_raw().hex())


def test_there_are_eight_points_of_small_order_and_none_is_a_signing_key():
    spelled = {point_hex(p) for p in TORSION}
    assert len(spelled) == 8
    assert hex_of(1) in spelled  # the neutral point
    assert hex_of(P - 1) in spelled  # of order two
    assert not any(is_signing_key(s) for s in spelled)


def test_a_sound_key_plus_a_point_of_small_order_is_no_signing_key():
    sound = curve25519._decoded(bytes.fromhex(RFC_8032[0][1]))
    mixed = [point_hex(curve25519._added(sound, t)) for t in TORSION]
    assert len(set(mixed)) == 8
    assert [m for m in mixed if is_signing_key(m)] == [RFC_8032[0][1]]


@pytest.mark.parametrize(
    "text",
    [
        hex_of(P),
        hex_of(P + 1),
        hex_of(2**255 - 1),  # y of p or more
        hex_of(1 | 1 << 255),
        hex_of((P - 1) | 1 << 255),  # minus zero
        hex_of(2),  # not on the curve
        "",
        "ab",
        RFC_8032[0][1].upper(),
        "g" * 64,
        RFC_8032[0][1] + "00",
    ],
)
def test_other_spellings_and_points_off_the_curve_are_no_signing_keys(text):
    assert not is_signing_key(text)


def test_y_of_two_is_not_on_the_curve():
    assert curve25519._decoded((2).to_bytes(32, "little")) is None


@pytest.mark.parametrize("u", sorted(curve25519._LOW_ORDER_U))
def test_an_agreement_key_of_small_order_is_refused_here_and_by_the_library(u):
    assert not is_agreement_key(hex_of(u))
    with pytest.raises(ValueError, match="shared key"):
        X25519PrivateKey.generate().exchange(
            X25519PublicKey.from_public_bytes(u.to_bytes(32, "little"))
        )


def test_the_list_of_small_orders_is_whole():
    """Each Montgomery u of an Edwards point of small order is (1 + y)/(1 - y), RFC 7748 section
    4.1; the twist adds p - 1.
    """
    found = {
        (1 + y) * pow(1 - y, -1, P) % P
        for x, y, z, _ in TORSION
        for y in [y * pow(z, -1, P) % P]
        if y != 1
    }
    assert found | {P - 1} == curve25519._LOW_ORDER_U


@pytest.mark.parametrize(
    "text",
    [
        hex_of(P),
        hex_of(P + 1),
        hex_of(P + 9),
        hex_of(9 | 1 << 255),
        "",
        "09",
        ALICE.upper(),
        "g" * 64,
    ],
)
def test_an_agreement_key_has_one_spelling(text):
    assert not is_agreement_key(text)
