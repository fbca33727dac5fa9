"""Trusting a card in two steps: what it would replace is known before anybody says yes."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from securefl.errors import MessageError, UntrustedError, UsageError
from securefl.identity import Identity
from securefl.partners import AddressBook
from securefl.party.clock import utc_now
from securefl.party.trust import check_fingerprint, plan_trust, read_given_card, trust


@pytest.fixture
def book(tmp_path):
    owner = Identity.generate("A", "hospital", "Hospital A", "a@example.org")
    return AddressBook(tmp_path / "partners", owner, nullcontext, utc_now)


@pytest.fixture
def other():
    return Identity.generate("B", "hospital", "Hospital B", "b@example.org")


def test_a_card_of_a_new_name_replaces_nobody_and_is_written_by_the_second_step(book, other):
    plan = plan_trust(book, other.card)
    assert (plan.replaced, plan.replaced_until, plan.changed_again_until) == (None, "", "")
    assert book.cards() == {}
    trust(book, plan)
    assert book.cards() == {"B": other.card}


def test_a_successor_says_whom_it_replaces_and_since_when(book, other):
    trust(book, plan_trust(book, other.card))
    second = other.successor("2026-03-01T00:00:00Z")
    plan = plan_trust(book, second.card)
    assert (plan.replaced, plan.replaced_until) == (other.card, "2026-03-01T00:00:00Z")
    assert plan.changed_again_until == ""
    third = second.successor("2026-05-01T00:00:00Z")
    plan = plan_trust(book, third.card)
    assert plan.replaced_until == "2026-03-01T00:00:00Z"
    assert plan.changed_again_until == "2026-05-01T00:00:00Z"
    trust(book, plan)
    with pytest.raises(UntrustedError, match="an older card"):
        plan_trust(book, second.card)


def test_another_key_under_a_trusted_name_is_refused_by_the_first_step(book, other):
    trust(book, plan_trust(book, other.card))
    stranger = Identity.generate("B", "hospital", "Hospital B", "b@example.org")
    with pytest.raises(UntrustedError, match="did not sign for this one"):
        plan_trust(book, stranger.card)


def test_a_list_that_changed_between_the_steps_is_checked_again(book, other):
    plan = plan_trust(book, other.card)
    trust(book, plan_trust(book, Identity.generate("B", "hospital", "B", "b@example.org").card))
    with pytest.raises(UntrustedError):
        trust(book, plan)


def test_a_fingerprint_is_compared_without_regard_to_blanks_and_case(other):
    check_fingerprint(other.card, other.card.spoken.replace(" ", "").upper())
    for wrong in ("", other.card.spoken[:20], "0" * 40):
        with pytest.raises(UsageError, match="is not that of this card"):
            check_fingerprint(other.card, wrong)


def test_a_file_that_is_no_card_is_named_with_its_sender():
    with pytest.raises(MessageError, match="is not an identity card") as caught:
        read_given_card(b"hello", "mail/card.json")
    assert caught.value.whose == "whoever gave you card.json"
