"""Tables for simulations of the small study: the older, the likelier positive."""

from __future__ import annotations

import numpy as np

from securefl.learning.table import read_table

HEADER = "patient_id,age,TSH,sex,sick,target,place"


def csv_of(rows=600, seed=1, places=("north", "south", "east")):
    """A CSV of these rows, two rows for every tenth patient."""
    generator = np.random.default_rng(seed)
    lines = [HEADER]
    for number in range(rows):
        age = generator.uniform(0, 120)
        label = "E" if age + generator.normal(0, 15) > 75 else "-"
        place = places[number % len(places)]
        patient = number - (number % 10 == 9)
        lines.append(f"p{patient},{age:.1f},1.5,{'FM'[number % 2]},t,{label},{place}")
    return ("\n".join(lines) + "\n").encode()


def tables_of(sites=3, rows=200):
    """Site to table."""
    return {f"site{n}": read_table(csv_of(rows, seed=n)) for n in range(sites)}
