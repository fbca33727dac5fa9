"""All rows without privacy: XGBoost and logistic regression. Runs in an environment of its own with
``xgboost`` and ``scikit-learn``; ``boost.py`` calls it.

XGBoost has its defaults but for the number of trees and their rate, which are usual ones; nothing
is chosen on the rows kept aside.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import xgboost
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score


def main() -> None:
    """Read the rows of the file that the command line names; print JSON."""
    rows = np.load(sys.argv[1])
    trees = xgboost.XGBClassifier(n_estimators=200, learning_rate=0.1, max_depth=4, n_jobs=1)
    line = LogisticRegression(max_iter=5_000, C=1e6)
    said = {}
    for name, model in (("pooled_xgboost", trees), ("pooled_straight_line", line)):
        model.fit(rows["x"], rows["y"])
        scores = model.predict_proba(rows["x_aside"])[:, 1]
        said[name] = float(roc_auc_score(rows["y_aside"], scores))
    sys.stdout.write(json.dumps({**said, "xgboost": xgboost.__version__}))


if __name__ == "__main__":
    main()
