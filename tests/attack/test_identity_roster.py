"""The researcher writes the roster, so it can invent hospitals. What stops it is each hospital's
own list.

The victim is SVI. With four invented partners the "sum of five" would be SVI's update plus four
that the researcher knows.
"""

from contextlib import nullcontext
from datetime import UTC, datetime

import pytest
from conftest import fixed_identity, party, protocol_text
from consortium import NAMES, Consortium

from securefl.environment import software
from securefl.errors import StudyError, UntrustedError
from securefl.identity import Identity, IdentityCard
from securefl.node.decisions import approve
from securefl.node.policy import review
from securefl.partners import AddressBook
from securefl.party.clock import utc_now
from securefl.study.seal import seal_study
from securefl.study.sealed import UnsealedStudy

VICTIM = fixed_identity("SVI", "hospital")
REAL = [fixed_identity(n, "hospital") for n in ("STMW", "SVHC", "SVHD", "other")]
RESEARCHER = fixed_identity("Researcher", "researcher")


def study_of(hospitals, coordinator=RESEARCHER):
    sealed = seal_study(
        UnsealedStudy.read(protocol_text()),
        coordinator=party(coordinator),
        aggregator=party(fixed_identity("Aggregator", "aggregator")),
        participants=[party(h) | {"weight": "1/5", "weight_source": "equal"} for h in hospitals],
        software={"securefl": "0.1.0", "lock_sha256": "0" * 64},
    )
    return sealed.study


def check_roster(study, book):
    return [
        book.require(p.name, p.signing_public, p.sealing_public)
        for p in study.participants
        if p.name != VICTIM.card.name
    ]


def invented(name):
    return Identity.generate(name, "hospital", f"{name} hospital", f"{name}@example.org")


@pytest.fixture
def book(tmp_path):
    book = AddressBook(tmp_path / "partners.json", VICTIM, nullcontext, utc_now)
    for hospital in REAL:
        book.trust(hospital.card)
    book.trust(RESEARCHER.card)
    return book


def test_the_real_consortium_passes(book):
    assert [c.name for c in check_roster(study_of([VICTIM, *REAL]), book)] == [
        h.card.name for h in REAL
    ]


def test_four_hospitals_that_the_researcher_invented_are_refused(book):
    study = study_of([VICTIM, *(invented(n) for n in ("HA", "HB", "HC", "HD"))])
    with pytest.raises(UntrustedError, match="HA is not in this party's own list"):
        check_roster(study, book)


def test_control_a_hospital_that_trusted_the_invented_cards_without_a_call_lets_them_pass(tmp_path):
    fakes = [invented(n) for n in ("HA", "HB", "HC", "HD")]
    careless = AddressBook(tmp_path / "careless.json", VICTIM, nullcontext, utc_now)
    for fake in fakes:
        careless.trust(fake.card)
    assert len(check_roster(study_of([VICTIM, *fakes]), careless)) == 4


def test_real_names_with_the_researchers_keys_are_refused(book):
    study = study_of([VICTIM, *(invented(h.card.name) for h in REAL)])
    with pytest.raises(UntrustedError, match="names other keys for STMW"):
        check_roster(study, book)


def test_one_invented_hospital_among_real_ones_is_refused(book):
    with pytest.raises(UntrustedError, match="Extra"):
        check_roster(study_of([VICTIM, *REAL[:3], invented("Extra")]), book)


def test_a_real_signing_key_with_the_researchers_sealing_key_is_refused(book):
    fake = invented("STMW").card
    stmw = REAL[0].card
    with pytest.raises(UntrustedError, match="names other keys"):
        book.require("STMW", stmw.signing_public, fake.sealing_public)


def test_the_researchers_own_trusted_card_does_not_count_as_a_hospital(book):
    study = study_of([VICTIM, *REAL[:3], RESEARCHER], coordinator=invented("Somebody"))
    with pytest.raises(UntrustedError, match="trusted here as a researcher"):
        check_roster(study, book)


def test_the_coordinator_cannot_stand_among_the_participants():
    with pytest.raises(StudyError, match="this is the key of Researcher"):
        study_of([VICTIM, *REAL[:3], renamed(RESEARCHER, "HX")])


def test_one_real_hospital_cannot_stand_for_two():
    with pytest.raises(StudyError, match="this is the key of"):
        study_of([VICTIM, *REAL[:3], renamed(REAL[0], "HX")])


def renamed(identity, name):
    class Renamed:
        card = type(identity.card)(**{**identity.card.fields(), "name": name})

    return Renamed


# The whole review of a hospital, as its owner's command runs it


@pytest.fixture(scope="module")
def consortium(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("consortium"))


def asked_with_invented_partners(consortium):
    """The researcher keeps the victim and puts four hospitals beside it whose keys it holds itself."""
    victim = consortium.site(NAMES[0])
    fakes = [invented(n) for n in ("HA", "HB", "HC", "HD")]
    sealed = seal_study(
        UnsealedStudy.read(protocol_text()),
        coordinator=party(consortium.lab.folder.identity),
        aggregator=party(fixed_identity("Aggregator", "aggregator")),
        participants=[
            party(h) | {"weight": "1/5", "weight_source": "equal"}
            for h in (victim.identity, *fakes)
        ],
        software=software(),
    )
    return victim, fakes, review(victim, sealed, datetime(2026, 6, 1, tzinfo=UTC))


def test_a_review_finds_every_invented_hospital(consortium):
    victim, fakes, found = asked_with_invented_partners(consortium)
    assert [(type(f), f.whose) for f in found.faults] == [
        (UntrustedError, f.card.name) for f in fakes
    ]
    assert not {f.card.name for f in fakes} & {*found.trusted, *found.cards}
    with pytest.raises(UntrustedError, match="HA is not in this party's own list"):
        approve(victim, found)
    victim.ledger.close()


def test_control_the_review_of_a_hospital_that_trusted_them_unseen_passes(consortium, monkeypatch):
    original = AddressBook.require
    monkeypatch.setattr(
        AddressBook,
        "require",
        lambda book, name, *keys, role="hospital": (
            original(book, name, *keys, role=role)
            if not name.startswith("H")
            else read_anyhow(name, keys, role)
        ),
    )
    victim, _, found = asked_with_invented_partners(consortium)
    assert found.faults == ()
    assert approve(victim, found).fits
    victim.ledger.close()


def read_anyhow(name, keys, role):
    """What a list without the telephone call would say: whoever stands in the study is who it says."""
    return IdentityCard(name, role, f"{name} hospital", f"{name}@example.org", *keys)
