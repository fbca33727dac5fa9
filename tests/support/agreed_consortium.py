"""The consortium of three hospitals with an agreement that all five parties signed."""

from __future__ import annotations

from datetime import UTC, datetime

from conftest import edited
from consortium import Consortium

from securefl.node import agreements
from securefl.party.clock import utc_now
from securefl.party.consortium import AGREEMENT, sign
from securefl.party.consortium_drafts import Founding, found, take_in
from securefl.party.folder import PartyFolder

#: The small study says no epsilon of the whole, and stays open for centuries.
STATED = (
    ('unit = "patient"\n', 'unit = "patient"\nepsilon = "1"\n'),
    ("opens = 2026-01-01T00:00:00Z", f"opens = {datetime.now(UTC):%Y-%m-%d}T00:00:00Z"),
    ("closes = 2999-01-01T00:00:00Z", f"closes = {datetime.now(UTC).year + 1}-01-01T00:00:00Z"),
)
#: So that the tests' studies follow one another at once, and stay open until the year's end.
LOOSER = (
    ("days_between = 7", "days_between = 0"),
    ("longest_days = 60", "longest_days = 400"),
    ('\nbinary = "0.5"', '\nbinary = "0"'),
    ("ends = ", "ends = 2999-12-31T00:00:00Z # "),
)


class AgreedConsortium(Consortium):
    """Everybody trusts everybody; no version is in force yet."""

    def __init__(self, root, *edits, **how):
        super().__init__(root, **how)
        self.researcher = PartyFolder.open(root / "researcher", "researcher")
        self.aggregator = PartyFolder.open(root / "sums", "aggregator")
        everybody = self.everybody()
        for mine in everybody:
            known = mine.book.cards()
            for other in everybody:
                if other.name != mine.name and other.name not in known:
                    mine.book.trust(other.identity.card)
        answers = Founding("ring", "The ring", "clinic", "DE", len(self.names), datetime.now(UTC))
        self.folder = found(root / "ring", answers)
        self.edit(*LOOSER, *edits)
        self.take_in(*everybody)
        self.close(everybody)

    def everybody(self):
        return [*(self.site(name) for name in self.names), self.researcher, self.aggregator]

    def close(self, parties):
        for party in parties:
            if party.settings.role == "hospital":
                party.__dict__.pop("ledger", None)

    def edit(self, *edits):
        """Edit the text of the agreement."""
        file = self.folder.path / AGREEMENT
        file.write_text(edited(file.read_text(), *edits))

    def take_in(self, *parties, **how):
        cards = [(p.identity.card, p.identity.signed_card()) for p in parties]
        return take_in(self.folder, cards, country="DE", **how)

    def sign(self, *names):
        """Let these parties sign, or all."""
        for mine in self.everybody():
            if mine.name in names or not names:
                sign(self.folder, mine, utc_now())
        return self.folder.sealed()

    def enforce(self, name):
        """Let a hospital's machine hold to what is in the folder."""
        site = self.site(name)
        try:
            plan = agreements.plan_enforcement(site, self.folder)
            agreements.enforce(site, plan)
            return plan
        finally:
            site.ledger.close()

    def agree(self):
        """Sign by all, in force at all hospitals; the agreement."""
        sealed = self.sign()
        for name in self.names:
            self.enforce(name)
        return sealed

    def agreed_study(self, study_id, *edits, agreement=None):
        """A study under the agreement in the folder, or under that of a file; unchecked if False."""
        from conftest import protocol_text
        from consortium import SMALL

        from securefl.api import Study

        file = self.root / f"{study_id}.toml"
        file.write_text(protocol_text(*SMALL, *STATED, *edits))
        return Study.new(
            self.lab,
            file,
            hospitals=list(self.names),
            aggregator="sums",
            study_id=study_id,
            agreement=self.folder.path / AGREEMENT if agreement is None else agreement or None,
        )
