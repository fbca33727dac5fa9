"""An agreement of the small study's parties, and the study made under it."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files

from conftest import edited, make_study

from securefl.agreement.article import Case
from securefl.agreement.sealed import SealedAgreement
from securefl.study.seal import dump_toml
from securefl.study.sealed import SealedStudy

TEXT, COORDINATOR, AGGREGATOR, HOSPITALS = make_study(
    5,
    ('unit = "patient"\n', 'unit = "patient"\nepsilon = "1"\n'),
    ("closes = 2999-01-01T00:00:00Z", "closes = 2026-02-01T00:00:00Z"),
)
EVERYBODY = (*HOSPITALS, COORDINATOR, AGGREGATOR)
AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
_STARTER = (files("securefl.party") / "starter" / "agreement.toml").read_text("utf-8")
#: What a founder fills in. Each limit is then moved to the small study's own figure.
FILLED = (
    ('id = "CONSORTIUM"', 'id = "thyroid-ring"'),
    ('title = "TITLE"', 'title = "The thyroid ring"'),
    ('["POPULATION"]', '["clinic"]'),
    ('["COUNTRY"]', '["DE", "AT"]'),
    ("BEGINS", "2026-01-01T00:00:00Z"),
    ("ENDS", "2026-12-31T00:00:00Z"),
)


def agreed_party(identity, country="DE"):
    return {**identity.card.fields(), "jurisdiction": country}


def parties_text(identities):
    return "\n" + dump_toml({"parties": [agreed_party(identity) for identity in identities]})


def agreement_text(*edits, parties=EVERYBODY):
    """The starter with its blanks filled and these parties, with edits."""
    return edited(_STARTER, *FILLED, *edits) + parties_text(parties)


def agreement(*edits, parties=EVERYBODY):
    return SealedAgreement.read(agreement_text(*edits, parties=parties).encode())


def study(*edits):
    """The small study with edits of its sealed text."""
    return SealedStudy.read(edited(TEXT, *edits)).study


def case(*edits, of=None, **facts):
    """The small study before the agreement with edits; ``of`` is another study."""
    return Case(agreement(*edits).agreement, of or study(), **{"at": AT, **facts})
