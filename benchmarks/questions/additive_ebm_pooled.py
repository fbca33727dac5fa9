"""All rows without privacy: InterpretML's explainable boosting machine. Runs in an environment of its
own with ``interpret-core`` and ``scikit-learn``; ``additive_ebm.py`` calls it.

The machine has its defaults, but for pairs of columns, which the command line asks for; nothing is chosen on the rows kept aside.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

import numpy as np
from interpret.glassbox import ExplainableBoostingClassifier
from sklearn.metrics import roc_auc_score


def main() -> None:
    """Read the rows of the file that the command line names; print JSON."""
    rows = np.load(sys.argv[1])
    # curves alone, as the additive family has them
    machines = {
        "pooled_ebm": ExplainableBoostingClassifier(interactions=0, n_jobs=1, random_state=0),
    }
    if sys.argv[2:] == ["--pairs"]:
        machines["pooled_ebm_with_pairs"] = ExplainableBoostingClassifier(n_jobs=1, random_state=0)
    said = {}
    for name, model in machines.items():
        model.fit(rows["x"], rows["y"])
        scores = model.predict_proba(rows["x_aside"])[:, 1]
        said[name] = float(roc_auc_score(rows["y_aside"], scores))
    sys.stdout.write(json.dumps({**said, "interpret_core": version("interpret-core")}))


if __name__ == "__main__":
    main()
