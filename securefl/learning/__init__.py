"""Learning: features from declared ranges, declarative models, noised training steps, the server
step, evaluation.

Nothing here reads a figure off the data to scale, fill or balance it (rule 10). Only
:mod:`securefl.learning.dpsgd` and what it uses import torch and opacus, and only the worker opens it.
"""

from __future__ import annotations
