"""Refused keys: those that people bring from other training code, with the reason and the remedy.

They are not spelling mistakes: each is a known way in which the number of rows, or one patient's
values, reach what is released without any noise (rule 10, and pytorch/opacus issues 571 and 819).
"""

from __future__ import annotations

import re

_SIZE = (
    "the number of rows must not reach what is released: one update told 96 rows from 97",
    (
        "state the public constants sample_rate, steps and normaliser of the training, with"
        " the published source in normaliser_source"
    ),
)
_SCALE = (
    (
        "a scale taken from the data moves all other patients' rows when one patient joins, by many"
        " times the clip norm"
    ),
    'declare low and high of each column (and transform = "log" where it helps); they are public',
)
#: (pattern of the key in lower case, why not, what instead).
_KNOWN = tuple(
    (re.compile(pattern), why, instead)
    for pattern, (why, instead) in {
        r"batch_?size|epochs?|len(gth)?|num_?(rows|samples|examples)|n_?(rows|samples)|dataset_?size|steps_per_epoch|expected_batch_size|drop_last": (
            _SIZE
        ),
        r"shuffle\w*|data_?loader|sampler|poisson_sampling": (
            (
                "a shuffled loader shows every row once in an epoch and is accounted for as if it"
                " drew by lot, which understates epsilon"
            ),
            "Poisson sampling of patients at sample_rate, which is what always runs",
        ),
        r"adaptive_?clip\w*|clipping|target_(unclipped_)?quantile|clip_?(lr|quantile|strategy)|per_layer\w*": (
            (
                "adaptive clipping takes its bound from the gradients, costs privacy of its own and"
                " fails on empty batches"
            ),
            "one public clip_norm",
        ),
        r"standardi[sz]e\w*|normali[sz](e|ation|e_features)|scal(e|er|ing)|z_?score|min_?max|mean|std|quantiles?|bin_?edges_from_data": (
            _SCALE
        ),
        r"impute\w*|fill_?na|missing_value": (
            "a value filled in from the data makes rows depend on each other",
            'missing = "flag" or "refuse" in the column',
        ),
        r"batch_?norm\w*|layers|normali[sz]ation_layer": (
            (
                "BatchNorm takes statistics over the batch, so each record changes the gradients of"
                " all others"
            ),
            "LayerNorm or GroupNorm, which look at one record; the declarative models need neither",
        ),
        r"class_?weights?|pos_?weight|oversampl\w*|undersampl\w*|balanc\w*|stratif\w*": (
            (
                "weights, resampling or a stratified split taken from the labels make rows depend"
                " on each other"
            ),
            (
                "a threshold chosen afterwards from the released histogram; held-out patients are"
                " drawn by a keyed lot (data.holdout)"
            ),
        ),
        r"early_?stop\w*|patience": (
            "stopping when the data say so is a release without noise",
            "fixed rounds; quality.stop_rule judges charged figures only",
        ),
        r"grid": (
            (
                "privacy runs on one fine grid for every study, 2^20 units a clip norm, and what"
                " travels is rounded after the noise"
            ),
            "nothing in its place: delete the line",
        ),
        r"accountant|secure_mode|seed|noise_seed|random_state": (
            (
                "accounting and randomness are not a choice of the study: noise comes fresh from"
                " the operating system, figures from PLD and RDP"
            ),
            "initial_seed for the public first weights; nothing else is seeded",
        ),
    }.items()
)
_VALUES = {
    "batchnorm": "batch_norm",
    "batch-norm": "batch_norm",
    "standardise": "standardise",
    "standardize": "standardise",
    "zscore": "zscore",
    "z-score": "zscore",
    "minmax": "minmax",
    "min-max": "minmax",
    "impute": "impute",
    "mean": "impute",
    "median": "impute",
    "adaptive": "adaptive_clipping",
    "shuffle": "shuffle",
}


def refusal(key: str) -> str | None:
    """Say why a study cannot have this key, and what to use; None for a key that is just unknown.

    >>> refusal("grid_size") is None, refusal("shuffle").partition(";")[2][:37]
    (True, ' use instead: Poisson sampling of pat')
    """
    for pattern, why, instead in _KNOWN:
        if pattern.fullmatch(key.lower()):
            return f"refused: {why}; use instead: {instead}"
    return None


def refused_value(value: object) -> str | None:
    """The same for a value such as ``transform = "standardise"``; None for one that is just wrong."""
    if isinstance(value, str) and value.lower() in _VALUES:
        return refusal(_VALUES[value.lower()])
    return None
