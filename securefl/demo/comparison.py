"""Last step of the thyroid demonstration: the common model beside what each hospital reaches alone.

Possible because the table is published; on private data none of these figures could be released.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from securefl.demo.thyroid import SITES, demo_secret, site_tables
from securefl.learning.stages.evaluate import FIGURES

if TYPE_CHECKING:
    from securefl.demo.baselines import Comparison
    from securefl.demo.protocols import Demonstration
    from securefl.demo.stage import Stage
    from securefl.report.page import Page


def add_alone(
    stage: Stage,
    demo: Demonstration,
    seed: int,
    result: dict[str, Any],
    figures: dict[str, Any],
) -> Page:
    """Train every hospital alone, judge all models, and add what was found to ``figures``.

    Args:
        stage: says what is done.
        demo: the demonstration.
        seed: of the held-out split.
        result: the study's report.
        figures: of the demonstration, so far.

    Returns:
        The comparison's page.
    """
    from securefl.report.run import demo_table

    comparison = _compare(stage, demo, seed, Path(result["model"]))
    evaluation = result[FIGURES]
    for site, row in zip(figures["sites"], comparison.sites, strict=True):
        site.update(
            auc_alone=row.auc_alone,
            auc_alone_private=row.auc_alone_private,
            auc_federated=row.auc_federated,
            positives=row.positives,
        )
    figures.update(
        auc_overall_exact=comparison.auc_overall_exact,
        auc_interval=[evaluation["low"], evaluation["high"]],
        auc_overall_noised=evaluation["auc"],
    )
    return demo_table(
        comparison.sites,
        comparison.auc_overall_exact,
        evaluation["auc"],
        (evaluation["low"], evaluation["high"]),
    )


def _compare(
    stage: Stage,
    demo: Demonstration,
    seed: int,
    model_folder: Path,
) -> Comparison:
    """Train every hospital alone, from the public table, and judge all models."""
    from securefl.demo.baselines import compare
    from securefl.learning.artefact import load_model
    from securefl.party.site_secret import split_secret

    study = demo.study
    secrets = {s: split_secret(demo_secret(seed, s), study.data.population) for s in SITES}
    stage.say(
        "  trained alone, with and without privacy, from the public table itself; no private folder"
        " is opened"
    )
    return compare(
        study,
        site_tables(),
        secrets,
        SITES,
        load_model(model_folder).theta,
    )
