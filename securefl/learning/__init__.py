"""Learning: features from declared ranges, declarative models, noised training steps, the server
step, evaluation.

Nothing here reads a figure off the data to scale, fill or balance it (rule 10). Only
:mod:`securefl.learning.dpsgd` imports torch and opacus, and only the worker opens it.
"""

from __future__ import annotations

from securefl.doors import lazy_door

_DOORS = {
    "Evaluation": "evaluation",
    "Model": "artefact",
    "ModelFacts": "artefact",
    "Prepared": "features",
    "PrivateSteps": "steps",
    "PrivateTrainer": "dpsgd",
    "ServerState": "algorithms",
    "StepRule": "steps",
    "Table": "table",
    "evaluate": "evaluation",
    "exact_auc": "evaluation",
    "feature_names": "features",
    "held_out": "split",
    "initial_weights": "models",
    "load_model": "artefact",
    "mock_table": "mock",
    "parameter_count": "models",
    "predict_scores": "models",
    "prepare": "features",
    "read_table": "table",
    "release_counts": "evaluation",
    "rows_for_predict": "features",
    "save_model": "artefact",
    "score_histogram": "evaluation",
    "split_rows": "split",
    "weights_from_bytes": "models",
    "weights_sha256": "models",
    "weights_to_bytes": "models",
}
__all__ = sorted(_DOORS)  # noqa: PLE0605 - the door is one table; a second list beside it would drift
__getattr__ = lazy_door(__name__, _DOORS)
