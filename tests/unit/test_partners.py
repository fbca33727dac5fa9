"""A party's own list of partners: whom it trusts, which card replaces which, and who may change the
list.
"""

from contextlib import nullcontext
from dataclasses import replace

import pytest
from conftest import fixed_identity

from securefl.errors import UnreadableError, UntrustedError
from securefl.identity import MAX_EARLIER, Identity, read_card
from securefl.partners import AddressBook
from securefl.party.clock import utc_now
from securefl.signed import open_signed_form

SVI, SVHC = fixed_identity("SVI", "hospital"), fixed_identity("SVHC", "hospital")
LATER = "2026-11-24T12:00:00Z"


@pytest.fixture
def book(tmp_path):
    return AddressBook(tmp_path / "site" / "partners.json", SVI, nullcontext, utc_now)


def test_a_list_that_does_not_exist_trusts_nobody(book):
    assert book.cards() == {}


def test_trusted_cards_come_back_sorted_by_nothing_but_name(book):
    others = [fixed_identity(n, "hospital").card for n in ("STMW", "SVHC", "SVHD")]
    for card in reversed(others):
        book.trust(card)
    assert book.cards() == {c.name: c for c in others}
    assert list(book.cards()) == ["STMW", "SVHC", "SVHD"]


def test_trusting_the_same_card_again_changes_nothing(book):
    book.trust(SVHC.card)
    book.trust(SVHC.card)
    assert book.cards() == {"SVHC": SVHC.card}


def test_a_changed_key_for_a_known_name_is_refused_with_the_known_fingerprint(book):
    book.trust(SVHC.card)
    other = Identity.generate("SVHC", "hospital", SVHC.card.legal_name, SVHC.card.email).card
    with pytest.raises(UntrustedError, match=SVHC.card.spoken) as caught:
        book.trust(other)
    assert "Telephone SVHC" in caught.value.next_step
    assert book.cards() == {"SVHC": SVHC.card}
    book.distrust("SVHC")
    book.trust(other)
    assert book.cards() == {"SVHC": other}


def test_one_does_not_trust_oneself_under_the_own_name_or_another(book):
    for card in (
        SVI.card,
        fixed_identity("SVI", "researcher").card,
        replace(SVI.card, name="Other"),
    ):
        with pytest.raises(UntrustedError, match="own name or key"):
            book.trust(card)


def test_distrusting_takes_the_card_out_and_refuses_unknown_names(book):
    book.trust(SVHC.card)
    book.distrust("SVHC")
    assert book.cards() == {}
    with pytest.raises(UntrustedError, match="SVHC is not in this party's list"):
        book.distrust("SVHC")


def test_a_list_that_somebody_else_edited_is_refused(book, tmp_path):
    book.trust(SVHC.card)
    path = tmp_path / "site" / "partners.json"
    invented = fixed_identity("SVHC", "researcher").card
    path.write_bytes(
        path.read_bytes().replace(
            SVHC.card.signing_public.encode(), invented.signing_public.encode()
        )
    )
    with pytest.raises(UnreadableError, match="somebody else changed it"):
        book.cards()
    with pytest.raises(UnreadableError):
        book.trust(fixed_identity("STMW", "hospital").card)


def test_bytes_that_were_found_good_are_not_checked_again_and_any_others_are(book, monkeypatch):
    opened = []
    monkeypatch.setattr(
        "securefl.partners.open_signed_form",
        lambda data, **how: opened.append(data) or open_signed_form(data, **how),
    )
    book.trust(SVHC.card)
    path = book._path
    good = path.read_bytes()
    book.cards().clear()  # a reader's own copy
    assert [book.cards() for _ in range(3)] == [{"SVHC": SVHC.card}] * 3
    assert opened == [good]
    for bad in (b"", good[:-1], good.replace(b"SVHC", b"SVHX"), good + b" "):
        path.write_bytes(bad)
        for _ in range(2):
            with pytest.raises(UnreadableError):
                book.cards()
    path.write_bytes(good)
    assert book.cards() == {"SVHC": SVHC.card}
    book.distrust("SVHC")
    assert book.cards() == {}


def test_a_list_signed_by_another_party_is_refused(book, tmp_path):
    theirs = AddressBook(tmp_path / "site" / "partners.json", SVHC, nullcontext, utc_now)
    theirs.trust(fixed_identity("Invented", "hospital").card)
    with pytest.raises(UnreadableError, match="not a list signed by this party"):
        book.cards()


def test_a_card_is_no_list(book, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "partners.json").write_bytes(SVI.signed_card())
    with pytest.raises(UnreadableError):
        book.cards()


def test_a_list_that_cannot_be_read_is_refused(book, tmp_path):
    (tmp_path / "site" / "partners.json").mkdir(parents=True)
    with pytest.raises(UnreadableError):
        book.cards()


