"""A completed study in one process, the bundle that its coordinator makes, and what each hospital
was told on the way.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from in_process_federation import Room, sealed_study

from securefl.federation import bundle
from securefl.federation.local_exchange import LocalExchange
from securefl.federation.sealing import open_model
from securefl.learning.artefact import load_model, save_model
from securefl.learning.stages.roles import judged_result
from securefl.party.model_check import OwnResult, check_model
from securefl.report.outcome import model_facts
from securefl.researcher.delivery import bundle_files, readers_of
from securefl.study.schema import quality_of
from securefl.study.training import training_of


class Watched(LocalExchange):
    """Remembers the global model of every round, as a hospital opened it."""

    def __init__(self, room, *rest):
        super().__init__(*rest)
        self._room, self.models = room, {}

    def broadcast(self, facts, given):
        reader = self._room.identities[facts.cohort[0]]
        self.models[facts.round] = (
            facts,
            open_model(given.model, reader, self._room.plan.context(facts.round)),
        )
        super().broadcast(facts, given)


@dataclass(frozen=True)
class Finished:
    """A completed study: its room, the outcome, what hospitals were told, and the files of the
    bundle.
    """

    room: Room
    outcome: object
    own: OwnResult
    files: dict[str, bytes]

    @property
    def plan(self):
        return self.room.plan

    def by_coordinator(self, signature, message):
        return self.room.researcher.card.verify(signature, message)

    def sealed(self, files=None, *, by=None, readers=None):
        readers = readers_of(self.plan, self.outcome) if readers is None else readers
        return bundle.seal_bundle(
            self.plan, files or self.files, readers, (by or self.room.researcher).sign
        )

    def opened(self, sealed, site, verify=None):
        return bundle.open_bundle(
            sealed, self.plan, self.room.identities[site], verify or self.by_coordinator
        )

    def unpacked(self, files, folder: Path):
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return load_model(folder)

    def check(self, files, folder: Path, own=None):
        """What a hospital does with the files of a bundle."""
        check_model(
            self.unpacked(files, folder),
            files,
            self.plan,
            own or self.own,
            self.by_coordinator,
        )

    def with_model(self, theta, folder: Path):
        """The files with other weights, description and card consistent with them."""
        save_model(
            folder,
            theta,
            training_of(self.plan.study).model,
            self.plan.study.data,
            load_facts(self),
        )
        return self.files | {
            name: (folder / name).read_bytes()
            for name in (bundle.WEIGHTS, bundle.FACTS, bundle.CARD)
        }

    def with_evaluation(self, **changes):
        """The files with other figures in the evaluation."""
        told = json.loads(self.files[bundle.EVALUATION])
        told["evaluation"] |= changes
        return self.files | {bundle.EVALUATION: json.dumps(told, sort_keys=True).encode()}


def load_facts(finished):
    study = finished.plan.study
    figures = judged_result(finished.outcome.results)
    return facts_of(study, finished.plan.digest, figures, finished.outcome.records)


def facts_of(study, digest, figures, records):
    return model_facts(
        study,
        digest,
        figures.evaluation,
        records,
        split=figures.card_rows(),
        verdict=figures.verdict(quality_of(study)),
    )


@cache
def finished(*edits) -> Finished:
    """The completed study of these edits; made once."""
    return finish(Room(sealed_study(*edits)[1]))


def finish(room: Room) -> Finished:
    """The completed study of this room."""
    exchange = Watched(room, room.participants(), room.aggregator)
    outcome = room.coordinator(exchange).run()
    own = OwnResult(exchange.models[room.plan.last_round][0].model_sha256)
    figures = judged_result(outcome.results)
    facts = facts_of(room.plan.study, room.plan.digest, figures, outcome.records)
    with tempfile.TemporaryDirectory() as folder:
        save_model(
            Path(folder),
            outcome.theta,
            training_of(room.plan.study).model,
            room.plan.study.data,
            facts,
        )
        files = bundle_files(outcome, figures, Path(folder))
    return Finished(room, outcome, own, files)


def other_weights(theta):
    changed = theta.copy()
    changed[0] = np.nextafter(changed[0], 1.0)
    return changed
