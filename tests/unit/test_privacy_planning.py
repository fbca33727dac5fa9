from decimal import ROUND_CEILING, Decimal
from fractions import Fraction

import pytest
from ledger_site import CHARGES, DELTA, HISTOGRAM, STEP

from securefl.errors import BudgetError, UsageError
from securefl.privacy.accounting import ORDERS, pld_epsilon, rdp_cap
from securefl.privacy.charges import Charge, total_cost
from securefl.privacy.mechanisms import Gaussian
from securefl.privacy.planning import (
    _least_noise,
    choose_order,
    largest_steps,
    noise_for_epsilon,
    over_budget,
    quote,
    share,
    share_left,
    smallest_noise,
    study_epsilon,
)

TRAINING = (Charge("update", STEP.with_count(40)),)


@pytest.mark.parametrize("epsilon", ["2", "3", "8"])
def test_no_other_order_lets_the_budget_reach_further(epsilon):
    choice = choose_order(Decimal(epsilon), DELTA, CHARGES)
    reach = {
        o: rdp_cap(Decimal(epsilon), DELTA, o) / total_cost(CHARGES, o, 1)
        for o in ORDERS
        if o <= 64
    }
    assert reach[choice.order] == max(reach.values())
    assert choice.studies == int(max(reach.values()))
    assert f"order {choice.order}" in choice.reason
    assert f"{choice.studies} fit" in choice.reason


def test_good_orders_are_where_the_measurements_found_them():
    assert (
        12
        <= choose_order(
            Decimal(1), DELTA, (Charge("update", STEP.with_noise(Decimal(8)).with_count(40)),)
        ).order
        <= 20
    )
    assert 6 <= choose_order(Decimal(3), DELTA, TRAINING).order <= 8
    assert choose_order(Decimal(8), DELTA, TRAINING).order in {3, 4}


def test_a_grant_that_cannot_pay_for_one_study_is_refused_with_what_would():
    with pytest.raises(BudgetError, match="cannot pay for one study") as refusal:
        choose_order(Decimal(1), DELTA, CHARGES)
    needed = Decimal(refusal.value.next_step.split("epsilon ")[1].split(",")[0])
    assert choose_order(needed, DELTA, CHARGES).studies == 1
    with pytest.raises(BudgetError):
        choose_order(needed - Decimal("0.02"), DELTA, CHARGES)


def test_a_hopeless_grant_is_refused_too():
    with pytest.raises(BudgetError):
        choose_order(
            Decimal("0.0001"), Decimal("1e-9"), (Charge("evaluation", Gaussian(Decimal("0.5"))),)
        )


def test_a_small_budget_wants_a_large_order():
    choice = choose_order(Decimal("0.1"), DELTA, (Charge("evaluation", Gaussian(Decimal(1000))),))
    assert 64 < choice.order <= ORDERS[-1]
    assert choice.cap > 0


def test_a_typical_study_releases_something():
    with pytest.raises(UsageError, match="release something"):
        choose_order(Decimal(3), DELTA, ())


def test_calibrated_noise_is_enough_and_a_hundredth_less_is_not():
    noise = noise_for_epsilon(Decimal(1), DELTA, Fraction(1, 5), 40)
    assert noise == Decimal("4.98")
    assert pld_epsilon([STEP.with_count(40)], DELTA) <= 1
    assert pld_epsilon([STEP.with_count(40).with_noise(Decimal("4.97"))], DELTA) > 1


def test_calibration_counts_other_releases():
    alone = noise_for_epsilon(Decimal("1.5"), DELTA, Fraction(1), 1)
    assert noise_for_epsilon(Decimal("1.5"), DELTA, Fraction(1), 1, [HISTOGRAM]) > alone


def test_calibration_finds_small_and_large_noise():
    assert noise_for_epsilon(Decimal(6), DELTA, Fraction(1), 1) < 1
    assert noise_for_epsilon(Decimal("0.03"), DELTA, Fraction(1), 1) > 64


def test_an_epsilon_that_no_noise_reaches_is_refused():
    with pytest.raises(UsageError, match="No noise"):
        noise_for_epsilon(Decimal("0.5"), DELTA, Fraction(1, 5), 40, [Gaussian(Decimal(1))])


def test_the_largest_number_of_steps_fits_and_one_more_does_not():
    left = total_cost(CHARGES, 7, 1) * 2 // 3
    steps = largest_steps(CHARGES, left, 7)
    assert 0 < steps < 40

    def cost(n):
        return total_cost((Charge("update", STEP.with_count(n)), CHARGES[1]), 7, 1)

    assert cost(steps) <= left < cost(steps + 1)
    assert largest_steps(CHARGES, 10 * left, 7) == 40
    assert largest_steps(CHARGES, 0, 7) == 0
    assert largest_steps(CHARGES[1:], left, 7) == 0


