"""A hospital's word for a card that nobody here compared: what somebody could slip in with it.

The reader is SVI. It compared SVHC's card and the researcher's by telephone. SVHC compared STMW's.
Each attack has its control: the same with an honest vouch, or with the rule left out, succeeds.
"""

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from conftest import fixed_identity, make_study
from consortium import NAMES, Consortium

from securefl.errors import MessageError, StudyError, UntrustedError
from securefl.identity import Identity
from securefl.partners import AddressBook, ListedCard, Vouched
from securefl.party.vouch import (
    MOST_DAYS,
    Vouch,
    check_collusion,
    check_until,
    plan_vouched_trust,
    trust_vouched,
)
from securefl.study.sealed import SealedStudy

READER, VOUCHER = fixed_identity("SVI", "hospital"), fixed_identity("SVHC", "hospital")
THIRD = fixed_identity("STMW", "hospital")
RESEARCHER = fixed_identity("Researcher", "researcher")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def text(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return text(self.now)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def book(tmp_path, clock):
    made = AddressBook(tmp_path / "partners", READER, nullcontext, clock)
    made.trust(VOUCHER.card)
    made.trust(RESEARCHER.card)
    return made


def vouch(card=THIRD.card, by=VOUCHER, days=90, at=NOW, **changed):
    said = Vouch(
        by.card.name,
        card.name,
        card.role,
        card.legal_name,
        card.email,
        card.fingerprint,
        text(at),
        text(at + timedelta(days=days)),
    )
    return replace(said, **changed).dump(by.sign)


def take(book, data, card=THIRD.card, now=NOW):
    trust_vouched(book, plan_vouched_trust(book, card, data, now))


def require(book, card=THIRD.card):
    return book.require(card.name, card.signing_public, card.sealing_public, role=card.role)


def invented(name):
    return Identity.generate(name, "hospital", f"{name} hospital", f"{name}@example.org")


def test_control_an_honest_vouch_makes_the_card_count_and_says_whose_word_it_is(book):
    with pytest.raises(UntrustedError, match="not in this party's own list"):
        require(book)
    take(book, vouch())
    assert require(book) == THIRD.card
    entry = book.listed()["STMW"]
    assert entry.vouched == Vouched("SVHC", VOUCHER.card.signing_public, "2026-05-30T12:00:00Z")
    assert book.listed()["SVHC"].vouched is None


def test_a_vouch_by_somebody_unknown_is_refused(book):
    stranger = invented("SVHC")  # under the name of the hospital that is known
    with pytest.raises(MessageError, match="not by the key that is trusted here"):
        take(book, vouch(by=stranger))
    # control: a reader who had trusted the stranger's card would take it
    book.distrust("SVHC")
    book.trust(stranger.card)
    take(book, vouch(by=stranger))
    assert require(book) == THIRD.card


def test_a_vouch_for_one_card_lets_no_other_in(book):
    fake = invented("STMW").card
    with pytest.raises(MessageError, match=r"about another .*fingerprint"):
        take(book, vouch(), fake)
    # control: a word for that card itself
    take(book, vouch(fake), fake)
    assert require(book, fake) == fake


@pytest.mark.parametrize("field", ["legal_name", "email"])
def test_the_true_keys_under_another_name_are_refused(book, field):
    renamed = replace(THIRD.card, **{field: "somebody@else.example"})
    assert renamed.fingerprint == THIRD.card.fingerprint  # which does not cover it
    with pytest.raises(MessageError, match=f"about another {field}"):
        take(book, vouch(), renamed)


def test_an_altered_vouch_is_refused(book):
    data = vouch()
    later = data.replace(b"2026-05-30", b"2026-06-30")
    assert later != data
    with pytest.raises(MessageError, match="not by the key that is trusted here"):
        take(book, later)
    take(book, data)  # control


def test_a_vouch_that_is_over_is_refused_and_one_that_was_taken_lapses(book, clock):
    data = vouch(days=30)
    with pytest.raises(UntrustedError, match="until 2026-03-31, which is over"):
        take(book, data, now=NOW + timedelta(days=30))
    take(book, data, now=NOW + timedelta(days=29))  # control: a day before
    clock.now = NOW + timedelta(days=30)
    with pytest.raises(UntrustedError, match="trusted here no more"):
        require(book)
    assert "STMW" not in book.cards()
    # a new word, and it counts again
    take(book, vouch(at=clock.now), now=clock.now)
    assert require(book) == THIRD.card


def test_a_vouch_does_not_reach_beyond_a_year_nor_begin_in_the_future(book):
    with pytest.raises(MessageError, match="for no time"):
        take(book, vouch(days=MOST_DAYS + 1))
    with pytest.raises(MessageError, match="for no time"):
        take(book, vouch(days=0))
    with pytest.raises(UntrustedError, match="still to come"):
        take(book, vouch(at=NOW + timedelta(days=2)))
    take(book, vouch(days=MOST_DAYS))  # control


def test_a_chain_is_one_link_long(book):
    take(book, vouch())
    fourth = invented("SVHD")
    with pytest.raises(UntrustedError, match="one link long"):
        take(book, vouch(fourth.card, by=THIRD), fourth.card)
    # control: once the link in the middle was compared by telephone, it may vouch
    book.trust(THIRD.card)
    take(book, vouch(fourth.card, by=THIRD), fourth.card)
    assert require(book, fourth.card) == fourth.card


def test_a_researcher_cannot_vouch_for_the_hospitals_that_it_invented(book):
    fake = invented("HA").card
    with pytest.raises(UntrustedError, match="only a hospital's word"):
        take(book, vouch(fake, by=RESEARCHER), fake)
    take(book, vouch(fake), fake)  # control: by a hospital


def test_nobody_vouches_for_its_own_card_nor_in_the_name_of_another(book):
    later = VOUCHER.successor(text(NOW)).card
    with pytest.raises(MessageError, match="its own card"):
        take(book, vouch(later), later)
    with pytest.raises(MessageError, match="somebody else signed it"):
        take(book, vouch(party="STMX"))
    book.trust(later)  # control: by telephone


def test_a_word_never_replaces_a_comparison(book):
    book.trust(THIRD.card)
    with pytest.raises(UntrustedError, match="trusted here already"):
        take(book, vouch())
    later = THIRD.successor(text(NOW)).card
    with pytest.raises(UntrustedError, match="not taken on the word"):
        take(book, vouch(later), later)
    assert book.listed()["STMW"].vouched is None
    # control: where the first card was itself only vouched for
    book.distrust("STMW")
    take(book, vouch())
    take(book, vouch(later), later)
    assert require(book, later) == later


def test_a_word_ends_with_the_hospital_that_gave_it(book):
    take(book, vouch())
    book.distrust("SVHC")
    with pytest.raises(UntrustedError, match="itself is compared here no more"):
        require(book)
    book.trust(VOUCHER.card)
    assert require(book) == THIRD.card  # control: it is known again
    # a key that was changed may have been stolen: what it said has to be said again
    book.trust(VOUCHER.successor(text(NOW)).card)
    with pytest.raises(UntrustedError, match="has replaced since"):
        require(book)


def test_the_list_with_vouches_is_signed_like_the_rest(book, tmp_path, clock):
    take(book, vouch(days=30))
    file = tmp_path / "partners"
    good = file.read_bytes()
    longer = good.replace(b"2026-03-31", b"2099-03-31")
    assert longer != good
    file.write_bytes(longer)
    from securefl.errors import UnreadableError

    with pytest.raises(UnreadableError, match="somebody else changed it"):
        book.cards()
    file.write_bytes(good)
    clock.now = NOW + timedelta(days=1)
    assert require(book) == THIRD.card  # control


def test_a_list_that_new_keys_sign_keeps_the_words(book, tmp_path, clock):
    take(book, vouch())
    later = READER.successor(text(NOW))
    book.sign_anew(tmp_path / "next", later)
    again = AddressBook(tmp_path / "next", later, nullcontext, clock)
    assert again.listed() == book.listed()
    assert again.listed()["STMW"].vouched is not None


def test_a_study_that_may_outlast_a_word_is_not_approved_on_it(book):
    small = study(3)
    card = replace(THIRD.card, name=small.cohort[0])
    closes = small.schedule.closes

    def listed_until(time):
        listed = AddressBook(book._path.parent / text(time), READER, nullcontext, book._now)
        listed.trust(VOUCHER.card)
        listed.trust_vouched(card, Vouched("SVHC", VOUCHER.card.signing_public, text(time)))
        return listed.listed()

    with pytest.raises(StudyError, match="and the study may run until"):
        check_until(small, listed_until(closes - timedelta(seconds=1)))
    check_until(small, listed_until(closes))  # control: it ends with the study
    compared = {card.name: ListedCard(card)}
    check_until(small, compared)


def test_hospital_refuses_in_its_review_what_rests_on_one_word(tmp_path):
    """The same two rules where the owner decides, with a real request."""
    c = Consortium(tmp_path)
    me, other, third = NAMES
    asked = c.new_study("asked")

    def faults(until):
        site = c.site(me)
        card = site.book.cards()[third]
        by = site.book.cards()[other]
        site.book.distrust(third)
        site.book.trust_vouched(card, Vouched(other, by.signing_public, until))
        site.ledger.close()
        site, found = c.review(me, asked)
        site.ledger.close()
        assert found.vouched[third].by == other
        return [fault.what for fault in found.faults]

    site, found = c.review(me, asked)
    site.ledger.close()
    assert (found.faults, dict(found.vouched)) == ((), {})  # control: compared
    far = faults("2999-12-31T00:00:00Z")
    assert len(far) == 1
    assert f"on the word of {other} alone" in far[0]
    near = faults("2998-01-01T00:00:00Z")
    assert any("the study may run until 2999" in what for what in near)
    # and once the word is over, the card is a stranger's
    site = c.site(me)
    card = site.book.cards()[third]
    by = site.book.cards()[other]
    site.book.distrust(third)
    site.book.trust_vouched(card, Vouched(other, by.signing_public, "2020-01-01T00:00:00Z"))
    site.ledger.close()
    site, found = c.review(me, asked)
    site.ledger.close()
    assert third not in found.trusted
    assert any("is trusted here no more" in fault.what for fault in found.faults)


def study(colluders):
    wanted = ("colluders = 3", f"colluders = {colluders}")
    contributors = ("min_contributors = 5", f"min_contributors = {min(5, colluders + 3)}")
    found, *_ = make_study(5, wanted, contributors)
    return SealedStudy.read(found).study


def test_one_dishonest_hospital_does_not_fill_a_study_with_those_it_vouches_for(book):
    """SVHC invents three hospitals. With its own update it would know four of the five."""
    small = study(3)
    names = [name for name in small.cohort if name not in {"SVI", "SVHC"}]
    fakes = [replace(THIRD.card, name=name) for name in names]
    honest = AddressBook(book._path.parent / "honest", READER, nullcontext, book._now)
    honest.trust(VOUCHER.card)
    for fake in fakes:
        book.trust_vouched(fake, Vouched("SVHC", VOUCHER.card.signing_public, "2027-01-01"))
        honest.trust(fake)
    with pytest.raises(StudyError, match="on the word of SVHC alone") as caught:
        check_collusion(small, book.listed())
    assert "4 hospitals of this study are one" in caught.value.what
    check_collusion(small, honest.listed())  # control: the same cards, compared by telephone
    book.distrust(names[0])  # and as many as the study's totals bear
    book.trust(fakes[0])
    check_collusion(small, book.listed())
