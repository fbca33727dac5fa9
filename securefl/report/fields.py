"""Which ``secagg.bits`` and ``secagg.bound`` serve a study: what each width holds, and what it costs to send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from securefl.learning.features import feature_names
from securefl.learning.models import parameter_count
from securefl.report.meaning import hospitals
from securefl.report.parts import counted, table
from securefl.secagg.layouts import body_bytes, layout_for
from securefl.study.consistency import largest_bound

if TYPE_CHECKING:
    from rich.console import RenderableType

    from securefl.study.schema import Protocol

WIDTHS = (8, 12, 16, 20, 24)


@dataclass(frozen=True)
class FieldWidth:
    """One width of the encrypted fields.

    Args:
        bits: secagg.bits.
        bound: the largest secagg.bound beside this study's noise, in grid units; 0 where none fits.
        patients: how many patients who pull one way that bound takes: bound / grid.
        bytes_per_parameter: of a contribution, with empty places of its last ciphertext.
    """

    bits: int
    bound: int
    patients: int
    bytes_per_parameter: float


@dataclass(frozen=True)
class Fields:
    """The widths, and the least of them whose bound takes every patient that a step is planned to draw; None where none does.

    ``needed`` is that number of patients, at the hospital with the largest weight: normaliser x weight, both public.
    """

    widths: tuple[FieldWidth, ...]
    needed: int
    advised: FieldWidth | None


def plan_fields(study: Protocol) -> Fields:
    """Work the widths out from the study's public constants."""
    contributors = hospitals(study)
    largest = max((p.weight for p in getattr(study, "participants", ())), default=None)
    share = float(largest) if largest is not None else 1 / contributors
    needed = round(float(study.privacy.normaliser) * share)
    parameters = parameter_count(study.model, len(feature_names(study.data)))
    widths = []
    for bits in WIDTHS:
        size = body_bytes(layout_for(bits, contributors, parameters), parameters)
        bound = largest_bound(study, bits)
        widths.append(FieldWidth(bits, bound, bound // study.privacy.grid, size / parameters))
    return Fields(tuple(widths), needed, next((w for w in widths if w.patients >= needed), None))


def fields_words(study: Protocol, fields: Fields) -> list[str]:
    """What follows from them, in sentences."""
    s = study.secagg
    takes = s.bound // study.privacy.grid
    now = f"This study: {s.bits} bits, bound {s.bound:,}, which takes {counted(takes, 'patient')} who pull one way."
    planned = f"A step is planned to draw {counted(fields.needed, 'patient')} at the largest hospital"
    if s.bound > largest_bound(study, s.bits):
        verdict = f"{planned}; but this bound does not fit into {s.bits} bits beside the noise (the table shows what does)."
    elif takes >= fields.needed:
        return [now, f"{planned}: enough."]
    else:
        verdict = f"{planned}: too small, {takes:,} of the {fields.needed:,} patients planned in a step would meet it if they pulled one way."
    if fields.advised is None:
        return [now, verdict, "No width takes them all beside this noise: a smaller privacy.grid makes room (at least 2 units of noise must be left)."]
    return [now, verdict, f"The least that takes them all is {fields.advised.bits} bits with a bound of {fields.advised.bound:,}."]


def fields_table(fields: Fields) -> RenderableType:
    """The widths as a table."""
    rows = table(["bits", "largest bound", "patients pulling one way", "bytes a parameter"], right=[0, 1, 2, 3])
    for w in fields.widths:
        rows.add_row(str(w.bits), f"{w.bound:,}" if w.bound else "none", f"{w.patients:,}" if w.bound else "–", Text(f"{w.bytes_per_parameter:,.1f}"))
    return rows
