"""Study files of a sweep on patients' records: one for each setting, and their price together.

A setting is a study of its own: hospitals are asked for each, and each ledger charges each. All of
them are fixed beforehand, so the tight composition is their price, and to choose among the released
figures costs nothing more. Nothing cheaper is claimed: a search at a random length that shows its
winner alone (Papernot and Steinke 2022, arXiv:2110.03620) needs the losers hidden, and here all
parties verify the sums of every one.
"""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any, Final

from securefl.errors import UsageError
from securefl.learning.stages.looks import LOOK
from securefl.learning.stages.programme import Programme, charges_of
from securefl.privacy.accounting import PldAccountant, pld_epsilon
from securefl.privacy.forecast import budget_shares
from securefl.simulation.settings import changed, grid
from securefl.simulation.sweep_price import epsilon_together, sweep_price
from securefl.study.claims import claim
from securefl.study.consistency import contradictions
from securefl.study.seal import dump_toml
from securefl.study.sealed import UnsealedStudy
from securefl.study.study_clone import protocol_values
from securefl.study.training import training_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from securefl.learning.stages.stage import Stage
    from securefl.privacy.forecast import BudgetShare
    from securefl.simulation.sweep_price import SweepPrice

#: Studies of one sweep: each asks every hospital for a yes.
MOST_STUDIES: Final = 20
#: Factors of the noise that are tried until all settings cost no more than the file.
_TRIES: Final = 40
_LOUDER: Final = 1.05
_HUNDREDTH: Final = Decimal("0.01")


@dataclass(frozen=True)
class SweepStudy:
    """One setting as a study.

    Attributes:
        changes: field of the train stage to its value, as typed.
        template: the file.
        training: epsilon of its training.
        whole: epsilon of the whole study.
    """

    changes: Mapping[str, str]
    template: UnsealedStudy
    training: Decimal
    whole: Decimal

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.template.study.study.id}.toml"

    @property
    def text(self) -> str:
        """The study file."""
        return dump_toml(self.template.raw)


@dataclass(frozen=True)
class SweepFiles:
    """Studies of a sweep.

    Attributes:
        study: id of the file that they were made of.
        title: its title.
        alone: epsilon of that file.
        studies: one a setting.
        price: of all of them.
        budgets: what all of them take of usual budgets.
    """

    study: str
    title: str
    alone: Decimal
    studies: tuple[SweepStudy, ...]
    price: SweepPrice
    budgets: tuple[BudgetShare, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "study": self.study,
            "epsilon_of_the_file": float(self.alone),
            "price": self.price.to_dict(),
            "studies": [
                {
                    "file": one.name,
                    "changes": dict(one.changes),
                    "epsilon_training": float(one.training),
                    "epsilon": float(one.whole),
                }
                for one in self.studies
            ],
            "budgets": [
                {
                    "epsilon": float(one.epsilon),
                    "share": None if one.part is None else float(one.part),
                    "sweeps": one.room,
                }
                for one in self.budgets
            ],
        }


def sweep_files(
    text: bytes,
    points: Mapping[str, Sequence[str]],
    *,
    keep_epsilon: bool = False,
) -> SweepFiles:
    """Make a study of each setting.

    Args:
        text: a template, or a sealed study whose parties are left out.
        points: field of the train stage to values; all combinations are made.
        keep_epsilon: give each so much more noise that all together cost what the file costs.

    Raises:
        StudyError: the text is no study.
        UsageError: one setting alone, too many, or one that makes no study.
    """
    base = UnsealedStudy.read(dump_toml(protocol_values(text)))
    settings = grid(points)
    if not 2 <= len(settings) <= MOST_STUDIES:
        raise UsageError(
            f"{len(settings)} settings make no sweep on records; 2 to {MOST_STUDIES} do.",
            next_step="Name more or fewer values with --points.",
        )
    plain = [changed(base, setting) for setting in settings]
    made = [_claimed(template, 1.0) for template in plain]
    alone = epsilon_together([base.study])
    if keep_epsilon:
        made = _within(plain, alone)
    price = sweep_price([template.study for template in made])
    charges = [charge for template in made for charge in charges_of(template.study)]
    return SweepFiles(
        study=base.study.study.id,
        title=base.study.study.title,
        alone=alone,
        studies=tuple(
            _named(template, setting, number, price)
            for number, (template, setting) in enumerate(zip(made, settings, strict=True), 1)
        ),
        price=price,
        budgets=budget_shares(charges, 1, base.study.privacy.delta),
    )


