"""Price of several studies of the same patients, all fixed beforehand: what they cost together.

A setting that is chosen on patients' own rows is a release about them (Papernot and Steinke 2022,
arXiv:2110.03620). Every party sees the sums of every setting here, the losing ones too, so the
cheaper price of a search that shows its winner alone is not to be had: the settings compose.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from securefl.learning.stages.programme import charges_of
from securefl.privacy.accounting import MOST_EPSILON, pld_epsilon, rdp_epsilon

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from securefl.privacy.mechanisms import Mechanism
    from securefl.study.schema import Template

#: Settings of other noise, rates or rounds than one another whose tight figure is worked out; it
#: takes seconds for each.
_MOST_TIGHT: Final = 4


@dataclass(frozen=True)
class SweepPrice:
    """Epsilon of a sweep, had it been run on patients' records.

    Attributes:
        points: settings.
        one: epsilon of the costliest by itself, of its whole study.
        together: of all of them, by composition; both at the study's delta.
        delta: of the study.
    """

    points: int
    one: str
    together: str
    delta: str

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def sweep_price(studies: Sequence[Template]) -> SweepPrice:
    """Price the studies of a sweep.

    Args:
        studies: of the same data and delta, at least one.
    """
    return SweepPrice(
        points=len(studies),
        one=_words(max(epsilon_together([study]) for study in studies)),
        together=_words(epsilon_together(studies)),
        delta=f"{studies[0].privacy.delta:f}",
    )


def epsilon_together(studies: Sequence[Template]) -> Decimal:
    """Epsilon of all releases of these studies, at the delta of the first.

    Patients who train and patients kept aside are others, split by the same keyed hash in each
    study, so the larger figure is one patient's (McSherry 2009, parallel composition).
    """
    delta = studies[0].privacy.delta
    charges = [charge for study in studies for charge in charges_of(study)]
    trained = [charge.mechanism for charge in charges if not charge.aside]
    aside = [charge.mechanism for charge in charges if charge.aside]
    return max(_composed(group, delta) for group in (trained, aside))


def _composed(mechanisms: Sequence[Mechanism], delta: Decimal) -> Decimal:
    """The tight figure where it is quick; else the Rényi one, which is never smaller."""
    quick = rdp_epsilon(mechanisms, delta)
    kinds = {(m.noise_multiplier, m.sample_rate, m.shares) for m in mechanisms}
    if quick > MOST_EPSILON or len(kinds) > _MOST_TIGHT:
        return quick
    return pld_epsilon(mechanisms, delta)


def _words(epsilon: Decimal) -> str:
    if epsilon > MOST_EPSILON:
        return f"more than {MOST_EPSILON}"
    return f"{epsilon:.4g}"
