"""Three hospitals, an aggregator and a coordinator in one process: real keys, real noise, real
encryption, the real checks.
"""

from __future__ import annotations

import hashlib
import io
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np
from binary_models import initial_weights, logistic_gradients
from conftest import SITES, fixed_identity, party, protocol_text
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from securefl.federation.aggregator import Aggregator
from securefl.federation.checked_round import AnnouncedRound, Broadcast, announcement_of
from securefl.federation.coordinator import Coordinator
from securefl.federation.full_round import FullRound
from securefl.federation.local_exchange import LocalExchange
from securefl.federation.participant import Participant
from securefl.federation.round_plan import RoundPlan, card_of
from securefl.federation.round_strategy import round_strategy_of
from securefl.federation.run_memory import NoMemory
from securefl.federation.sealing import seal_model
from securefl.learning.features import Prepared, feature_names
from securefl.learning.models import weights_from_bytes, weights_to_bytes
from securefl.learning.stages.roles import judged_result, moves_model
from securefl.learning.stages.stage import Rows
from securefl.learning.steps import PrivateSteps, RandomDraws, StepRule
from securefl.privacy.randomness import SystemRandomness
from securefl.secagg.frame import write_public_key
from securefl.secagg.group_draw import Lot, commitment
from securefl.secagg.seal import CkksIntegers
from securefl.study.approval import Approval
from securefl.study.seal import seal_study
from securefl.study.sealed import SealedStudy, UnsealedStudy
from securefl.study.stages import makes_model
from securefl.study.training import training_of

NAMES = tuple(sorted(SITES[:3]))
#: As many as three groups of three take.
NINE = tuple(sorted((*SITES, "H05", "H06", "H07", "H08")))
#: Hospital → key of the one run of its agent, and its public half, as its ready statement says it.
RUN_KEYS = {
    name: X25519PrivateKey.from_private_bytes(hashlib.sha256(f"run of {name}".encode()).digest())
    for name in NINE
}
INSTANCES = {name: key.public_key().public_bytes_raw().hex() for name, key in RUN_KEYS.items()}


def sealed_study(*edits, names=NAMES) -> tuple[str, RoundPlan]:
    """A study of these hospitals with its true initial weights: ``(text, plan)``."""
    n = len(names)
    text = protocol_text(
        ("min_contributors = 5", f"min_contributors = {n}"),
        ("colluders = 3", "colluders = 1"),
        *edits,
    )
    protocol = UnsealedStudy.read(text)
    sealed = seal_study(
        protocol,
        coordinator=party(fixed_identity("Researcher", "researcher")),
        aggregator=party(fixed_identity("Aggregator", "aggregator")),
        participants=[
            party(fixed_identity(name, "hospital"))
            | {
                "weight": f"1/{n}",
                "weight_source": "equal shares",
            }
            for name in names
        ],
        software={"securefl": "0.1.0", "lock_sha256": "0" * 64},
    )
    return sealed.text.decode(), RoundPlan(sealed)


def grouped_study(*edits, names=NINE) -> RoundPlan:
    """A study of nine hospitals that trains by groups of three, combined by the median."""
    everybody = f"min_contributors = {len(names)}"
    by_groups = 'min_contributors = 3\ngroups = "median"'
    return sealed_study((everybody, by_groups), *edits, names=names)[1]


def going_on(plan: RoundPlan) -> RoundPlan:
    """The same study, but one that goes on after a loss."""
    text = plan.sealed.text.replace(b'on_dropout = "fail"', b'on_dropout = "continue"')
    return RoundPlan(SealedStudy.read(text))


def in_memory(facts, write):
    """A keeper that keeps nothing for long."""
    file = io.BytesIO()
    write(file)
    file.seek(0)
    return file


def announced_context(plan, announcement):
    """The facts of a round as a party sees them that follows no round before it."""
    return AnnouncedRound.open(plan, announcement).checked_context()


def added(room, announcement, frames):
    """The aggregator's frame over these contributions (site → bytes)."""
    with closing(FullRound(room.plan, announced_context(room.plan, announcement))) as arrivals:
        for site, frame in frames.items():
            arrivals.add_frame(site, io.BytesIO(frame))
        return room.aggregator.add(arrivals).read()


def head_in(frames):
    """Where a hospital finds the heads of the others' frames: ``later.agree(proposal,
    head_in(frames)(later))``.
    """
    return lambda later: lambda site: later.read(site, frames.get(site))


def histogram_of(outcome):
    """The released histogram of a completed study, int64[2 x bins]."""
    return judged_result(outcome.results).histogram


class Hospital:
    """Rows of one hospital and its noised steps; it remembers what it handed over."""

    def __init__(self, plan: RoundPlan, name: str, seed: int) -> None:
        self._plan, self._study = plan, plan.study
        self._draws = RandomDraws(SystemRandomness())
        features = len(feature_names(plan.study.data))
        generator = np.random.default_rng(seed)
        x = generator.uniform(-1, 1, (60, features)).astype(np.float32)
        y = (x[:, 0] > 0.3).astype(np.int8)
        self._train_y = y[:40]
        names = tuple(f"p{i}" for i in range(60))
        self._rows = Rows(
            Prepared(x[:40], y[:40], names[:40], {}), Prepared(x[40:], y[40:], names[40:], {})
        )
        self._name = name
        self._steps = None
        if makes_model(plan.study):
            steps = training_of(plan.study).steps_at(name)
            rule = StepRule.from_study(plan.study, plan.study.participant(name).weight, steps)
            self._steps = PrivateSteps(rule, logistic_gradients, x[:40], y[:40], self._draws)
        self.produced: list[np.ndarray] = []

    def __call__(self, number, model, length, largest):
        step = self._plan.step(number)
        public = weights_from_bytes(model, self._plan.public_length(number))
        if self._steps is not None and moves_model(step):
            values = self._steps.update(public)
        else:
            end = step.stage.local(self._study, self._name, self._rows, self._draws)
            values = end.answer(step.release, public)
        assert len(values) == length
        assert np.abs(values).max() <= largest
        self.produced.append(values)
        return values


