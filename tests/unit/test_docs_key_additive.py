"""Every figure of docs/key-additive-sum.md follows from the code's constants, from exact
probabilities, or from the recorded lattice estimates.
"""

import json
import math
import re
from decimal import Decimal, localcontext
from pathlib import Path

import pytest

from securefl.secagg import additive
from securefl.secagg.cipher_ring import CIPHER_RINGS, LARGE_RING
from securefl.secagg.gaussian import LARGEST, SIGMA
from securefl.secagg.layouts import layout_for
from securefl.secagg.number_layout import NumberLayout
from securefl.secagg.number_ring import RINGS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "key-additive-sum.md").read_text("utf-8")
LATTICE = ROOT / "benchmarks" / "secagg" / "lattice"
ESTIMATES = json.loads((LATTICE / "estimates.json").read_text("utf-8"))
#: Least cost in any cost model that this page may claim, as base-2 logarithms.
CLASSICAL, QUANTUM = 128, 120
#: The same where a small ring's ciphertexts carry few numbers.
SMALL_CLASSICAL, SMALL_QUANTUM = 105, 96
#: Width of the plain problem at the end of the reduction, and of the hints' problem.
REDUCED, PAIR = SIGMA / 2, float(SIGMA) / math.sqrt(2)


def table(first_column):
    """Rows of the page's table whose head begins so: lists of texts."""
    _, _, rest = PAGE.partition(f"| {first_column} |")
    lines = rest.split("\n\n")[0].splitlines()[2:]
    assert lines
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def instance(**wanted):
    (found,) = (
        one
        for one in ESTIMATES["instances"]
        if all(one.get(key) == value for key, value in wanted.items())
    )
    return found


LATTICE_ROWS = table("primes | degree | modulus, bits | width | gates")


@pytest.mark.parametrize("row", LATTICE_ROWS, ids=lambda row: f"{row[0]}, {row[3]}")
def test_estimates_on_the_page_are_the_recorded_ones(row):
    who, degree, bits, width, *costs = row
    wanted = {"key": "numbers", "primes": int(who)} if who.isdigit() else {"key": "ciphertexts"}
    (found,) = (
        one
        for one in ESTIMATES["instances"]
        if wanted.items() <= one.items()
        and one["degree"] == int(degree)
        and math.floor(one["sigma"] * 100 + 0.5) / 100 == float(width)
    )
    assert int(found["modulus"]).bit_length() == int(bits)
    least = found["least"]
    names = ("gates", "core_svp", "core_svp_quantum")
    assert [int(cost) for cost in costs] == [math.floor(least[name]) for name in names]


def test_every_recorded_estimate_stands_on_the_page():
    assert len(LATTICE_ROWS) == len(ESTIMATES["instances"]) == 3 * len(RINGS) + len(CIPHER_RINGS)


@pytest.mark.parametrize("primes", range(1, len(RINGS) + 1))
def test_estimates_are_of_todays_rings_and_widths(primes):
    ring = RINGS[primes - 1]
    widths = {"alone": float(SIGMA), "pair": PAIR, "reduced": float(REDUCED)}
    for width, sigma in widths.items():
        found = instance(key="numbers", primes=primes, width=width)
        assert found["degree"] == ring.degree
        assert int(found["modulus"]) == math.prod(ring.primes)
        assert found["sigma"] == pytest.approx(sigma, abs=5e-5)


@pytest.mark.parametrize("ring", CIPHER_RINGS, ids=lambda ring: ring.degree)
def test_estimates_of_ciphertexts_are_of_todays_rings(ring):
    found = instance(key="ciphertexts", degree=ring.degree)
    assert int(found["modulus"]) == math.prod(ring.primes)


