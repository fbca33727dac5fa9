"""Scores of a table's rows with a finished model: the same for every role that holds one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from securefl.learning.artefact import load_model
from securefl.learning.features import found_for_predict
from securefl.learning.table import Table, read_in_order
from securefl.learning.tasks import task_of
from securefl.origins.cell_text import cell_text
from securefl.origins.origin import origin_of
from securefl.sources.source import find_source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from securefl.learning.artefact import Model
    from securefl.learning.features import Found
    from securefl.sources.source import GivenReading
    from securefl.types import FloatArray


@dataclass(frozen=True)
class ScoredTable:
    """Scores in the order of the rows; row numbers count from 1.

    Attributes:
        scores: of each row, also of those that have none: there they mean nothing.
        without: row number → why it has no score.
        lines: of the file, by row.
        found: texts in the table that kept rows from a score.
        read_as: how the table was read, in words.
        intended_use: of the model.
        names: of the figures of a score, where they need any.
        noun: what a score is called, "score" or "prediction".
        meaning: of a score, in a sentence: whether it may be read as a probability.
        notices: on the model: recalls that do not forbid its use, or that were overruled.
        moved: columns that are distributed otherwise than when this hospital approved the study;
            for its own screen, and in no file of scores.
        moved_on: day of the comparison that showed it; empty where it was of these very rows.
    """

    scores: FloatArray
    without: Mapping[int, str]
    lines: tuple[int, ...]
    found: tuple[Found, ...]
    read_as: str
    intended_use: str
    names: tuple[str, ...] = ()
    noun: str = "score"
    meaning: str = ""
    notices: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    moved_on: str = ""

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Reasons for which rows have no score, the most frequent first."""
        counts = Counter(self.without.values()).most_common()
        first = {reason: row for row, reason in reversed(tuple(self.without.items()))}
        return tuple(
            Cause(reason, count, first[reason], self.lines[first[reason] - 1])
            for reason, count in counts
        )


@dataclass(frozen=True)
class Cause:
    """A reason for which rows have no score.

    Attributes:
        reason: in words.
        rows: how many.
        first_row: the first of them.
        first_line: its line in the file.
    """

    reason: str
    rows: int
    first_row: int
    first_line: int


def score_table(
    folder: Path,
    rows: Path,
    given: GivenReading,
    *,
    own: str = "",
    anyway: bool = False,
) -> ScoredTable:
    """Score a table with the model in ``folder``.

    A row that the model was not made for keeps its place without a score: a value outside the
    declared ranges or levels, missing or not a number, or a line with too few or too many values.

    Args:
        folder: of the model.
        rows: the table, with the model's columns.
        given: how the table is read.
        own: the hospital that scores; its own recall forbids the use.
        anyway: score with a model that expired or was recalled; the notices are told all the same.

    Raises:
        UnreadableError: the model's folder was changed.
        NotApprovedError: the model expired, or its owners recalled it.
        DataError: the table cannot be read, or lacks a column.
    """
    return score_with(load_model(folder, own=own, anyway=anyway), rows, given)


def score_with(model: Model, rows: Path, given: GivenReading) -> ScoredTable:
    """Score a table with a model that was loaded; see :func:`score_table`.

    Raises:
        NotApprovedError: the model expired, or its owners recalled it.
        DataError: the table cannot be read, or lacks a column.
    """
    model.check_usable()
    table, read_as = rows_of(rows, [column.name for column in model.data.columns], given)
    return score_read(model, table, read_as)


def score_read(
    model: Model,
    table: Table,
    read_as: str,
) -> ScoredTable:
    """Score a table that was read.

    Args:
        model: that scores.
        table: the rows.
        read_as: how they were read, in words.

    Raises:
        NotApprovedError: the model expired, or its owners recalled it.
        DataError: the table lacks a column.
    """
    task = task_of(model.data)
    scores, reasons = model.scored(table)
    without = {row: reason for row, reason in enumerate(reasons, 1) if reason is not None}
    return ScoredTable(
        scores=scores,
        without=without,
        lines=tuple(table.lines),
        found=found_for_predict(table, model.data),
        read_as=read_as,
        intended_use=model.intended_use,
        names=task.score_names,
        noun=task.noun,
        meaning=model.score_words,
        notices=model.standing().sentences,
    )


def rows_of(
    file: Path,
    columns: list[str],
    given: GivenReading,
) -> tuple[Table, str]:
    """A table whose rows get an answer each, and how it was read, in words.

    A text, or a kind of table of :mod:`securefl.origins`, as Parquet.

    Raises:
        DataError: it cannot be read, or has empty lines between its rows.
    """
    origin = origin_of(file)
    if origin is None:
        source = find_source(file, columns, given)
        return read_in_order(source.content(), source.reading), source.words
    records = origin.read()
    names = [str(name) for name in next(iter(records), ())]
    cells = [[cell_text(value).strip() or None for value in record] for record in records]
    columns_read = dict(zip(names, zip(*cells, strict=True), strict=True)) if cells else {}
    lines = tuple(range(1, len(cells) + 1))
    return Table(columns_read, len(cells), lines=lines), origin.words
