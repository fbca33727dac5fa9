"""What the ledger's tests share: a site with fixed keys, a clock that ticks, the thyroid study's
charges.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import count

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from securefl.privacy.charges import Charge, ChargeTerms
from securefl.privacy.ledger import Checkpoint, Ledger
from securefl.privacy.mechanisms import Gaussian, SubsampledGaussian
from securefl.privacy.planning import choose_order

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key()
KEY_HEX = PUBLIC.public_bytes_raw().hex()
NEXT_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
NEXT_HEX = NEXT_KEY.public_key().public_bytes_raw().hex()
DELTA = Decimal("1e-5")
STEP = SubsampledGaussian(Decimal("4.98"), Fraction(1, 5), 1)
HISTOGRAM = Gaussian(Decimal("5.1"))
CHARGES = (Charge("update", STEP.with_count(40)), Charge("evaluation", HISTOGRAM, aside=True))
TERMS = ChargeTerms(
    clip_norm="1", normaliser="551.2", noise_source="discrete-gaussian, ChaCha20", code="c0" * 32
)


def verify(signature: bytes, message: bytes, key=PUBLIC) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def verify_next(signature, message):
    return verify(signature, message, NEXT_KEY.public_key())


def rotate(ledger):
    ledger.rotate(NEXT_HEX, sign=NEXT_KEY.sign, verify=verify_next)


def clock():
    minutes = count()
    return lambda: "2026-01-31T{:02d}:{:02d}:00Z".format(*divmod(next(minutes) % 1440, 60))


def keys(now=None):
    return {"sign": KEY.sign, "verify": verify, "now": now or clock()}


def digest(number):
    return f"{number:064x}"


def grant(ledger, population="thyroid", epsilon="3", charges=CHARGES, delta=DELTA):
    choice = choose_order(Decimal(epsilon), delta, charges)
    ledger.grant(
        population,
        epsilon=Decimal(epsilon),
        delta=delta,
        choice=choice,
        typical="thyroid/1",
        charges=charges,
    )


def new_ledger(path, *, epsilon="3", now=None):
    """A site whose patients have a budget and whose two data sets share it."""
    ledger = Ledger.create(path, site="SVI", key=KEY_HEX, **keys(now))
    grant(ledger, epsilon=epsilon)
    ledger.register_dataset("visits", population="thyroid", snapshot="aa" * 32)
    ledger.register_dataset("followups", population="thyroid", snapshot="bb" * 32)
    return ledger


def approve(
    ledger,
    number=1,
    *,
    dataset="visits",
    charges=CHARGES,
    attempts=1,
    population="thyroid",
    **changes,
):
    fields = {
        "study": digest(number),
        "study_id": f"study-{number}",
        "researcher": "r.lopez",
        "statement": "5e" * 32,
        "epsilon": Decimal(1),
        "delta": DELTA,
        "terms": TERMS,
        **changes,
    }
    return ledger.approve(
        population=population, dataset=dataset, charges=charges, attempts=attempts, **fields
    )


def send(ledger, number=1, round_number=1, payload=b"update", mechanism=STEP, purpose="update"):
    return ledger.sent(
        digest(number),
        round_number=round_number,
        purpose=purpose,
        mechanism=mechanism,
        payload=payload,
    )


def example_ledger(path):
    """A ledger in which much has happened."""
    ledger = new_ledger(path)
    approve(ledger, 1)
    ledger.start(digest(1))
    send(ledger, 1, 1, b"first round")
    send(ledger, 1, 2, b"second round")
    send(ledger, 1, 2, b"histogram", HISTOGRAM, "evaluation")
    ledger.settle(digest(1), "completed")
    ledger.refuse(
        study=digest(2),
        study_id="study-2",
        researcher="r.lopez",
        dataset="visits",
        reason="owner",
        note="purpose unclear",
    )
    approve(ledger, 3, dataset="followups")
    ledger.pause("ward moves")
    ledger.resume()
    ledger.withdraw(digest(3), "no longer wanted")
    return ledger


def vector_ledger(path):
    """The ledger of the test vectors: every kind of event once or more."""
    ledger = example_ledger(path)
    approve(ledger, 4)
    ledger.start(digest(4))
    ledger.answer(digest(4), round_number=1, payload=b"unmasking answer")
    ledger.personalize(digest(1), snapshot="5a" * 32)
    ledger.exclude("thyroid", patients="e8" * 32)
    ledger.endorse(digest(5), person="a.berg", statement="e7" * 32)
    ledger.keep_file("policy.signed", "f1" * 32)
    ledger.delegate(digest(6), rule="yearly counts", policy="f1" * 32)
    approve(ledger, 6, rule="yearly counts")
    ledger.witness(Checkpoint("STMW", 12, "ab" * 32))
    ledger.agree(
        agreement="a6" * 32,
        consortium="thyroid-ring",
        version=1,
        supersedes=None,
        populations=("thyroid",),
    )
    ledger.depart("a6" * 32, party="STMW", effective="2026-03-02T00:00:00Z")
    ledger.revoke("thyroid", "the owner leaves")
    rotate(ledger)
    ledger.pause("signed by the new key")
    return ledger
