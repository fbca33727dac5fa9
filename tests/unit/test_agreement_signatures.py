"""Whose signatures a version needs."""

from __future__ import annotations

import pytest
from agreements import EVERYBODY, HOSPITALS, agreement
from conftest import fixed_identity

from securefl.agreement.signatures import AgreementSignature, LeavingNotice, needed
from securefl.errors import MessageError
from securefl.identity import Verifier

NAMES = {identity.card.name for identity in EVERYBODY}
ME = HOSPITALS[0].card.name
AT = "2026-01-02T03:04:05Z"


def version(*edits, parties=EVERYBODY):
    return agreement(*edits, parties=parties).agreement


def test_a_first_version_needs_every_party():
    wanted = needed(version(), None, ME)
    assert wanted.missing(NAMES) == ()
    assert wanted.missing(NAMES - {"SVI"}) == ("SVI",)


def test_a_later_version_needs_as_many_of_the_one_before_as_it_says_and_oneself():
    before = version(("signatures = 5", "signatures = 3"))
    wanted = needed(version(), before, ME)
    assert wanted.missing({ME, "SVI", "SVHC"}) == ()
    assert wanted.missing({ME, "SVI"})[0].startswith("1 of ")
    assert wanted.missing({"SVI", "SVHC", "SVHD", "STMW"}) == (ME,)


def test_whoever_is_new_in_a_version_signs_it_and_counts_for_nobody_else():
    newcomer = fixed_identity("Neu", "hospital")
    before = version(("signatures = 5", "signatures = 3"))
    wanted = needed(version(parties=(*EVERYBODY, newcomer)), before, ME)
    assert wanted.missing({ME, "SVI", "SVHC"}) == ("Neu",)
    assert wanted.missing({ME, "SVI", "Neu"})[0].startswith("1 of ")
    assert wanted.missing({ME, "SVI", "SVHC", "Neu"}) == ()


def test_a_signature_says_one_thing_of_one_version():
    svi = fixed_identity("SVI", "hospital")
    verify = Verifier("SVI", svi.card.signing_public)
    signed = AgreementSignature("ab" * 32, "SVI", AT).dump(svi.sign)
    named = {"verify": verify, "sender": "SVI", "party": "SVI"}
    found = AgreementSignature.open(signed, agreement="ab" * 32, **named)
    assert found.at == AT
    with pytest.raises(MessageError, match="about another agreement"):
        AgreementSignature.open(signed, agreement="cd" * 32, **named)
    with pytest.raises(MessageError):
        LeavingNotice.open(signed, agreement="ab" * 32, **named)