def test_require_returns_the_card_for_exactly_its_keys_and_role(book):
    book.trust(SVHC.card)
    keys = SVHC.card.signing_public, SVHC.card.sealing_public
    assert book.require("SVHC", *keys) == SVHC.card
    with pytest.raises(UntrustedError, match="names other keys"):
        book.require("SVHC", SVI.card.signing_public, keys[1])
    with pytest.raises(UntrustedError, match="names other keys"):
        book.require("SVHC", keys[0], SVI.card.sealing_public)
    with pytest.raises(UntrustedError, match="not in this party's own list"):
        book.require("STMW", *keys)


def test_require_tells_a_researcher_from_a_hospital(book):
    researcher = fixed_identity("Researcher", "researcher").card
    book.trust(researcher)
    keys = researcher.signing_public, researcher.sealing_public
    assert book.require("Researcher", *keys, role="researcher") == researcher
    with pytest.raises(UntrustedError, match="trusted here as a researcher"):
        book.require("Researcher", *keys)


# a partner that changed its keys


def test_a_card_replaces_the_one_whose_key_signed_for_it(book):
    book.trust(SVHC.card)
    new = read_card(SVHC.successor(LATER).signed_card())
    assert book.replaced(new) == SVHC.card
    book.trust(new)
    (kept,) = book.cards().values()
    assert (kept, kept.earlier) == (new, new.earlier)
    assert book.replaced(new) is None


def test_a_partner_that_missed_a_change_follows_both(book):
    book.trust(SVHC.card)
    twice = SVHC.successor(LATER).successor(LATER).card
    book.trust(twice)
    assert book.cards() == {"SVHC": twice}


def test_a_study_that_names_the_keys_of_before_is_told_from_one_with_a_strangers_keys(book):
    new = SVHC.successor(LATER).card
    book.trust(new)
    with pytest.raises(UntrustedError, match="keys that SVHC had before 2026-11-24") as caught:
        book.require("SVHC", SVHC.card.signing_public, SVHC.card.sealing_public)
    assert caught.value.whose == "the researcher"
    assert book.require("SVHC", new.signing_public, new.sealing_public) == new


def test_an_older_card_does_not_come_back(book):
    book.trust(SVHC.successor(LATER).card)
    with pytest.raises(
        UntrustedError, match="older card of SVHC: its key was replaced on 2026-11-24"
    ):
        book.trust(SVHC.card)


def test_a_successor_of_another_key_or_role_replaces_nothing(book):
    book.trust(SVHC.card)
    stranger = (
        Identity.generate("SVHC", "hospital", SVHC.card.legal_name, SVHC.card.email)
        .successor(LATER)
        .card
    )
    other_role = replace(SVHC.successor(LATER).card, role="researcher")
    for card in (stranger, other_role):
        assert book.replaced(card) is None
        with pytest.raises(UntrustedError, match="did not sign for this one"):
            book.trust(card)
    assert book.cards() == {"SVHC": SVHC.card}


def test_a_list_signed_anew_is_the_same_list_for_the_new_key_alone(book, tmp_path):
    book.trust(SVHC.successor(LATER).card)
    new = SVI.successor(LATER)
    book.sign_anew(tmp_path / "next", new)
    copied = AddressBook(tmp_path / "next", new, nullcontext, utc_now).cards()
    assert copied == book.cards()
    assert copied["SVHC"].earlier == book.cards()["SVHC"].earlier
    with pytest.raises(UnreadableError):
        AddressBook(tmp_path / "next", SVI, nullcontext, utc_now).cards()


# nobody is made to forget an earlier key


def test_a_card_without_the_earlier_keys_does_not_take_the_place_of_one_with_them(book):
    new = SVHC.successor(LATER).card
    book.trust(new)
    bare = replace(new, earlier=())
    assert bare == new  # to the eye, and by telephone, it is the same card
    with pytest.raises(UntrustedError, match="leaves out earlier keys") as caught:
        book.trust(bare)
    assert "card.json" in caught.value.next_step
    assert book.cards()["SVHC"].earlier == new.earlier


def test_a_successor_that_forgets_what_came_before_replaces_nothing(book):
    second = SVHC.successor(LATER)
    third = second.successor(LATER).card
    book.trust(second.card)
    with pytest.raises(UntrustedError, match="leaves out earlier keys"):
        book.trust(replace(third, earlier=third.earlier[1:]))
    with pytest.raises(UntrustedError, match="leaves out earlier keys"):
        book.trust(
            replace(
                third,
                earlier=(replace(third.earlier[0], until="2027-01-01T00:00:00Z"), third.earlier[1]),
            )
        )
    book.trust(third)


def test_the_earlier_keys_may_come_later_and_a_full_card_may_drop_the_oldest(book):
    first = SVHC.successor(LATER)
    book.trust(replace(first.card, earlier=()))
    book.trust(first.card)
    assert book.cards()["SVHC"].earlier == first.card.earlier
    last = first
    for _ in range(MAX_EARLIER):
        last = last.successor(LATER)
    assert (
        last.card.earlier[0].signing_public == first.card.signing_public
    )  # the first of all fell off
    book.trust(last.card)
    with pytest.raises(UntrustedError, match="leaves out earlier keys"):
        book.trust(replace(last.card, earlier=last.card.earlier[1:]))
