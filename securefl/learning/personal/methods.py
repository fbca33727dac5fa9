"""Ways to make a hospital's own model of a finished one, each with settings to choose from.

A method fits all its settings to some rows at once. Which setting is taken, is chosen on training
rows alone (:mod:`securefl.learning.personal.choosing`). How to add one: a class here, a line in
:data:`METHODS`, and its column in ``benchmarks/differ/personal.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from securefl.learning.personal.local_loss import least

if TYPE_CHECKING:
    from collections.abc import Mapping

    from securefl.learning.personal.local_loss import LocalLoss
    from securefl.types import FloatArray

#: Deviations that a weight may have from the model that it starts from, tried in this order.
DEVIATIONS: Final = (0.05, 0.2, 0.8, 3.2, 12.8)
#: Deviations that are expected of the logarithm of the scores' scale and of their shift: both stay
#: finite where the rows of a hospital are told apart without an error.
_SCALE, _SHIFT = 0.5, 3.0


class Method(ABC):
    """A way to make an own model.

    Attributes:
        name: in JSON.
    """

    name: ClassVar[str]

    @abstractmethod
    def fit(self, loss: LocalLoss, start: FloatArray) -> Mapping[str, FloatArray]:
        """The model of each setting, the most cautious one first.

        Args:
            loss: of the rows that are learnt from.
            start: float64[p], the model to start from.
        """

    @abstractmethod
    def words(self, setting: str) -> str:
        """A setting in words, for the owner."""


class Recalibration(Method):
    """Scores are shifted, or shifted and scaled, to fit this hospital; their order within one class
    of outcome changes in no other way (Platt 1999; for several classes Guo et al. 2017,
    arXiv:1706.04599).
    """

    name = "recalibration"
    _SETTINGS: Final = {"shift": False, "shift and scale": True}

    def fit(self, loss: LocalLoss, start: FloatArray) -> dict[str, FloatArray]:
        """Nothing where the family's scores cannot be rescaled."""
        scores = loss.scores(start)
        found = {}
        for setting, scaled in self._SETTINGS.items():
            scale, shift = _recalibrated(loss, scores, scaled=scaled)
            theta = loss.family.rescaled(start, scale, shift)
            if theta is not None:
                found[setting] = theta
        return found

    def words(self, setting: str) -> str:
        """What is moved."""
        moved = "shifted"
        if self._SETTINGS[setting]:
            moved = "shifted and stretched"
        return f"the study's model, its scores {moved} to fit here"


class Near(Method):
    """The loss on the hospital's own rows is made least, with a pull towards the study's model that
    grows with the square of the distance.

    It is the personal objective of Ditto (Li, Hu, Beirami and Smith 2021, arXiv:2012.04221) and of
    mean-regularised learning (MR-MTL: Liu, Hu, Wu and Smith 2022, arXiv:2206.07902), which differ
    in how their common model comes about; here it is the study's. A deviation of s is a Gaussian
    prior of that standard deviation on each weight's distance.
    """

    name = "near"

    def fit(self, loss: LocalLoss, start: FloatArray) -> dict[str, FloatArray]:
        """From the strongest pull to the weakest, each from where the one before ended."""
        found = {}
        theta = start
        for deviation in DEVIATIONS:
            theta = _near(loss, start, theta, 1.0 / deviation**2)
            found[f"{deviation:g}"] = theta
        return found

    def words(self, setting: str) -> str:
        """How far the weights may move."""
        return f"the study's model, each weight free to move by about {setting} to fit here"


#: The methods that are tried.
METHODS: Final[tuple[Method, ...]] = (Recalibration(), Near())


def _near(
    loss: LocalLoss,
    centre: FloatArray,
    start: FloatArray,
    precision: float,
) -> FloatArray:
    """The least of the loss and the pull together, float64[p]."""

    def value(theta: FloatArray) -> float:
        away = theta - centre
        pull = precision / 2 * (away @ away)
        return float(loss.of_rows(theta).sum() + pull)

    def slope(theta: FloatArray) -> FloatArray:
        pull = precision * (theta - centre)
        found: FloatArray = loss.gradient(theta) + pull
        return found

    return least(value, slope, start)


class _Rescaling:
    """The loss by a place: the logarithm of the scores' scale, then their shift, float64[1 + k].

    Args:
        loss: of the rows.
        scores: float64[n, k], as they are.
        scaled: whether the scale may change.
    """

    def __init__(
        self,
        loss: LocalLoss,
        scores: FloatArray,
        *,
        scaled: bool,
    ) -> None:
        self._loss = loss
        self._scores = scores
        self._scaled = scaled
        precision = np.full(1 + scores.shape[1], 1.0 / _SHIFT**2)
        precision[0] = 1.0 / _SCALE**2
        self._precision = precision

    def moved(self, place: FloatArray) -> FloatArray:
        """The scores there."""
        scale = np.exp(place[0])
        found: FloatArray = self._scores * scale + place[1:]
        return found

    def value(self, place: FloatArray) -> float:
        """The loss, and how far the place is from no change."""
        losses = self._loss.of_scores(self.moved(place))
        away = self._precision * place * place
        return float(losses.sum() + away.sum() / 2)

    def slope(self, place: FloatArray) -> FloatArray:
        """Its gradient; 0 for a scale that may not change."""
        of_scores = self._loss.slope_of_scores(self.moved(place))
        found = self._precision * place
        found[1:] += of_scores.sum(axis=0)
        if not self._scaled:
            found[0] = 0.0
            return found
        scale = np.exp(place[0])
        found[0] += float((of_scores * self._scores).sum() * scale)
        return found


def _recalibrated(
    loss: LocalLoss,
    scores: FloatArray,
    *,
    scaled: bool,
) -> tuple[float, FloatArray]:
    """Scale and shift, float64[k], of the scores; the scale is 1 where it is not ``scaled``."""
    rescaling = _Rescaling(loss, scores, scaled=scaled)
    nowhere = np.zeros(1 + scores.shape[1])
    place = least(rescaling.value, rescaling.slope, nowhere)
    return float(np.exp(place[0])), place[1:]
