from decimal import Decimal

import pytest

from securefl.privacy.explain import explain_epsilon, explain_share, guess_percent, one_in, percent


@pytest.mark.parametrize(
    ("share", "text"),
    [
        ("0", "0 %"),
        ("0.1773", "18 %"),
        ("0.0421", "4.3 %"),
        ("0.05", "5 %"),
        ("0.0999", "10 %"),
        ("1", "100 %"),
        ("1.3312", "134 %"),
        ("0.0001", "0.1 %"),
    ],
)
def test_shares_are_rounded_up(share, text):
    assert percent(Decimal(share)) == text


def test_what_is_left_is_rounded_down():
    assert percent(Decimal("0.3588"), rounding="ROUND_FLOOR") == "35 %"


@pytest.mark.parametrize(
    ("epsilon", "text"),
    [
        ("0", "50 %"),
        ("1", "73 %"),
        ("1.0182", "73.5 %"),
        ("2", "88 %"),
        ("3", "95.3 %"),
        ("4.6", "99.1 %"),
        ("5", "99.4 %"),
        ("8", "99.97 %"),
        ("9.21", "99.99 %"),
        ("20", "100 %"),
        ("1000", "100 %"),
    ],
)
def test_a_coin_flip_guess_rises_to_at_most_this(epsilon, text):
    assert guess_percent(Decimal(epsilon)) == text


def test_at_most_is_never_more_than_a_seventh_of_a_point_too_low():
    for hundredths in range(1200):
        epsilon = Decimal(hundredths) / 100
        told, grown = Decimal(guess_percent(epsilon).removesuffix(" %")), epsilon.exp()
        short = 100 * grown / (1 + grown) - told
        assert short < Decimal("0.15")
        assert short <= 0 or (told < 99 and told == told.to_integral_value())


def test_delta_is_a_chance():
    assert one_in(Decimal("1e-5")) == "1 in 100,000"


def test_an_epsilon_is_a_sentence():
    text = explain_epsilon(Decimal(1), Decimal("1e-5"))
    assert "at most 73 %" in text
    assert "1 in 100,000" in text


def test_a_budget_is_told_as_a_share_and_as_room():
    assert (
        explain_share(Decimal("0.1773"), 5)
        == "18 % of the budget used; room for 5 more studies like this."
    )
    assert explain_share(Decimal("0.6"), 1).endswith("room for 1 more study like this.")
    assert explain_share(Decimal(1), 0).endswith("no room for another study like this.")


def test_the_examples_in_the_room_hold():
    import doctest
    from importlib import import_module

    for module in ("accounting", "ledger_events", "mechanisms", "noise", "planning", "explain"):
        result = doctest.testmod(import_module(f"securefl.privacy.{module}"))
        assert result.attempted > 0
        assert result.failed == 0