def test_no_attack_is_cheaper_than_the_page_says():
    for found in ESTIMATES["instances"]:
        small = found["degree"] < LARGE_RING.degree
        for model, least in (
            ("gates", CLASSICAL),
            ("core_svp", SMALL_CLASSICAL if small else CLASSICAL),
            ("core_svp_quantum", SMALL_QUANTUM if small else QUANTUM),
        ):
            assert min(found[model].values()) == found["least"][model] >= least, found


def test_page_and_record_name_the_same_tool():
    assert f"commit `{ESTIMATES['commit'][:12]}`" in PAGE
    assert ESTIMATES["sage"] in PAGE
    assert ESTIMATES["commit"] in (LATTICE / "README.md").read_text("utf-8")


def test_widths_on_the_page():
    assert f"standard deviation {SIGMA}" in PAGE
    assert f"4.6/√2 = {PAIR:.2f}" in PAGE
    assert f"of width **{REDUCED}**" in PAGE
    assert f"cut at {LARGEST}, which is 14 standard deviations" in PAGE
    assert math.ceil(14 * SIGMA) == LARGEST


def weights(centre, sigma, reach):
    """exp(-(x - centre)² / 2σ²) for the integers x within ``reach``, normalised."""
    found = {
        x: (-((x - centre) ** 2) / (2 * sigma * sigma)).exp() for x in range(-reach, reach + 1)
    }
    total = sum(found.values())
    return {x: weight / total for x, weight in found.items()}


@pytest.mark.parametrize("total", [0, 1, 7, -12])
def test_what_a_known_sum_leaves_of_a_pair_is_a_gaussian_of_half_the_variance(total):
    """Step 2 of the reduction, exactly."""
    with localcontext(prec=60):
        one = weights(Decimal(0), SIGMA, 120)
        joint = {x: one[x] * one[total - x] for x in range(-100, 101)}
        whole = sum(joint.values())
        left = weights(Decimal(total) / 2, SIGMA / Decimal(2).sqrt(), 100)
        assert all(abs(joint[x] / whole - left[x]) < Decimal("1e-45") for x in joint)


def distance_of_sum(shift):
    """Total variation between a sum of widths 2.3 (one on the integers, one shifted) and the
    Gaussian of the pair.
    """
    first, second = weights(Decimal(0), REDUCED, 60), weights(shift, REDUCED, 60)
    found = dict.fromkeys(range(-120, 121), Decimal(0))
    for x, p in first.items():
        for y, q in second.items():
            found[x + y] += p * q
    left = weights(shift, REDUCED * Decimal(2).sqrt(), 120)
    return sum(abs(found[z] - left[z]) for z in left) / 2


@pytest.mark.parametrize("shift", [Decimal(0), Decimal("0.5")])
def test_a_sum_of_two_gaussians_is_one_within_the_distance_on_the_page(shift):
    """Step 3 of the reduction, exactly."""
    with localcontext(prec=60):
        distance = distance_of_sum(shift)
    assert distance < Decimal(2) ** -75
    assert "within 2^-75 of one in each coefficient" in PAGE
    for parameters, exponent in ((999_937, 58), (100_000_000, 51)):
        layout = layout_for(16, 5, parameters)
        elements = sum(section.count for section in layout.sections(parameters))
        coefficients = layout.ring.degree * (1 + elements)
        assert float(distance) * coefficients < 2.0**-exponent
    assert "within 2^-58, of 10^8 within 2^-51" in PAGE


def test_the_control_a_narrower_width_does_not_add_up():
    """Below the smoothing parameter the sum is no Gaussian: the check above can fail."""
    first = weights(Decimal(0), Decimal("0.4"), 20)
    second = weights(Decimal(0), Decimal("0.4"), 20)
    left = weights(Decimal(0), Decimal("0.4") * Decimal(2).sqrt(), 40)
    distance = sum(
        abs(sum(first[x] * second.get(z - x, Decimal(0)) for x in first) - left[z]) for z in left
    )
    assert distance > Decimal("0.01")


