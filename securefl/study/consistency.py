"""Consistency of redundant figures: an epsilon must follow from its noise.

The accountant is passed in, so that this room needs no framework.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Context, Decimal
from typing import TYPE_CHECKING, Protocol

from securefl.errors import SecureFLError, StudyError
from securefl.study.faults import at
from securefl.study.limits import MOST_EPSILON
from securefl.study.lines import line_index
from securefl.study.parse import parse_any
from securefl.study.plausible import learning_faults
from securefl.study.wire import count_bits

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

    from securefl.study import schema
    from securefl.study.plausible import Finding

#: A claimed epsilon may lie this much above the accountant's figure (people round up) and never
#: below it.
CLAIM_SLACK = Decimal("0.02")


class Accountant(Protocol):
    """The two figures this check needs.

    They are decimals, as the claims are: a float of one lies above or below it by chance.
    """

    def training_epsilon(
        self, noise_multiplier: Decimal, sample_rate: Fraction, steps: int, delta: Decimal
    ) -> Decimal:
        """PLD epsilon of ``steps`` Poisson-subsampled Gaussian releases."""

    def evaluation_epsilon(self, noise_multiplier: Decimal, delta: Decimal) -> Decimal:
        """PLD epsilon of one Gaussian release of sensitivity 1."""


#: The widest field that :class:`securefl.secagg.packing.FieldLayout` has (a test compares the two).
MAX_BITS = 24


def check_consistency(study: schema.Template, accountant: Accountant, text: str = "") -> None:
    """Refuse a protocol or study whose figures contradict each other.

    Args:
        study: as parsed.
        accountant: gives the epsilons that the noise really costs.
        text: the file it was parsed from; with it each contradiction names its line.

    Raises:
        StudyError: listing every contradiction with the figure that would fit.
    """
    named = contradictions(study, accountant, text)
    if named:
        raise StudyError(
            "The study's figures contradict each other:\n"
            + "\n".join(f"  {f}" for f in named)
            + "\n",
            next_step="Mend the figures and run `securefl study check` again.",
        )


def parse_consistent(text: bytes, accountant: Accountant) -> schema.Template:
    """Read a protocol or study whose figures agree.

    The one door for a file that a person hands to a command. A table is registered and a budget's
    order is chosen by the same rules by which a study is made.

    Raises:
        StudyError: as :func:`~securefl.study.parse.parse_any` and :func:`check_consistency`.
    """
    found = parse_any(text)
    check_consistency(found, accountant, text.decode())
    return found


def contradictions(study: schema.Template, accountant: Accountant, text: str = "") -> list[str]:
    """List what :func:`check_consistency` refuses, a sentence each with its place.

    Empty where the figures agree.
    """
    faults = [
        *_unit(study),
        *_steps(study),
        *_epsilons(study, accountant),
        *_fields(study),
        *learning_faults(study),
        *_contributors(study),
        *_dropouts(study),
    ]
    if not text:
        return [f"{'.'.join(path)}: {fault}" for path, fault in faults]
    # The index is worked out only where there is something to point to.
    if not faults:
        return []
    lines = line_index(text)
    return [f"{at(path, lines)}: {fault}" for path, fault in faults]


def _unit(study: schema.Template) -> list[Finding]:
    if study.privacy.unit == "patient" or study.data.max_rows_per_patient == 1:
        return []
    # a limit would let one row's absence admit another row of the same patient: two records would
    # change at once
    fault = (
        'must be 1 with privacy.unit = "record", where every row counts alone; for several rows of'
        ' a patient together use unit = "patient"'
    )
    return [(("data", "max_rows_per_patient"), fault)]


def _steps(study: schema.Template) -> list[Finding]:
    t = study.training
    want = t.rounds * t.local_steps
    if study.privacy.steps == want:
        return []
    return [
        (
            ("privacy", "steps"),
            (
                f"says {study.privacy.steps}, but {t.rounds} rounds of {t.local_steps} make {want};"
                f" write {want}"
            ),
        )
    ]


def _epsilons(study: schema.Template, accountant: Accountant) -> list[Finding]:
    p, e = study.privacy, study.evaluation
    claims = [
        (
            "privacy",
            p.epsilon,
            lambda: accountant.training_epsilon(
                p.noise_multiplier, p.sample_rate, p.steps, p.delta
            ),
        ),
        (
            "evaluation",
            e.epsilon,
            lambda: accountant.evaluation_epsilon(e.noise_multiplier, p.delta),
        ),
    ]
    if (c := study.preparation) is not None:
        claims.append(
            (
                "preparation",
                c.epsilon,
                lambda: accountant.evaluation_epsilon(c.noise_multiplier, p.delta),
            )
        )
    return [
        ((table, "epsilon"), fault)
        for table, claimed, real in claims
        if (fault := _epsilon_fault(claimed, real, p.delta))
    ]


def _epsilon_fault(claimed: Decimal, compute: Callable[[], Decimal], delta: Decimal) -> str | None:
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


def _fields(study: schema.Template) -> list[Finding]:
    faults: list[Finding] = []
    for table in ("evaluation", "preparation"):
        spec = getattr(study, table)
        if spec is not None and count_bits(spec) > MAX_BITS:
            fault = (
                f"makes fields of {count_bits(spec)} bits with its noise; {MAX_BITS} are the most:"
                " lower it"
            )
            faults.append(((table, "bound"), fault))
    return faults


def _contributors(study: schema.Template) -> list[Finding]:
    s = study.secagg
    where = ("secagg", "min_contributors")
    faults: list[Finding] = []
    if s.min_contributors < s.colluders + 2:
        faults.append((where, f"must be at least colluders + 2 = {s.colluders + 2}"))
    participants = getattr(study, "participants", None)
    if participants is None:
        return faults
    k = len(participants)
    if s.min_contributors > k:
        faults.append(
            (
                where,
                f"says {s.min_contributors}, but the study has {k} participants; write at most {k}",
            )
        )
    if 2 * s.min_contributors <= k + s.colluders:
        need = (k + s.colluders) // 2 + 1
        fault = (
            f"must be at least {need}: with fewer, two different sets of hospitals could be opened"
            " in one round (2 x min_contributors > participants + colluders)"
        )
        faults.append((where, fault))
    return faults


#: Everybody deals to everybody, so work grows with the square of the hospitals: at 60 the dealings
#: are 0.2 MB a hospital and round.
LARGEST_THAT_GOES_ON = 100


def _dropouts(study: schema.Template) -> list[Finding]:
    k = len(getattr(study, "participants", ()))
    if study.schedule.on_dropout == "fail" or k == 0:
        return []
    where = ("schedule", "on_dropout")
    if k > LARGEST_THAT_GOES_ON:
        return [
            (
                where,
                (
                    f'"continue" works with up to {LARGEST_THAT_GOES_ON} hospitals, and the study'
                    f' has {k}; write "fail"'
                ),
            )
        ]
    if study.secagg.min_contributors >= k:
        return [
            (
                where,
                (
                    f'"continue" can lose nobody while secagg.min_contributors is {k}, all'
                    ' participants; lower it, or write "fail"'
                ),
            )
        ]
    return []
