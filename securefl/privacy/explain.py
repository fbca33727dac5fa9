"""Privacy figures in plain words, for owners and patients.

Numbers here are the ones in the files, only said differently. Never "budget minus epsilon":
epsilons do not subtract. A budget is told as the share used and as how many more studies like this
one fit.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, localcontext


def percent(share: Decimal, *, rounding: str = ROUND_CEILING) -> str:
    """Write a share of 0 to 1 as people do: one decimal below 10 %, none above.

    >>> percent(Decimal("0.1773")), percent(Decimal("0.0421")), percent(Decimal("0")), percent(Decimal("1"))
    ('18 %', '4.3 %', '0 %', '100 %')
    """
    value = share * 100
    step = Decimal(1)
    if value < 10 and value != value.to_integral_value():
        step = Decimal("0.1")
    return _percent_text(value.quantize(step, rounding=rounding))


def _percent_text(value: Decimal) -> str:
    """Write a rounded figure without the decimals of a whole one."""
    if value == value.to_integral_value():
        return f"{value:.0f} %"
    return f"{value} %"


def guess_percent(epsilon: Decimal) -> str:
    """The most that a coin-flip guess can rise to, in per cent: ``e^epsilon / (1 + e^epsilon)``.

    It stands after "at most", so it is never told more than 0.15 points too low: a tenth of a per
    cent, rounded up, but the whole per cent where the figure is less than 0.15 above it (epsilon 1:
    73.106, "73 %"). From 99 % on, where a tenth is much, with no such exception, from 99.9 % on in
    hundredths.

    By Bayes' rule, for even prior odds and a likelihood ratio of at most ``e^epsilon``
    (Kasiviswanathan and Smith 2014); the chance of delta is told beside it.

    >>> [guess_percent(Decimal(e)) for e in ("0", "0.5", "1", "1.0182", "3", "8", "20")]
    ['50 %', '62.3 %', '73 %', '73.5 %', '95.3 %', '99.97 %', '100 %']
    """
    with localcontext(Context(prec=30)):
        grown = epsilon.exp()
        value = 100 * grown / (1 + grown)
    whole = value.to_integral_value(rounding=ROUND_FLOOR)
    if value < 99 and value - whole < Decimal("0.15"):
        return f"{whole} %"
    step = Decimal("0.1")
    if value > Decimal("99.9"):
        step = Decimal("0.01")
    return _percent_text(value.quantize(step, rounding=ROUND_CEILING))


def one_in(delta: Decimal) -> str:
    """Write a small probability as people say it, rounded to the larger chance.

    >>> one_in(Decimal("1e-5")), one_in(Decimal("0.00003"))
    ('1 in 100,000', '1 in 33,333')
    """
    return f"1 in {int((1 / delta).to_integral_value(rounding=ROUND_FLOOR)):,}"


def explain_epsilon(epsilon: Decimal, delta: Decimal, of: str = "the result") -> str:
    """Meaning of an epsilon for one patient, in a sentence.

    Args:
        epsilon: of a study, or of a budget.
        delta: the chance that the bound does not hold.
        of: what is studied, as it stands after "Whoever studies".

    >>> explain_epsilon(Decimal(1), Decimal("1e-5"))[-60:]
    'from 50 % to at most 73 %, but for a chance of 1 in 100,000.'
    """
    return (
        f"Whoever studies {of} can raise a coin-flip guess whether one patient's record was used"
        f" from 50 % to at most {guess_percent(epsilon)}, but for a chance of {one_in(delta)}."
    )


def shared_sentence(epsilon: Decimal | str) -> str:
    """The other figure of a study whose noise hospitals share.

    >>> shared_sentence("1.7")[:44]
    'Its noise is shared: epsilon 1.7 if the mask'
    """
    return f"Its noise is shared: epsilon {epsilon} if the masks failed, with one share alone."


def explain_share(used: Decimal, room: int) -> str:
    """Say in a sentence how far a budget has gone.

    >>> explain_share(Decimal("0.1773"), 5)
    '18 % of the budget used; room for 5 more studies like this.'
    >>> explain_share(Decimal("0.9"), 1)
    '90 % of the budget used; room for 1 more study like this.'
    >>> explain_share(Decimal(1), 0)
    '100 % of the budget used; no room for another study like this.'
    """
    if room < 1:
        return f"{percent(used)} of the budget used; no room for another study like this."
    return (
        f"{percent(used)} of the budget used; room for {room} more"
        f" {'study' if room == 1 else 'studies'} like this."
    )
