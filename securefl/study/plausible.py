"""Implausible studies: figures that contradict nothing, and with which a budget buys no model.

Each limit is wide: whatever a person could mean is inside. The figures behind them are public, so
every hospital that is asked refuses the same studies as ``securefl study check`` and ``securefl
study new``.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from securefl.study.noise_shares import noise_shares
from securefl.study.registries import STRATEGIES
from securefl.study.training import training_of
from securefl.study.wire import least_bound, planned_patients

if TYPE_CHECKING:
    from securefl.study import schema
    from securefl.study.stages import Finding

#: Patients who train, in all hospitals together, that ``normaliser / sample_rate`` may stand for.
#: Fewer than 50 teach nothing that the noise of any useful epsilon would not hide; no consortium
#: treats more than a hundred million.
LEAST_PATIENTS: Final = 50
MOST_PATIENTS: Final = 10**8
#: A bound in clip norms this many times above the patients planned in a step is one in another
#: unit.
_BOUND_SLACK: Final = 10


def learning_faults(study: schema.Template) -> list[Finding]:
    """Figures of the training with which a study cannot learn: the key, and what would fit."""
    return [
        *_normaliser(study),
        *_rates(study),
        *_fewer(study),
        *_bound(study),
    ]


def _normaliser(study: schema.Template) -> list[Finding]:
    p = training_of(study)
    where = ("normaliser",)
    rate = p.sample_rate
    patients = Fraction(p.normaliser) / rate
    meant = (
        f"with sample_rate {rate} it stands for {math.floor(patients):,} patients who train in all"
        " hospitals together; write published patients x share that trains x sample_rate"
    )
    if patients < LEAST_PATIENTS:
        return [(where, f"{meant} ({math.ceil(LEAST_PATIENTS * rate)} or more)")]
    if patients > MOST_PATIENTS:
        return [(where, f"{meant} (at most {math.floor(MOST_PATIENTS * rate)})")]
    least = max((getattr(section, "minimum", 0) for section in study.stages), default=0)
    if patients < least:
        need = math.ceil(least * rate)
        return [(where, f"{meant}: a stage's minimum asks for {least:,}, so {need} or more")]
    return _drowned(study)


def clip_faults(study: schema.Template, longest: float) -> list[Finding]:
    """A clip norm so far above every gradient that the noise, which grows with it, hides them all.

    Args:
        study: template or study.
        longest: bound on the length of a patient's gradient.
    """
    p = training_of(study)
    noise, signal = _noise_and_signal(study)
    if signal < noise or noise * float(p.clip_norm) <= signal * longest:
        return []
    fault = (
        "cannot be meant: the noise is in clip norms, and no patient's gradient is longer than"
        f" about {longest:.2g}: it would hide all that the study could teach; take {longest:.2g} or"
        " less"
    )
    return [(("clip_norm",), fault)]


def _hospitals(study: schema.Template) -> int:
    return len(getattr(study, "participants", ())) or study.secagg.min_contributors


def _noise_and_signal(study: schema.Template) -> tuple[float, float]:
    """The noise of all hospitals over all steps, and the sum if every patient pulled one way.

    Both in clip norms, and divided by the root of the steps.
    """
    p = training_of(study)
    whole = noise_shares(study).in_sum(_hospitals(study))
    noise = float(p.noise_multiplier) * math.sqrt(whole)
    return noise, float(p.normaliser) * math.sqrt(p.steps)


def _drowned(study: schema.Template) -> list[Finding]:
    """Noise above all that a study could teach even if all patients pulled one way in all rounds."""
    p = training_of(study)
    hospitals = _hospitals(study)
    noise, signal = _noise_and_signal(study)
    if noise <= signal:
        return []
    need = math.ceil(noise / math.sqrt(p.steps))
    fault = (
        f"says {p.normaliser} patients a step, and the noise of {hospitals} hospitals over"
        f" {p.steps} steps is larger than all of them together could teach; take {need} or more"
        " (more patients, or a larger sample_rate), more steps, or less noise"
    )
    return [(("normaliser",), fault)]


def _rates(study: schema.Template) -> list[Finding]:
    training = training_of(study)
    strategy = STRATEGIES[training.strategy].of(training)
    faults = strategy.faults(training.local_steps, training.rounds)
    return [((field,), fault) for field, fault in faults]


def _fewer(study: schema.Template) -> list[Finding]:
    """Hospitals with fewer local steps that the study does not name, or no hospital with all."""
    fewer = training_of(study).fewer()
    names = [p.name for p in getattr(study, "participants", ())]
    if not names or not fewer:
        return []
    where = "fewer_steps"
    strangers = [((where, name), "is no hospital of this study") for name in {*fewer} - {*names}]
    if set(fewer) >= set(names):
        most = max(fewer[name] for name in names)
        return [
            ((where,), f"names every hospital: write local_steps = {most} and leave it out there")
        ]
    return sorted(strangers)


def _bound(study: schema.Template) -> list[Finding]:
    bound = training_of(study).bound
    where = ("bound",)
    if bound is None:
        return []
    patients = max(1, math.ceil(planned_patients(study)))
    if bound > _BOUND_SLACK * patients:
        fault = (
            f"is in clip norms, and a step is planned to draw {patients:,} patients at the largest"
            f" hospital, one clip norm each; delete the line, or write {patients}"
        )
        return [(where, fault)]
    least = least_bound(study)
    if bound < least:
        return [
            (
                where,
                (
                    f"cuts away most of what a step could teach: write {least} or more, or delete"
                    " the line"
                ),
            )
        ]
    return []