@dataclass
class Room:
    """Everybody of one study.

    ``kept`` is what each hospital's keeper was given: (site, round) → frame; ``said`` is what was
    kept later.
    """

    plan: RoundPlan = field(default_factory=lambda: sealed_study()[1])
    kept: dict[tuple[str, int], bytes] = field(default_factory=dict)
    said: list[tuple[str, int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cipher = CkksIntegers()
        self.researcher = fixed_identity("Researcher", "researcher")
        self.operator = fixed_identity("Aggregator", "aggregator")
        self.identities = {
            name: fixed_identity(name, "hospital") for name in self.plan.study.cohort
        }
        self.study_keys = {
            name: X25519PrivateKey.from_private_bytes(
                hashlib.sha256(f"study key {name}".encode()).digest()
            )
            for name in self.identities
        }
        self.approvals = {
            name: Approval(
                self.plan.digest,
                name,
                self.identities[name].card.signing_public,
                key.public_key().public_bytes_raw().hex(),
                "2026-01-02T03:04:05Z",
            )
            for name, key in self.study_keys.items()
        }
        self.hospitals = {
            name: Hospital(self.plan, name, seed) for seed, name in enumerate(self.identities)
        }

    def keep(self, site):
        def keeper(facts, write):
            assert (site, facts.round) not in self.kept
            file = in_memory(facts, write)
            self.kept[site, facts.round] = file.getvalue()
            return file

        return keeper

    def record(self, site):
        def records(terms, record):
            self.said.append((site, terms.facts.round, record.kind))

        return records

    def participant(self, site, **changes):
        given = {
            "plan": self.plan,
            "identity": self.identities[site],
            "study_key": self.study_keys[site],
            "approvals": self.approvals,
            "trainer": self.hospitals[site],
            "keeper": self.keep(site),
            "cipher": self.cipher,
            "records": self.record(site),
            "instance": INSTANCES[site],
            "following": None,
            "lot": self.lot,
        }
        return Participant(**(given | changes))

    def participants(self):
        return [self.participant(site) for site in self.plan.study.cohort]

    @property
    def aggregator(self):
        return Aggregator(self.plan, self.operator)

    def coordinator(self, exchange=None, identity=None):
        exchange = exchange or LocalExchange(self.participants(), self.aggregator)
        coordinator = Coordinator(
            self.plan, identity or self.researcher, exchange, self.cipher, NoMemory()
        )
        coordinator._instances = INSTANCES  # as if all had said that they are ready
        return coordinator

    @property
    def lot(self):
        """The nonces of all hospitals, where they train by groups."""
        if not self.plan.draws_groups:
            return None
        digest = self.plan.digest
        nonces = {s: hashlib.sha256(f"nonce of {s}".encode()).digest() for s in self.identities}
        committed = {site: commitment(digest, site, nonce) for site, nonce in nonces.items()}
        return Lot.open(digest, committed, nonces)

    @property
    def theta(self):
        return initial_weights(
            training_of(self.plan.study).model, len(feature_names(self.plan.study.data))
        )

    def ring_of(self, number):
        """Ring of the ciphertexts of a round that everybody contributes to."""
        known = min(number, self.plan.last_round)
        return self.plan.ring(known, len(self.plan.study.cohort))

    def announce(
        self,
        number=1,
        theta=None,
        keys=None,
        *,
        sign=None,
        readers=None,
        sealed_under=None,
        said_model=None,
        key_signer=None,
        instances=None,
        groups=None,
        **changes,
    ):
        """A coordinator's broadcast, honest but for the changes; ``(keys, Broadcast)``."""
        plan = self.plan
        keys = keys or self.cipher.generate(self.ring_of(number))
        model = weights_to_bytes(self.theta if theta is None else theta)
        readers = readers or [card_of(p) for p in plan.study.participants]
        sealed = seal_model(model, readers, sealed_under or plan.context(number))
        model_sha256 = said_model or hashlib.sha256(model).hexdigest()
        known = min(number, plan.last_round)  # a liar may announce a round that there is not
        if groups is None and plan.by_groups(known):
            groups = self.lot.groups(plan.study.secagg.min_contributors)
        facts = replace(
            plan.facts(known, keys.public.sha256, model_sha256, instances=instances or INSTANCES),
            round=number,
            groups=groups or (),
        )
        honest = announcement_of(
            plan,
            facts,
            parameters=plan.public_length(known),
            sealed_sha256=hashlib.sha256(sealed).hexdigest(),
            round_digest=round_strategy_of(plan).round_digest(facts),
        )
        if "cohort" in changes:
            changes = {
                "instances": tuple(INSTANCES.get(site, "0" * 64) for site in changes["cohort"]),
                **changes,
            }
        announcement = replace(honest, **changes).dump(sign or self.researcher.sign)
        key = write_public_key(
            keys.public,
            study=plan.digest,
            round_number=number,
            attempt=1,
            kind=facts.kind,
            sender=plan.study.coordinator.name,
            sign=key_signer or self.researcher.sign,
        )
        return keys, Broadcast(announcement, key, sealed)
