"""Its place puts this folder on the path, so that tests of every kind share the helpers beside it.

It also holds the one small study that tests share: ``from conftest import make_study,
protocol_text``.
"""

from __future__ import annotations

import gc
import hashlib
import signal

import forked_processes
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import settings

from securefl.identity import Identity, IdentityCard
from securefl.study.seal import seal_study
from securefl.study.sealed import UnsealedStudy

#: Files that take longest: they are begun first, so that no process is left alone with one at the
#: end. Then everything that starts processes, then the rest.
LONGEST = (
    "test_demo.py",
    "test_rounds_consortium.py",
    "test_losses_consortium.py",
    "test_docs_by_hand.py",
    "test_faults_consortium.py",
    "test_study_without_training.py",
    "test_model_comes_home.py",
    "test_screen_closed.py",
    "test_examples.py",
    "test_store_hiccup.py",
    "test_toy_source.py",
    "test_toy_carrier.py",
)
WITH_PROCESSES = ("integration", "found", "browser")

# A job in a script's background begins with Ctrl-C ignored and hands that on to what it starts;
# tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session):
    """Collect without the garbage collector, and keep what was collected out of its later passes:
    thousands of tests and the libraries that they import stay to the end.
    """
    del session
    gc.disable()
    collected = yield
    gc.freeze()
    gc.enable()
    return collected


def pytest_collection_modifyitems(items):
    """Order of files; within a file the tests keep theirs."""

    def place(item):
        if item.path.name in LONGEST:
            return LONGEST.index(item.path.name)
        return len(LONGEST) + (item.path.parent.name not in WITH_PROCESSES)

    items.sort(key=place)


forked_processes.install()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Commands that a test starts are forked, unless it is marked ``real_start``."""
    forked_processes.want(forks=item.get_closest_marker("real_start") is None)
    return (yield)


settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("repeatable")

#: Four rounds of one step; 2.14 and 3.75 cost 0.9982 and 0.9975 at delta 1e-5 by the PLD
#: accountant.
PROTOCOL = """\
# a comment that no digest sees
schema = "securefl-protocol/2"

[study]
id = "small"
title = "A small study"
purpose = "Shows the parts."
lead = "Dr Example"
lay_summary = \"\"\"
Hospitals train one model.
[privacy]
epsilon = "this line is text, not a table"
\"\"\"
ethics_ref = "E-1"
legal_basis = "Consent"
duo = ["DUO:0000042"]

[code]
entrypoint = "declarative"

[data]
dataset = "records"
population = "clinic"
patient = "patient_id"
max_rows_per_patient = 1
holdout = "3/10"
columns = [  # one a line
  { name = "age", kind = "numeric", low = "0", high = "120", unit = "years" },
  { name = "TSH", kind = "numeric", low = "0.005", high = "600", transform = "log", missing = "flag" },
  { name = "sex", kind = "category", levels = ["F", "M"], missing = "flag" },
  { name = "sick", kind = "boolean", true = "t", false = "f" },
]

[data.label]
column = "target"
kind = "any-of-letters"
positive = ["E", "F"]
negative = ["-", "|", "A", "B", "C", "D", "G", "H", "I", "J", "K"]

[privacy]
unit = "patient"
neighbouring = "add-remove"
delta = "1e-5"
noise = "local"

[[stages]]
kind = "train"
strategy = "fedavg"
rounds = 4
local_steps = 1
local_learning_rate = "1"
server_learning_rate = "4"
server_momentum = "0.8"
epsilon = "1"
noise_multiplier = "2.14"
clip_norm = "1"
sample_rate = "1/5"
steps = 4
normaliser = "200"
normaliser_source = "Published size of the table"
bits = 16

[stages.model]
kind = "logistic-regression"
initial_seed = "seed 1"

[[stages]]
kind = "evaluate"
metric = "auc"
edges = ["0.1", "0.3", "0.5"]
noise_multiplier = "3.75"
epsilon = "1"
bound = 20000

[secagg]
min_contributors = 5
colluders = 3

[schedule]
opens = 2026-01-01T00:00:00Z
closes = 2999-01-01T00:00:00Z
round_deadline = 60
reply_after = "0.2"
on_dropout = "fail"

[quality]
minimum = "0.5"
stop_rule = "none"

[outputs]
artefacts = ["model.safetensors"]
owner = "The hospitals"
licence = "CC-BY-4.0"
recipients = ["participants"]
intended_use = "Tests only."

[exit]
notice = "At any time"
on_withdrawal = "study-ends"
spent_budget = "never-returned"
"""

SITES = ("other", "STMW", "SVHC", "SVHD", "SVI")


def edited(text: str, *edits: tuple[str, str]) -> str:
    """``text`` with each (old, new) replaced; the old text must stand there exactly once."""
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
        text = text.replace(old, new)
    return text


def with_stage(study, section, **figures):
    """The study with other figures in a stage's section, past the checks of the file."""
    stages = tuple(
        kept.model_copy(update=figures) if kept is section else kept for kept in study.stages
    )
    return study.model_copy(update={"stages": stages})


def protocol_text(*edits: tuple[str, str]) -> str:
    """The small protocol, with edits."""
    return edited(PROTOCOL, *edits)


def fixed_identity(name: str, role: str) -> Identity:
    """An identity whose keys are hashes of its name and role, so that tests and vectors are
    repeatable.
    """
    signing, sealing = (
        kind.from_private_bytes(
            hashlib.sha256(f"securefl test {what} key of {role} {name}".encode()).digest()
        )
        for kind, what in ((Ed25519PrivateKey, "signing"), (X25519PrivateKey, "sealing"))
    )
    card = IdentityCard(
        name,
        role,
        f"{name} (test)",
        f"{name.lower()}@example.org",
        signing.public_key().public_bytes_raw().hex(),
        sealing.public_key().public_bytes_raw().hex(),
    )
    return Identity(card, signing, sealing)


def party(identity: Identity) -> dict[str, str]:
    """A party's fields as a study names them."""
    return {k: v for k, v in identity.card.fields().items() if k != "role"}


def make_study(n: int = 5, *edits: tuple[str, str], software: dict[str, str] | None = None):
    """A sealed study of ``n`` hospitals with equal weights: ``(text, coordinator, aggregator,
    hospitals)``.

    All ``n`` must contribute (``min_contributors = n``, ``colluders = n - 2``). Keys are the same
    on every call.
    """
    coordinator, aggregator = (
        fixed_identity("Researcher", "researcher"),
        fixed_identity("Aggregator", "aggregator"),
    )
    names = SITES[:n] + tuple(f"H{i:02}" for i in range(len(SITES), n))
    hospitals = [fixed_identity(name, "hospital") for name in names]
    protocol = protocol_text(
        ("min_contributors = 5", f"min_contributors = {n}"),
        ("colluders = 3", f"colluders = {n - 2}"),
        *edits,
    )
    sealed = seal_study(
        UnsealedStudy.read(protocol),
        coordinator=party(coordinator),
        aggregator=party(aggregator),
        participants=[
            party(h) | {"weight": f"1/{n}", "weight_source": "equal shares"} for h in hospitals
        ],
        software=software or {"securefl": "0.1.0", "lock_sha256": "0" * 64},
    )
    return sealed.text.decode(), coordinator, aggregator, hospitals
