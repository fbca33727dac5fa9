"""Sentences on how an update travels: what rounding and saturation do after the noise, and what
each width costs to send.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from securefl.learning.models import family_of
from securefl.learning.strategies import strategy_of
from securefl.report.explain_study import hospitals
from securefl.report.page import Table
from securefl.report.words import plural
from securefl.secagg.layouts import body_bytes, layout_for
from securefl.study.noise_shares import noise_shares
from securefl.study.training import training_of
from securefl.study.wire import SHOWN, bound_of, planned_patients, usual_bound, wire_of

if TYPE_CHECKING:
    from securefl.study.schema import Template

WIDTHS = (6, 8, 12, 16, 20, 24)
#: Below this a part of the noise's variance, or a chance, is said to be nothing.
_NOTHING = 1e-5


@dataclass(frozen=True)
class FieldWidth:
    """One width of the encrypted fields.

    Args:
        bits: of a field.
        bound: patients who may pull one way before anything is cut, in a step: what the study
            states, or the usual bound.
        added_variance: what rounding adds to the noise's variance, as a part of it.
        bytes_per_parameter: of a contribution, with empty places of its last ciphertext.
    """

    bits: int
    bound: int
    added_variance: float
    bytes_per_parameter: float


@dataclass(frozen=True)
class Fields:
    """The widths, and this study's own.

    ``planned`` is how many patients a step is planned to draw at the hospital with the largest
    weight; ``saturation`` the chance that a value is cut whose sum before noise is as large as
    ``bound``.
    """

    widths: tuple[FieldWidth, ...]
    own: FieldWidth
    planned: int
    saturation: float


def plan_fields(study: Template) -> Fields:
    """Work the widths out from the study's public constants."""
    wire = wire_of(study)
    return Fields(
        widths=tuple(_width(study, bits) for bits in WIDTHS),
        own=_width(study, training_of(study).bits),
        planned=math.ceil(planned_patients(study)),
        saturation=wire.chance_of_saturation(float(wire.bound)),
    )


def _width(study: Template, bits: int) -> FieldWidth:
    parameters = family_of(training_of(study).model, study.data).parameters
    sent = strategy_of(training_of(study)).sent_size(parameters)
    size = body_bytes(layout_for(bits, hospitals(study), sent), sent)
    stated = training_of(study).bound
    bound = usual_bound(study, bits) if stated is None else stated
    return FieldWidth(bits, bound, wire_of(study, bits, bound).added_variance, size / parameters)


def fields_json(fields: Fields) -> dict[str, Any]:
    """The widths as plain JSON values."""
    return {
        "bits": fields.own.bits,
        "bound": fields.own.bound,
        "planned_patients": fields.planned,
        "added_variance": fields.own.added_variance,
        "saturation": fields.saturation,
        "widths": [asdict(width) for width in fields.widths],
    }


def fields_words(study: Template, fields: Fields) -> list[str]:
    """Consequences of the widths, in sentences."""
    own = fields.own
    bound = bound_of(study)
    said = "as bound says" if training_of(study).bound is not None else "the usual bound"
    rounding = (
        f"After the noise each hospital rounds its sum by lot to fields of {own.bits} bits. That"
        f" costs no privacy; it adds {variance_words(own.added_variance)} to the noise's variance."
    )
    shown = f"{plural(bound, 'patient')} who pull one way in a step ({said})"
    lines = [rounding, _cutting(study, shown, fields.saturation)]
    planned = (
        f"A step is planned to draw {plural(fields.planned, 'patient')} at the largest hospital"
    )
    if bound >= fields.planned:
        lines.append(f"{planned}: all of them may pull one way.")
    else:
        lines.append(
            f"{planned}. If more than {bound:,} of them pull the same weight one way, as they may"
            " in the first rounds at the output's bias, it moves as far in a few rounds more."
        )
    if own.added_variance > 0.1:
        lines.append(
            "That is much: more bits, or a smaller bound, would learn more from the same budget."
        )
    return lines


def _cutting(study: Template, shown: str, saturation: float) -> str:
    """What happens to a sum that is larger than a field shows."""
    if noise_shares(study).count > 1:
        return (
            f"Before the noise each number of a sum is limited to {shown}. A field holds every draw"
            " of the noise beside that, so nothing is cut after it."
        )
    return (
        f"A field shows {shown} and {SHOWN} standard deviations of noise on either side; what is"
        " larger is cut to that. A value at that bound is cut with a chance of"
        f" {chance_words(saturation)}."
    )


def variance_words(part: float) -> str:
    """A part of the noise's variance in percent."""
    if part < _NOTHING:
        return "less than 0.001 %"
    return f"{100 * part:.2g} %"


def chance_words(chance: float) -> str:
    """A small chance, as one in so many."""
    if chance < 1e-9:
        return "less than 1 in 1,000,000,000"
    return f"1 in {round(1 / chance):,}"


def fields_table(fields: Fields) -> Table:
    """The widths as a table."""
    return Table(
        ("bits", "patients pulling one way", "added to the noise's variance", "bytes a parameter"),
        tuple(
            (
                str(w.bits),
                f"{w.bound:,}",
                variance_words(w.added_variance),
                f"{w.bytes_per_parameter:,.1f}",
            )
            for w in fields.widths
        ),
        right=frozenset({0, 1, 2, 3}),
    )