def test_samples_under_one_key():
    for parameters, bits, primes, samples in table("parameters | bits | primes | samples"):
        length = int(parameters.replace(",", ""))
        layout = layout_for(int(bits), 5, length)
        assert layout.primes == int(primes)
        elements = sum(section.count for section in layout.sections(length))
        assert elements == int(samples.replace(",", ""))


def log2_of_tail(deviations):
    """Base-2 logarithm of the sub-Gaussian bound 2 exp(-t²/2) on a sum beyond t deviations."""
    return 1 - deviations**2 / 2 / math.log(2)


def deviations(contributors):
    half = 1 << (NumberLayout(16, contributors, 3).error_bits - 1)
    return half / (float(SIGMA) * math.sqrt(contributors))


def test_the_margin_by_number_of_hospitals():
    for row in table("K | r | room ± | deviations"):
        contributors, room, half, shown, refused, wrong = (
            cell.removeprefix("2^").replace(",", "") for cell in row
        )
        layout = NumberLayout(16, int(contributors), 3)
        assert (layout.error_bits, 1 << (layout.error_bits - 1)) == (int(room), int(half))
        found = deviations(int(contributors))
        assert math.floor(10 * found) / 10 == float(shown)
        assert math.ceil(log2_of_tail(additive.ERROR_LIMIT * found)) == int(refused)
        assert math.ceil(log2_of_tail(found)) == int(wrong)


def test_86_hospitals_have_the_least_margin_and_it_is_twelve_deviations():
    # The margin does not depend on bits or primes; six bits leave room for every number.
    worst = min(range(1, 4097), key=deviations_alone)
    assert worst == 86
    assert "86 is the worst of all K up to 4096" in PAGE
    assert 12 <= deviations(86) < 12.01


def deviations_alone(contributors):
    room = math.ceil(math.log2(12 * float(SIGMA) * math.sqrt(contributors)))
    return 2.0**room / (float(SIGMA) * math.sqrt(contributors))


def test_the_share_at_which_a_round_is_refused():
    assert additive.ERROR_LIMIT == 0.75
    assert "beyond 0.75 of that refuses" in PAGE


def test_how_often_five_hospitals_lose_a_round_of_a_hundred_million():
    layout = layout_for(16, 5, 100_000_000)
    sections = layout.sections(100_000_000)
    coefficients = sum(section.count * section.degree for section in sections)
    assert coefficients < 2**24
    assert 24 + log2_of_tail(additive.ERROR_LIMIT * deviations(5)) < -37
    assert "2^24 coefficients: five hospitals lose a round with probability 2^-37" in PAGE


def test_samples_of_a_million_parameters_together():
    layout = layout_for(16, 5, 999_937)
    elements = sum(section.count for section in layout.sections(999_937))
    assert layout.ring.degree * (1 + elements) < 2**18
    assert "2^18 samples together within 2^-102" in PAGE
    # The distance of one sample, 2^-120, is held by test_secagg_gaussian.py.
    assert 18 - 120 == -102
    assert re.search(r"within 2\^-120 of the ideal", PAGE)


def test_bits_that_the_standard_allows():
    assert "27, 54, 109 and\n218 bits at degrees 1024, 2048, 4096 and 8192" in PAGE
    allowed = {1024: 27, 2048: 54, 4096: 109, 8192: 218}
    for ring in (*RINGS, *CIPHER_RINGS):
        assert math.prod(ring.primes).bit_length() <= allowed[ring.degree]


def test_the_page_says_how_little_the_small_rings_have_in_the_strictest_counts():
    small = [one for one in ESTIMATES["instances"] if one["degree"] < LARGE_RING.degree]
    assert min(int(one["least"]["core_svp"]) for one in small) == SMALL_CLASSICAL
    assert min(int(one["least"]["core_svp_quantum"]) for one in small) == SMALL_QUANTUM
    assert f"no more than {SMALL_CLASSICAL} bits, and {SMALL_QUANTUM} where" in PAGE
