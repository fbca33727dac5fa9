"""Pages of a completed run: what it found, and what each hospital's own ledger says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.learning.tasks import task_of
from securefl.report.explain_study import units
from securefl.report.run import ModelOutcome, extracts_page, outcome_page
from securefl.study.counts import shows_each_participant
from securefl.study.schema import quality_of

if TYPE_CHECKING:
    from securefl.learning.tasks.told import Told
    from securefl.report.page import Page
    from securefl.researcher.results import MadeModel, Result
    from securefl.study.schema import Study


def found_page(result: Result) -> Page:
    """What was read off the released totals, and the model."""
    study = result.study
    made = result.made
    return outcome_page(
        study_title=study.study.title,
        model=None if made is None else _model_outcome(made, study),
        found=[row for one in result.outcome.results for row in one.rows(units(study))],
        tables=_tables(result),
        lost=result.lost,
    )


def ledgers_page(result: Result) -> Page:
    """A line for each hospital's own ledger."""
    return extracts_page(result.extracts, result.study.cohort)


def _tables(result: Result) -> list[Told]:
    """Tables of all stages, and the model's own where it can be read."""
    found = [table for one in result.outcome.results for table in one.tables(units(result.study))]
    made = result.made
    if made is None or made.model is None:
        return found
    if made.model.contributions is not None:
        found.append(made.model.contributions)
    return found


def _model_outcome(made: MadeModel, study: Study) -> ModelOutcome:
    """The model as its page tells of it."""
    rule = quality_of(study)
    minimum = rule.minimum if task_of(study.data).asks(rule) else None
    return ModelOutcome(
        made.figures.told,
        "" if made.model is None else str(made.folder),
        made.quality,
        minimum,
        shows_each_participant(study),
        rule.minimum_each,
    )
