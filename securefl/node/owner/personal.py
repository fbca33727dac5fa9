"""Personal models: a hospital's own, made at home of a study's, and never anywhere else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from securefl.node.model_uses import note_use
from securefl.node.owner.drift import moved_columns
from securefl.node.personal import check_same_table, make_personal, read_personal
from securefl.party.clock import utc_now
from securefl.party.scoring import rows_of, score_read
from securefl.report.explain_study import units

if TYPE_CHECKING:
    from pathlib import Path

    from securefl.learning.personal.facts import PersonalFacts
    from securefl.node.personal import Personal
    from securefl.node.site import Site
    from securefl.party.scoring import ScoredTable
    from securefl.sources.source import GivenReading


@dataclass(frozen=True)
class PersonalView:
    """A personal model as its owner sees it.

    Attributes:
        site: the hospital's name.
        personal: the model and its record.
        units: what is counted, "patients" or "rows".
        changed: the table is another than when the study was approved.
    """

    site: str
    personal: Personal
    units: str
    changed: bool

    @property
    def facts(self) -> PersonalFacts:
        """What was tried and judged."""
        return self.personal.record.facts


@dataclass(frozen=True)
class SiteScores:
    """Scores of a table with the model that this hospital keeps of a study.

    Attributes:
        scored: the table.
        name: of the study.
        personal: True where the personal model made them.
    """

    scored: ScoredTable
    name: str
    personal: bool


def personalize(site: Site, name: str, now: str) -> PersonalView:
    """Make a personal model of a study's that came home, and keep the better of the two.

    Args:
        site: the hospital.
        name: of the study.
        now: UTC, ISO 8601.

    Raises:
        UsageError: no model of that name is here, or its study trains none.
        DataError: the table cannot be read, or no model can be made of it.
        RoundError: the worker ended.
    """
    made = make_personal(site, name, now)
    reserved = site.ledger.state.study(made.record.study).reservation
    return PersonalView(
        site=site.name,
        personal=made,
        units=units(made.study),
        changed=reserved.snapshot != made.record.snapshot,
    )


def score_at_home(
    site: Site,
    name: str,
    rows: Path,
    given: GivenReading,
    *,
    anyway: bool = False,
) -> SiteScores:
    """Score a table with the model that this hospital keeps of a study.

    Args:
        site: the hospital.
        name: of the study.
        rows: a table with the model's columns.
        given: how it is read.
        anyway: score though it expired or was recalled.

    Raises:
        NotApprovedError: the study's model, of which it was made, expired or was recalled.
        UsageError: no personal model was made, or for another study or table.
        UnreadableError: its files were changed.
        DataError: a table cannot be read, or lacks a column.
    """
    personal = read_personal(site, name)
    check_same_table(site, personal)
    # the personal model stands as the study's does, of which it was made
    model = replace(personal.kept, anyway=anyway)
    model.check_usable()
    table, read_as = rows_of(rows, [column.name for column in model.data.columns], given)
    moved = moved_columns(site, personal.record.study, model, table)
    scored = replace(score_read(model, table, read_as), moved=moved.columns, moved_on=moved.day)
    note_use(site, personal.record.study, personal.record.model, utc_now())
    return SiteScores(scored, personal.name, personal.record.facts.kept == "personal")
