"""A hospital's folder after a completed study whose model came home; no process and no round is run.

The ledger, the table, the study and the model's folder are real; the model's weights are given.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
from in_process_federation import sealed_study
from ledger_after_a_year import TERMS, TYPICAL
from simulated_tables import csv_of

from securefl.learning.artefact import ModelFacts, save_model
from securefl.node.requests import keep_request
from securefl.node.site import Site
from securefl.privacy.planning import choose_order
from securefl.sources.csv import CsvSource
from securefl.study.stages import makes_model
from securefl.study.training import training_of

if TYPE_CHECKING:
    from pathlib import Path

#: Age decides in the tables, and the study's model knows it only by half.
COMMON = np.array([2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])


def after_study(folder: Path, table: bytes | None = None, *edits, common=COMMON) -> Site:
    """The hospital, its table in ``folder/records.csv``."""
    file = folder / "records.csv"
    file.write_bytes(csv_of(200) if table is None else table)
    site = Site.init(
        folder / "svi",
        name="SVI",
        legal_name="St Vincent's",
        email="a@svi.example",
        store=str(folder / "store"),
    ).with_dataset("records", CsvSource(file), "clinic")
    complete(site, *edits, common=common)
    return site


def complete(site: Site, *edits, common=COMMON, end="completed") -> str:
    """Run the study of these edits to its end there; its digest."""
    plan = sealed_study(*edits)[1]
    study, digest = plan.study, plan.digest
    keep_request(site, plan.sealed, job="1", sender="r@x.example", received="2026-01-05T00:00:00Z")
    delta = Decimal("1e-5")
    choice = choose_order(Decimal(3), delta, TYPICAL)
    fields = {"delta": delta, "typical": "t", "charges": TYPICAL}
    ledger = site.ledger
    ledger.grant("clinic", epsilon=Decimal(3), choice=choice, **fields)
    ledger.approve(
        study=digest,
        study_id=study.study.id,
        researcher="r",
        statement="5e" * 32,
        population="clinic",
        dataset="records",
        charges=TYPICAL,
        attempts=1,
        epsilon=Decimal(1),
        delta=delta,
        terms=TERMS,
    )
    ledger.start(digest)
    ledger.settle(digest, end)
    if makes_model(study):
        facts = ModelFacts(
            title=study.study.title,
            study_digest=digest,
            intended_use="Tests only.",
            licence="CC-BY-4.0",
            owner="The hospitals",
            privacy="Epsilon 1 for each patient.",
            figures={},
            participants=study.cohort,
            owners={site.name: site.identity.card.signing_public},
        )
        save_model(
            site.path / "models" / plan.sealed.name,
            common,
            training_of(study).model,
            study.data,
            facts,
        )
    return digest
