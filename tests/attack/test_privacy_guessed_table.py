"""A guessed data set: whoever holds a copy of the table (or tries variants of it) must not be able
to confirm it in the audit.

A hash without a key is an oracle: hash the guess, compare. Hospitals' tables are often extracts of
published or shared files, and one row more or less is soon tried.
"""

import hashlib
import hmac
import json
import re

import pytest
from ledger_site import CHARGES, DELTA, TERMS, digest

from securefl.node.site import Site
from securefl.privacy.audit import audit, extract
from securefl.privacy.ledger import read_ledger
from securefl.privacy.planning import choose_order
from securefl.sources.csv import CsvSource

TABLE = b"patient_id,age,target\np1,40,E\np2,51,-\n"
VARIANTS = [TABLE, TABLE + b"p3,60,E\n", TABLE.replace(b"51", b"52")]


@pytest.fixture
def published(tmp_path):
    """Everything that names the data set: the owner's audit, the researcher's extract, and the
    ledger's own rows.
    """
    made = Site.init(
        tmp_path / "a",
        name="A",
        legal_name="A",
        email="a@example.org",
        store=str(tmp_path / "store"),
    )
    (tmp_path / "table.csv").write_bytes(TABLE)
    made = made.with_dataset("visits", CsvSource(tmp_path / "table.csv"), "thyroid")
    from decimal import Decimal

    choice = choose_order(Decimal(3), DELTA, CHARGES)
    made.ledger.grant(
        "thyroid", epsilon=Decimal(3), delta=DELTA, choice=choice, typical="t", charges=CHARGES
    )
    made.ledger.approve(
        study=digest(1),
        study_id="s",
        researcher="r",
        statement="5e" * 32,
        population="thyroid",
        dataset="visits",
        charges=CHARGES,
        attempts=1,
        epsilon=Decimal(1),
        delta=DELTA,
        terms=TERMS,
    )
    reading = read_ledger(made.ledger_path, made.identity.card.verify)
    shown = json.dumps(audit(reading).to_json()) + json.dumps(extract(reading.events, digest(1)))
    shown += "".join(event.model_dump_json() for event in reading.events)
    return made, shown


def confirmed(guess, shown, public):
    """Whether any hash in the audit is one that a stranger can compute from the guess and from what
    is public.
    """
    plain = hashlib.sha256(guess).digest()
    tried = {
        plain.hex(),
        hashlib.sha256(plain).hexdigest(),
        hashlib.sha256(b"securefl/snapshot/1\0" + plain).hexdigest(),
    }
    tried |= {
        hmac.new(key, b"securefl/snapshot/1\0" + plain, "sha256").hexdigest() for key in public
    }
    return bool(tried & set(re.findall(r"[0-9a-f]{64}", shown)))


def public_values(site):
    card = site.identity.card
    return [
        b"",
        b"A",
        bytes(32),
        *(bytes.fromhex(k) for k in (card.signing_public, card.sealing_public, card.fingerprint)),
        card.fingerprint.encode(),
    ]


@pytest.mark.parametrize("guess", VARIANTS)
def test_a_guessed_table_cannot_be_confirmed(published, guess):
    site, shown = published
    assert (
        CsvSource(site.path.parent / "table.csv").fingerprint(site.secret) in shown
    )  # the hash is there, and is of the table
    assert not confirmed(guess, shown, public_values(site))


def test_control_with_the_sites_secret_or_without_a_key_it_is_confirmed(published):
    site, shown = published
    assert confirmed(TABLE, shown, [site.secret])
    assert confirmed(TABLE, hashlib.sha256(TABLE).hexdigest(), [])
    assert not confirmed(VARIANTS[1], hashlib.sha256(TABLE).hexdigest(), [])


def test_two_hospitals_with_the_same_table_show_different_hashes(published, tmp_path):
    site, _ = published
    other = Site.init(
        tmp_path / "b",
        name="B",
        legal_name="B",
        email="b@example.org",
        store=str(tmp_path / "store"),
    )
    table = CsvSource(tmp_path / "table.csv")
    assert table.fingerprint(other.secret) != table.fingerprint(site.secret)
