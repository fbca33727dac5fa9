"""All rows without privacy: Cox's model as lifelines fits it, on exact times. Runs in an environment
of its own with ``lifelines``; ``survival_cohorts.py`` calls it.

A ridge of 1e-4 keeps levels that hardly occur from running away; nothing is chosen on the rows kept
aside.
"""

from __future__ import annotations

import json
import sys

import lifelines
import numpy as np
import pandas as pd
from lifelines.utils import concordance_index


def main() -> None:
    """Read the rows of the file that the command line names; print JSON."""
    rows = np.load(sys.argv[1])
    names = [f"x{place}" for place in range(rows["x"].shape[1])]
    kept = [place for place in range(len(names)) if rows["x"][:, place].std() > 0]
    frame = pd.DataFrame(rows["x"][:, kept].astype(np.float64), columns=[names[k] for k in kept])
    frame["days"] = np.maximum(rows["days"], 0.5)
    frame["event"] = rows["event"]
    cox = lifelines.CoxPHFitter(penalizer=1e-4).fit(frame, "days", "event")
    aside = pd.DataFrame(rows["x_aside"][:, kept].astype(np.float64), columns=frame.columns[:-2])
    risk = cox.predict_log_partial_hazard(aside).to_numpy()
    days, event = rows["days_aside"], rows["event_aside"]
    said = {
        "pooled_cox": float(concordance_index(days, -risk, event)),
        "federated": float(concordance_index(days, -rows["federated"], event)),
        "risk": risk.tolist(),
        "lifelines": lifelines.__version__,
    }
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main()
