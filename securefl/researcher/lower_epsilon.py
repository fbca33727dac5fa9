"""A protocol with as much more noise as a lower epsilon needs: what a hospital's offer asks for.

One factor, in hundredths of each noise multiplier, for all stages: what the stages tell beside each
other stays as it was planned. The claims of the file follow from the accountant.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any, Final

from securefl.errors import UsageError
from securefl.privacy.accounting import PldAccountant
from securefl.study.claims import claim
from securefl.study.seal import dump_toml
from securefl.study.sealed import UnsealedStudy
from securefl.study.stages import checks_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from securefl.study.schema import Template
    from securefl.study.stages import Priced, StageChecks

_HUNDREDTH: Final = Decimal("0.01")
#: The factor is found to this part of itself.
_CLOSE: Final = Decimal("0.005")
_MOST_FACTOR: Final = Decimal(1000)


def lower_epsilon(raw: dict[str, Any], most: Decimal) -> None:
    """Raise the noise of a protocol until it costs one patient at most so much, in place.

    Args:
        raw: values of a valid protocol.
        most: epsilon of the whole study, at its delta.

    Raises:
        UsageError: no noise that a study may have is enough.
    """
    stages = list(_noised_tables(raw))
    first = [Decimal(str(stage["noise_multiplier"])) for stage in stages]
    low = Decimal(1)
    high = Decimal(1)
    while _cost(raw, stages, first, high) > most:
        low = high
        high = high * 2
        if high > _MOST_FACTOR:
            raise UsageError(
                f"No noise makes this study cost {most} or less.",
                next_step="Make it shorter: fewer rounds, steps or stages.",
            )
    while high - low > _CLOSE * low:
        middle = (low + high) / 2
        if _cost(raw, stages, first, middle) > most:
            low = middle
        else:
            high = middle
    whole = _cost(raw, stages, first, high)
    study = _read(raw)
    accountant = PldAccountant()
    for stage, checks in zip(raw["stages"], checks_of(study), strict=True):
        for table, releases in _claims(stage, checks):
            mechanisms = [one.charge.mechanism for one in releases]
            table["epsilon"] = claim(accountant.composed_epsilon(mechanisms, study.privacy.delta))
    if "epsilon" in raw["privacy"]:
        raw["privacy"]["epsilon"] = claim(whole)


def _noised_tables(raw: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Tables of a study file that say a noise: of stages, and of looks at a training."""
    for stage in raw["stages"]:
        for table in (stage, stage.get("looks", {})):
            if "noise_multiplier" in table:
                yield table


def _claims(
    stage: dict[str, Any],
    checks: StageChecks,
) -> Iterator[tuple[dict[str, Any], list[Priced]]]:
    """Tables of a stage that claim an epsilon, each with what it covers.

    Looks are about patients kept aside, and the training about the others.
    """
    releases = list(checks.releases())
    looks = stage.get("looks")
    if looks is not None:
        yield looks, [one for one in releases if one.aside]
        releases = [one for one in releases if not one.aside]
    if "noise_multiplier" in stage:
        yield stage, releases


def _cost(
    raw: dict[str, Any],
    stages: Sequence[dict[str, Any]],
    first: Sequence[Decimal],
    factor: Decimal,
) -> Decimal:
    """Write the noise times a factor, and work out what the whole costs one patient."""
    for stage, noise in zip(stages, first, strict=True):
        raised = (noise * factor).quantize(_HUNDREDTH, rounding=ROUND_CEILING)
        stage["noise_multiplier"] = f"{raised:f}"
    return _whole(_read(raw))


def _read(raw: dict[str, Any]) -> Template:
    return UnsealedStudy.read(dump_toml(raw)).study


def _whole(study: Template) -> Decimal:
    """Epsilon of one patient: of those who train or those kept aside, the larger."""
    releases: list[Priced] = [one for stage in checks_of(study) for one in stage.releases()]
    accountant = PldAccountant()
    found = []
    for aside in (False, True):
        group = [one.charge.mechanism for one in releases if one.aside is aside]
        if group:
            found.append(accountant.composed_epsilon(group, study.privacy.delta))
    return max(found)
