"""Claims of a study file against what follows from its noise: epsilons, and widths of fields."""

from __future__ import annotations

from decimal import ROUND_CEILING, Context, Decimal
from typing import TYPE_CHECKING

from securefl.errors import SecureFLError
from securefl.study.limits import MOST_EPSILON
from securefl.study.noise_shares import NoiseShares, least_share
from securefl.study.wire import count_bits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from securefl.study.stages import Finding
    from securefl.study.wire import Counting

#: A claimed epsilon may lie this much above the accountant's figure (people round up) and never
#: below it.
CLAIM_SLACK = Decimal("0.02")
#: The widest field that :class:`securefl.secagg.packing.FieldLayout` has (a test compares the two).
MAX_BITS = 24


def claim(epsilon: Decimal) -> str:
    """An epsilon as a study claims it: three digits, never below the figure.

    >>> claim(Decimal("0.99812"))
    '0.999'
    """
    return format(epsilon.normalize(Context(prec=3, rounding=ROUND_CEILING)), "f")


def claim_faults(
    claimed: Decimal,
    compute: Callable[[], Decimal],
    delta: Decimal,
) -> Iterator[Finding]:
    """A stage's claimed epsilon, where its noise costs another.

    Args:
        claimed: as the stage's table says.
        compute: gives the epsilon that the noise costs.
        delta: the study's.
    """
    fault = epsilon_fault(claimed, compute, delta)
    if fault is not None:
        yield ("epsilon",), fault


def width_faults(
    section: Counting,
    shares: NoiseShares,
    numbers: int,
) -> Iterator[Finding]:
    """A bound and a noise that no field of a sum holds, or a noise too small to be shared.

    Args:
        section: what is counted.
        shares: hospitals that add the noise together.
        numbers: length of the list.
    """
    share = shares.each(section.sigma)
    least = least_share(numbers)
    if shares.count > 1 and share < least:
        yield (
            ("noise_multiplier",),
            (
                f"leaves {share:.3g} counts of noise to each of {shares.count} hospitals that share"
                f" it; {least:g} are the least. Raise it, or lower secagg.min_contributors"
            ),
        )
    bits = count_bits(section)
    if bits > MAX_BITS:
        yield (
            ("bound",),
            f"makes fields of {bits} bits with its noise; {MAX_BITS} are the most: lower it",
        )


def epsilon_fault(
    claimed: Decimal,
    compute: Callable[[], Decimal],
    delta: Decimal,
) -> str | None:
    """What is wrong with a claimed epsilon; None where nothing is."""
    try:
        real = compute()
    except SecureFLError as error:  # the accountant has no figure, for instance an infinite one
        return f"{error.what} {error.next_step}"
    except (
        ArithmeticError,
        MemoryError,
    ):  # figures that no machine can work out must not stop a review
        return (
            f"the noise gives no epsilon that can be worked out at delta {delta}; raise"
            " noise_multiplier"
        )
    if not real.is_finite():
        return f"the noise gives no finite epsilon at delta {delta}; raise noise_multiplier"
    if real <= claimed <= real * (1 + CLAIM_SLACK):
        return None
    # three significant digits, rounded up: at most 1 % above the figure, so that the mend is
    # accepted
    need = real.normalize(Context(prec=3, rounding=ROUND_CEILING))
    if need > MOST_EPSILON:
        return (
            f"says {claimed}, but the noise gives {real:.4g} at delta {delta}, and at most"
            f" {MOST_EPSILON} may be asked for; raise noise_multiplier"
        )
    return (
        f'says {claimed}, but the noise gives {real:.4g} at delta {delta}; write "{need:f}" or'
        " change the noise"
    )