def test_the_smallest_noise_fits_and_a_hundredth_less_does_not():
    left = total_cost(CHARGES, 7, 2) * 2 // 3
    noise = smallest_noise(CHARGES, left, 7, 2)

    def cost(n):
        return total_cost((Charge("update", STEP.with_count(40).with_noise(n)), CHARGES[1]), 7, 2)

    assert cost(noise) <= left < cost(noise - Decimal("0.01"))
    assert smallest_noise(CHARGES, 1, 7) is None
    assert smallest_noise(CHARGES[1:], left, 7) is None


def test_a_quote_tells_shares_against_us():
    price = quote(3_000, 1_000, 7, TRAINING, 1)
    assert price.left == 2_000
    assert (share(1, 3), share_left(1, 3)) == (Decimal("0.3334"), Decimal("0.3333"))
    assert price.used_share == Decimal("0.3334")
    assert price.left_share == Decimal("0.6666")
    assert price.asked_share > 1
    assert not price.fits
    assert price.room == 0
    assert price.largest_steps == 0
    assert sum(cost for _, cost in price.parts) == price.asked


def test_a_quote_that_fits_exactly_fits():
    cost = total_cost(CHARGES, 7, 2)
    price = quote(cost, 0, 7, CHARGES, 2)
    assert price.fits
    assert price.room == 1
    assert price.smallest_noise == Decimal("4.98")
    assert not quote(cost - 1, 0, 7, CHARGES, 2).fits
    assert quote(cost, cost + 5, 7, CHARGES, 2).left == 0


@pytest.mark.parametrize(("charges", "attempts"), [((), 1), (CHARGES, 0)])
def test_a_quote_needs_something_to_price(charges, attempts):
    with pytest.raises(UsageError):
        quote(10, 0, 7, charges, attempts)


def test_a_refusal_names_what_was_asked_what_is_left_and_what_would_fit():
    cost = total_cost(CHARGES, 7, 1)
    price = quote(2 * cost, cost + cost // 2, 7, CHARGES, 1)
    refusal = over_budget(price)
    assert "asks for 50 % of the budget; 25 % is left" in refusal.what
    assert (
        f"at most {price.largest_steps} training steps or a noise multiplier of at least"
        f" {price.smallest_noise}" in refusal.next_step
    )
    assert refusal.code == "budget"


def test_a_refusal_says_so_when_nothing_would_fit():
    assert "No study of this kind fits" in over_budget(quote(10, 9, 7, CHARGES, 1)).next_step


def test_one_patient_meets_one_kind_of_release_when_the_split_is_by_patient():
    training, evaluation = (pld_epsilon([c.mechanism], DELTA) for c in CHARGES)
    assert study_epsilon(CHARGES, 1, DELTA, disjoint=True) == max(training, evaluation)
    together = study_epsilon(CHARGES, 1, DELTA, disjoint=False)
    assert (
        together == pld_epsilon([c.mechanism for c in CHARGES], DELTA) > max(training, evaluation)
    )
    assert study_epsilon(CHARGES, 2, DELTA, disjoint=True) > max(training, evaluation)
    assert study_epsilon((), 1, DELTA, disjoint=True) == 0


@pytest.mark.parametrize(
    "curve",
    [
        lambda n: 300 / n,
        lambda n: (900 / n) ** 2,
        lambda n: 0.9 + 3 / n,
        lambda n: 0.9999 + 40 / n,
        lambda n: 2.0 if n < 321 else 0.5,
        lambda n: 0.0,
    ],
)
def test_the_search_ends_at_the_least_noise_whatever_the_curve(curve):
    """Also where no line meets the answer, in few looks; a look is a distribution of seconds."""
    epsilon, asked = Decimal(1), []

    def epsilon_of(noise):
        asked.append(noise)
        return Decimal(curve(noise)).quantize(Decimal("0.0001"), rounding=ROUND_CEILING)

    far = 1_000_000
    found = _least_noise(far, epsilon_of(far), epsilon, epsilon_of)
    assert epsilon_of(found) <= epsilon
    assert found == 1 or epsilon_of(found - 1) > epsilon
    near = found + 3
    assert _least_noise(near, epsilon_of(near), epsilon, epsilon_of) == found
    assert len(asked) < 90
