"""Continuation of an earlier study: its digest, and its released model as the first weights.

The weights stand in the study file, so the digest covers them and nothing else has to travel: every
party derives the first round from the study alone. A released model is the output of noised steps,
so whatever starts from it is post-processing and costs no budget of its own (Dwork and Roth 2014,
proposition 2.1); the new rounds are charged like those of any study.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

from securefl.study.fields import Fault
from securefl.study.training import training_if_any

if TYPE_CHECKING:
    from securefl.study.schema import Template

#: Weights of a model that a study file has room for: 8 bytes each, as base64, beside its texts.
MOST_WEIGHTS: Final = 20_000


def weights_text(raw: bytes) -> str:
    """Weights as a study file holds them: base64 of little-endian float64."""
    return base64.b64encode(raw).decode("ascii")


def weights_raw(text: str) -> bytes:
    """The inverse of :func:`weights_text`.

    Raises:
        ValueError: no base64, or not the one form that these bytes have.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if weights_text(raw) != text:
        raise ValueError("not the shortest form of these bytes")
    return raw


def check_continues(study: Template) -> None:
    """Refuse a continuation that names no study, or that trains nothing.

    Raises:
        Fault: naming the place.
    """
    train = training_if_any(study)
    if train is None:
        if study.continues is not None:
            raise Fault(
                "names the study whose model is trained on, and no stage trains one; delete it",
                "continues",
            )
        return
    if train.start_weights is not None and study.continues is None:
        raise Fault(
            "are the model of an earlier study, and the study names none; write"
            ' continues = "DIGEST" at its top, or delete them',
            "stages",
            study.stages.index(train),
            "start_weights",
        )


def check_sealed_start(study: Template) -> None:
    """Refuse a sealed study that names an earlier one and does not hold its model.

    Raises:
        Fault: naming the place.
    """
    train = training_if_any(study)
    if study.continues is None or train is None or train.start_weights is not None:
        return
    raise Fault(
        "names an earlier study, and its model is not here; `securefl study new` adds it",
        "continues",
    )