def _within(plain: Sequence[UnsealedStudy], most: Decimal) -> list[UnsealedStudy]:
    """The settings with so much more noise that all together cost at most this epsilon.

    The root of their number is enough where they release alike: k Gaussian releases of root k times
    the noise lose what one of the noise does, and sampled ones less.
    """
    factor = math.sqrt(len(plain))
    for _ in range(_TRIES):
        made = [_claimed(template, factor) for template in plain]
        if epsilon_together([template.study for template in made]) <= most:
            return made
        factor *= _LOUDER
    raise UsageError(
        "No noise keeps these settings together at the epsilon of the file.",
        next_step="Leave out --keep-epsilon, or name fewer values.",
    )


def _claimed(template: UnsealedStudy, factor: float) -> UnsealedStudy:
    """The template with so many times the noise, and with the epsilons that follow."""
    raw = deepcopy(template.raw)
    if factor > 1:
        for table in _noised(raw):
            louder = Decimal(str(table["noise_multiplier"])) * Decimal(factor)
            table["noise_multiplier"] = f"{louder.quantize(_HUNDREDTH, ROUND_CEILING):f}"
    study = UnsealedStudy.read(dump_toml(raw)).study
    for stage, table in zip(Programme(study).stages, raw["stages"], strict=True):
        table["epsilon"] = _claim_of(stage, looks=False)
        if "looks" in table:
            table["looks"]["epsilon"] = _claim_of(stage, looks=True)
    if study.privacy.epsilon is not None:
        raw["privacy"]["epsilon"] = claim(epsilon_together([study]))
    return UnsealedStudy.read(dump_toml(raw))


def _noised(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tables of the file that name a noise."""
    tables = [*raw["stages"], *(one["looks"] for one in raw["stages"] if "looks" in one)]
    return [table for table in tables if "noise_multiplier" in table]


def _claim_of(stage: Stage, *, looks: bool) -> str:
    """Epsilon of a stage's looks, or of all else that it releases."""
    mechanisms = [
        release.charge.mechanism for release in stage.releases() if (release.kind == LOOK) == looks
    ]
    return claim(pld_epsilon(mechanisms, stage.study.privacy.delta))


def _named(
    template: UnsealedStudy,
    setting: Mapping[str, str],
    number: int,
    price: SweepPrice,
) -> SweepStudy:
    """The setting under an id of its own, with a sentence for owners who are asked for it."""
    raw = deepcopy(template.raw)
    typed = ", ".join(f"{field}={value}" for field, value in setting.items())
    head = raw["study"]
    head["id"] = f"{head['id']}-{number}"
    head["title"] = f"{head['title']} (setting {number} of {price.points}: {typed})"
    head["purpose"] = (
        f"{head['purpose'].rstrip()} This study is one of {price.points} settings that are tried on"
        f" the same patients and compared; all of them together cost epsilon {price.together} at"
        f" delta {price.delta}."
    )
    made = UnsealedStudy.read(dump_toml(raw))
    faults = contradictions(made.study, PldAccountant())
    if faults:
        raise UsageError(
            f"The setting {typed} makes no study: {'; '.join(faults)}.",
            next_step="Give other values with --points, or mend the file first.",
        )
    section = training_of(made.study)
    return SweepStudy(setting, made, section.epsilon, epsilon_together([made.study]))
