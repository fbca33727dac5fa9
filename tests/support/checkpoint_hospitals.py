"""Three hospitals that know each other, on one store: what the tests of checkpoints share."""

from decimal import Decimal

from ledger_site import CHARGES, DELTA, TERMS, digest

from securefl.federation import checkpoints as said
from securefl.node.site import Site
from securefl.privacy.planning import choose_order

NAMES = ("A", "B", "C")


def three_hospitals(tmp_path):
    """Sites A, B and C; each trusts the others and has a budget and a data set."""
    made = {
        n: Site.init(
            tmp_path / n,
            name=n,
            legal_name=n,
            email=f"{n}@example.org",
            store=str(tmp_path / "store"),
        )
        for n in NAMES
    }
    choice = choose_order(Decimal(3), DELTA, CHARGES)
    for site in made.values():
        for other in made.values():
            if other is not site:
                site.book.trust(other.identity.card)
        site.ledger.grant(
            "thyroid", epsilon=Decimal(3), delta=DELTA, choice=choice, typical="t", charges=CHARGES
        )
        site.ledger.register_dataset("visits", population="thyroid", snapshot="aa" * 32)
    return made


def approved(site, number=1):
    site.ledger.approve(
        study=digest(number),
        study_id=f"s{number}",
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


def hand(giver, reader, checkpoint, *, past=(), number=1, sign=None):
    """``giver`` hands ``reader`` these bytes as a checkpoint of its ledger, whatever its ledger is.

    ``sign``: by another key than its own.
    """
    word = said.Handed(giver.name, reader.name, checkpoint, past).dump(sign or giver.identity.sign)
    sealed = reader.identity.card.seal(
        word, said.handed_info(digest(number), giver.name, reader.name)
    )
    reader.board.post(said.handed_path(digest(number), giver.name, reader.name), sealed)
