"""A card whose key is a point of small order: one fixed signature verifies under every message.

Whoever can write to the store then speaks for the card's owner, and the owner can deny everything
that it signed. The control is the bare library: it takes the key and the signature.
"""

import pytest
from conftest import fixed_identity, make_study
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from securefl.errors import MessageError, StudyError, UntrustedError
from securefl.federation.messages import Status
from securefl.identity import IdentityCard, read_card, verify
from securefl.secagg.masks import pair_secret
from securefl.signed import dump_signed
from securefl.study.approval import Approval, open_approval
from securefl.study.parse import parse_study

NEUTRAL = "01" + "00" * 31
#: R is the neutral point and S is zero: S·B = R + k·A holds for every k.
FORGED = bytes.fromhex(NEUTRAL) + bytes(32)
STUDY = "ab" * 32
SOUND = fixed_identity("Mallory", "hospital")


def forge(_message):
    return FORGED


def bare(signature, message, key=NEUTRAL):
    """The library's own check."""
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, message)
    return True


def card_with(**keys):
    body = {"type": "securefl-card/1", **SOUND.card.fields(), **keys}
    return dump_signed(body, forge if "signing_public" in keys else SOUND.sign)


def test_control_the_library_takes_one_signature_for_every_message():
    assert bare(FORGED, b"yes")
    assert bare(FORGED, b"no")
    status = Status.open(
        Status(STUDY, "Mallory", 0, "withdrawn").dump(forge),
        study=STUDY,
        site="Mallory",
        verify=bare,
    )
    assert status.code == "withdrawn"


@pytest.mark.parametrize(
    "key",
    [NEUTRAL, "00" * 32, "ec" + "ff" * 30 + "7f", "ee" + "ff" * 30 + "7f", "01" + "00" * 30 + "80"],
)
def test_a_card_with_an_unsound_signing_key_is_refused(key):
    with pytest.raises(MessageError, match="its signing key is no sound public key") as caught:
        read_card(card_with(signing_public=key))
    assert "telephone Mallory" in caught.value.next_step


@pytest.mark.parametrize(
    "key",
    ["00" * 32, NEUTRAL, "ec" + "ff" * 30 + "7f", "ed" + "ff" * 30 + "7f", "09" + "00" * 30 + "80"],
)
def test_a_card_with_an_unsound_sealing_key_is_refused(key):
    with pytest.raises(MessageError, match="its sealing key is no sound public key"):
        read_card(card_with(sealing_public=key))
    with pytest.raises(UntrustedError, match="not a usable key"):
        IdentityCard(**{**SOUND.card.fields(), "sealing_public": key}).seal(b"secret", b"info")


def test_nothing_verifies_under_an_unsound_key_however_it_came_here():
    assert not verify(NEUTRAL, FORGED, b"yes")
    card = IdentityCard(**{**SOUND.card.fields(), "signing_public": NEUTRAL})
    forged = Approval(
        STUDY, "Mallory", NEUTRAL, SOUND.card.sealing_public, "2026-01-02T03:04:05Z"
    ).dump(forge)
    with pytest.raises(MessageError, match="Mallory"):
        open_approval(forged, site="Mallory", study=STUDY, verify=card.verify)
    with pytest.raises(MessageError, match="Mallory"):
        Status.open(
            Status(STUDY, "Mallory", 0, "withdrawn").dump(forge),
            study=STUDY,
            site="Mallory",
            verify=card.verify,
        )


def test_an_earlier_key_of_small_order_does_not_come_with_a_card():
    """Otherwise ``verify_ever`` would take anything for what was signed before the change."""
    earlier = [
        {"signing_public": NEUTRAL, "until": "2026-01-02T03:04:05Z", "signature": FORGED.hex()}
    ]
    body = {"type": "securefl-card/2", **SOUND.card.fields(), "earlier": earlier}
    with pytest.raises(MessageError, match="not an identity card"):
        read_card(dump_signed(body, SOUND.sign))


@pytest.mark.parametrize(
    ("field", "key"), [("signing_public", NEUTRAL), ("sealing_public", "00" * 32)]
)
def test_a_study_that_names_an_unsound_key_is_refused(field, key):
    text, _, _, hospitals = make_study()
    right = getattr(hospitals[1].card, field)
    assert text.count(right) == 1
    with pytest.raises(StudyError, match=r"no sound (Ed|X)25519 public key"):
        parse_study(text.replace(right, key))


def test_an_approval_whose_study_key_gives_no_secret_is_refused():
    data = Approval(
        STUDY, "Mallory", SOUND.card.signing_public, NEUTRAL, "2026-01-02T03:04:05Z"
    ).dump(SOUND.sign)
    with pytest.raises(MessageError, match="study key is no sound X25519 key"):
        open_approval(data, site="Mallory", study=STUDY, verify=SOUND.card.verify)


@pytest.mark.parametrize("key", ["00" * 32, NEUTRAL, "ed" + "ff" * 30 + "7f"])
def test_no_mask_grows_from_an_unsound_key(key):
    with pytest.raises(MessageError, match="not a usable X25519 key"):
        pair_secret(X25519PrivateKey.generate(), bytes.fromhex(key), other="Mallory")
