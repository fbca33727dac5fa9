"""Evaluation of a time to an event in the study file: bands of the risk by when the event came."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from securefl.study.counts import EvaluateSection


class CIndexSection(EvaluateSection):
    """A histogram of held-out patients by band of the predicted risk, and by the interval in which
    the event came or the observation ended. A patient counts in one number.

    The bands lie around the published curve, even in the hyperbolic sine of the log odds, as those
    of a score do (:mod:`securefl.study.edges`).
    """

    metric: Literal["c-index"]
    bins: Annotated[int, Field(ge=2, le=32)] = 8
