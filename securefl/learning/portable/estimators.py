"""A finished model as a scikit-learn estimator: in pipelines, cross-validation and metrics.

It is trained already, so ``fit`` learns nothing: a federated model cannot be trained again from
one table. What cross-validation then gives is the model's figure on each part of that table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, Self

import numpy as np

from securefl.errors import DataError, UsageError
from securefl.learning.table import Table, table_from_frame
from securefl.learning.tasks import task_of

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
except ImportError as error:
    raise UsageError(
        "A scikit-learn estimator needs scikit-learn.",
        whose="this machine's operator",
        next_step="pip install 'securefl[sklearn]'",
    ) from error

if TYPE_CHECKING:
    from securefl.learning.artefact import Model
    from securefl.types import FloatArray

_SHOWN: Final = 3


class _Pretrained(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Base: rows in, predictions out.

    Args:
        model: a loaded model.
        unusable: what becomes of a row that the model was not made for: ``"raise"``, or ``"nan"``
            as its prediction.
    """

    def __init__(
        self,
        model: Model | None = None,
        *,
        unusable: Literal["raise", "nan"] = "raise",
    ) -> None:
        self.model = model
        self.unusable = unusable

    def fit(self, X: Any = None, y: Any = None) -> Self:  # noqa: N803, ANN401, ARG002 - scikit-learn's names
        """Learn nothing: the model is trained already."""
        return self

    @property
    def feature_names_in_(self) -> Any:  # noqa: ANN401 - numpy array of texts
        """Columns that it needs, in their order."""
        return np.array([column.name for column in self._known.data.columns], dtype=object)

    @property
    def n_features_in_(self) -> int:
        """Number of columns."""
        return len(self._known.data.columns)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def target(self, frame: Any) -> Any:  # noqa: ANN401 - a DataFrame; numpy array
        """The target, read from a table's label columns as the study declares it.

        Raises:
            DataError: a column is missing, or a row's label cannot be read.
        """
        values, _ = task_of(self._known.data).targets(_table(frame))
        wrong = [value for value in values if isinstance(value, str)]
        if wrong:
            raise DataError(
                f"{len(wrong)} rows have no target: {wrong[0]}.",
                whose="whoever made the table",
                next_step="Take these rows out.",
            )
        return self._named(task_of(self._known.data).in_units(np.array(values)))

    def _named(self, targets: Any) -> Any:  # noqa: ANN401 - numpy arrays
        return targets

    @property
    def _known(self) -> Model:
        if self.model is None:
            raise UsageError(
                "This estimator has no model.",
                next_step="Make it by load_model(FOLDER).as_sklearn().",
            )
        return self.model

    def _predicted(self, rows: Any) -> FloatArray:  # noqa: ANN401 - a DataFrame or an array
        found, reasons = self._known.scored(self._named_columns(rows))
        without = [f"row {row}: {why}" for row, why in enumerate(reasons, 1) if why is not None]
        if without and self.unusable == "raise":
            shown = "; ".join(without[:_SHOWN])
            raise DataError(
                f"the model was not made for {len(without)} of the rows ({shown}).",
                whose="whoever made the table",
                next_step="Leave these rows out, or ask for as_sklearn(unusable='nan').",
            )
        return found

    def _named_columns(self, rows: Any) -> Any:  # noqa: ANN401 - as above
        if hasattr(rows, "columns") or isinstance(rows, (dict, Table)):
            return rows
        array = np.asarray(rows, dtype=object)
        if array.ndim != 2 or array.shape[1] != self.n_features_in_:
            raise DataError(
                f"an array of shape {array.shape} has not the {self.n_features_in_} columns of the"
                " model.",
                whose="whoever made the table",
                next_step=f"Give a DataFrame with: {', '.join(self.feature_names_in_)}.",
            )
        return dict(zip(self.feature_names_in_, array.T, strict=True))


class PretrainedClassifier(ClassifierMixin, _Pretrained):  # type: ignore[misc]
    """Classes and their scores.

    Args:
        model: of a binary task or of one of several classes.
        unusable: see the base; a row without a score has no class, so ``predict`` raises then.
        threshold: score from which a row counts as positive; of a binary task.
    """

    def __init__(
        self,
        model: Model | None = None,
        *,
        unusable: Literal["raise", "nan"] = "raise",
        threshold: float = 0.5,
    ) -> None:
        super().__init__(model, unusable=unusable)
        self.threshold = threshold

    @property
    def classes_(self) -> Any:  # noqa: ANN401 - numpy array
        """0 and 1 of a binary task, else the names of the classes."""
        names = task_of(self._known.data).score_names
        return np.array(names, dtype=object) if names else np.array([0, 1])

    def predict_proba(self, X: Any) -> FloatArray:  # noqa: N803, ANN401 - as fit
        """Scores of the classes, float64[n, q], adding up to 1.

        Whether they may be read as probabilities the model's card says.

        Raises:
            DataError: a column is missing, or the model was not made for a row.
        """
        found = self._predicted(X)
        if found.ndim == 1:
            return np.column_stack([1.0 - found, found])
        return found

    def predict(self, X: Any) -> Any:  # noqa: N803, ANN401 - as fit
        """The class of each row. Raises as :meth:`predict_proba`."""
        scores = self.predict_proba(X)
        if np.isnan(scores).any():
            raise DataError(
                "a row that the model was not made for has no class.",
                whose="whoever made the table",
                next_step="Leave such rows out; predict_proba says which they are.",
            )
        if task_of(self._known.data).score_names:
            return self.classes_[scores.argmax(axis=1)]
        return (scores[:, 1] >= self.threshold).astype(int)

    def _named(self, targets: Any) -> Any:  # noqa: ANN401 - numpy arrays
        return self.classes_[targets]


class PretrainedRegressor(RegressorMixin, _Pretrained):  # type: ignore[misc]
    """Numbers and counts in their own unit."""

    def predict(self, X: Any) -> FloatArray:  # noqa: N803, ANN401 - as fit
        """The number of each row, float64[n].

        Raises:
            DataError: a column is missing, or the model was not made for a row.
        """
        return self._predicted(X)


class PretrainedSurvival(_Pretrained):
    """Risks of an event: the higher, the earlier it is expected."""

    def predict(self, X: Any) -> FloatArray:  # noqa: N803, ANN401 - as fit
        """Chance of the event by the last edge, float64[n]."""
        return np.asarray(1.0 - self.predict_survival(X)[:, -1])

    def predict_survival(self, X: Any) -> FloatArray:  # noqa: N803, ANN401 - as fit
        """Chances of no event by each edge, float64[n, T]."""
        found = self._predicted(X)
        return found.reshape(len(found), -1)


def estimator(model: Model, **settings: Any) -> Any:  # noqa: ANN401 - settings of the estimators
    """The estimator that fits the model's task."""
    kinds = {
        "classifier": PretrainedClassifier,
        "regressor": PretrainedRegressor,
        "survival": PretrainedSurvival,
    }
    return kinds[task_of(model.data).estimator](model, **settings)


def _table(frame: Any) -> Table:  # noqa: ANN401 - a DataFrame or a mapping
    if isinstance(frame, Table):
        return frame
    return table_from_frame(frame)
