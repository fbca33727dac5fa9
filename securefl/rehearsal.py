"""The researcher's door to simulation: ``sf.simulate(...)`` and ``securefl study simulate``.

>>> import securefl as sf                                             # doctest: +SKIP
>>> found = sf.simulate("protocol.toml", public="thyroid", repeat=3)  # doctest: +SKIP
>>> found.facts.base.figure.mean                                      # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from securefl.errors import StudyError, UsageError
from securefl.learning.graphs.graph_template import read_template
from securefl.learning.table import Table, table_from_frame
from securefl.privacy.accounting import PldAccountant
from securefl.public_tables import public_tables
from securefl.report.simulation import simulation_page
from securefl.report.simulation_picture import simulation_svg, spread_words
from securefl.shown import Shown
from securefl.simulation.participation import Participation
from securefl.simulation.settings import read_sweep
from securefl.simulation.simulate import Wishes, simulate_study
from securefl.simulation.tables import (
    USUAL_SITES,
    Source,
    Whole,
    divided_by,
    from_folder,
    invented,
    read_csv,
    table_of,
)
from securefl.study.consistency import contradictions
from securefl.study.dates import check_not_over
from securefl.study.sealed import read_any
from securefl.study.training import training_if_any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from securefl.report.page import Page
    from securefl.simulation.facts import Simulation
    from securefl.study.schema import Template
    from securefl.study.sealed import UnsealedStudy

#: Invented records of a site, where the study trains nothing that says how many.
_MOCK_ROWS: Final = 200
_MOST_MOCK_ROWS: Final = 200_000
#: Who runs the hospitals' steps: this process, or Flower's simulation runtime.
ENGINES: Final = ("own", "flower")


@dataclass(frozen=True)
class Data:
    """Tables that a person names: exactly one of the first three.

    Attributes:
        tables: a folder with a CSV file for each hospital, one CSV file, or site to data frame.
        public: name of a published table.
        mock: invent rows by the columns that the study declares.
        by: column of one CSV file whose values are the hospitals.
        sites: how many virtual hospitals, where rows are drawn by lot or invented.
    """

    tables: Path | Mapping[str, Any] | None = None
    public: str | None = None
    mock: bool = False
    by: str | None = None
    sites: int | None = None

    def check(self) -> None:
        """Refuse what does not fit together.

        Raises:
            UsageError: none or several of the three; or a division that they leave no room for.
        """
        named = [self.tables is not None, self.public is not None, self.mock]
        if sum(named) != 1:
            raise UsageError(
                "A simulation takes its rows from one place.",
                next_step="Give one of --data DIR_OR_CSV, --mock, --public NAME.",
            )
        if self.by and self.sites:
            raise UsageError(
                "--by says what the hospitals are, and so does --sites.",
                next_step="Leave one of them out.",
            )

    def source(self, seed: int) -> Callable[[UnsealedStudy], Source]:
        """Maker of the data once the study is read."""
        self.check()

        def of(template: UnsealedStudy) -> Source:
            return self._source(template.study, seed)

        return of

    def _source(
        self,
        study: Template,
        seed: int,
    ) -> Source:
        spec = study.data
        if self.mock:
            sites = self.sites or USUAL_SITES
            rows = _mock_rows(study, sites)
            tables = invented(
                spec,
                sites,
                rows,
                seed,
            )
            words = f"{rows:,} invented rows at each site; their labels mean nothing"
            return Source(words, tables)
        if self.public is not None:
            found = {site: table_of(csv, spec) for site, csv in public_tables(self.public).items()}
            return self._divided(f"the published table {self.public}", found)
        if isinstance(self.tables, Path):
            if self.tables.is_dir():
                return self._divided(
                    f"CSV files of {self.tables.name}", from_folder(self.tables, spec)
                )
            return self._of_one(self.tables.name, read_csv(self.tables, spec))
        given = {site: _frame(frame) for site, frame in (self.tables or {}).items()}
        if len(given) == 1:
            return self._of_one("a data frame", next(iter(given.values())))
        return self._divided("data frames", given)

    def _of_one(
        self,
        words: str,
        table: Table,
    ) -> Source:
        if self.by:
            return Source(f"{words}, divided by {self.by}", divided_by(table, self.by))
        sites = self.sites or USUAL_SITES
        return Source(f"{words}, divided by lot", Whole(table, sites))

    def _divided(
        self,
        words: str,
        tables: Mapping[str, Table],
    ) -> Source:
        """Tables of several sites; put together and divided anew where --sites or --by say so."""
        if not self.by and not self.sites:
            return Source(words, tables)
        return self._of_one(words, _joined(list(tables.values())))


def _joined(tables: Sequence[Table]) -> Table:
    names = set(tables[0].columns).intersection(*(table.columns for table in tables[1:]))
    columns = {
        name: tuple(cell for table in tables for cell in table.columns[name])
        for name in tables[0].columns
        if name in names
    }
    malformed: dict[int, str] = {}
    start = 0
    for table in tables:
        malformed |= {start + row: wrong for row, wrong in table.malformed.items()}
        start += table.rows
    return Table(columns, start, malformed)


def _frame(given: Any) -> Table:  # noqa: ANN401 - a data frame, columns, or a table
    if isinstance(given, Table):
        return given
    return table_from_frame(given)


def _mock_rows(study: Template, sites: int) -> int:
    """Rows of each site, so that all together are the patients that the study plans for."""
    section = training_if_any(study)
    if section is None:
        return _MOCK_ROWS
    train = float(section.normaliser) / float(section.sample_rate)
    whole = min(train / float(1 - study.data.holdout), _MOST_MOCK_ROWS)
    return max(2, round(whole / sites))


class SimulatedStudy(Shown):
    """A finished simulation in a Python session.

    Attributes:
        facts: all figures.
    """

    def __init__(self, facts: Simulation) -> None:
        self.facts = facts

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON values, the keys of ``--json``."""
        return self.facts.to_dict()

    def page(self) -> Page:
        """The page that the command shows."""
        return simulation_page(self.facts)

    def picture(self) -> str:
        """The sweep, or the training by rounds, as SVG; empty where there is neither."""
        return simulation_svg(self.facts)

    def _shown(self) -> list[tuple[str, str]]:
        base = self.facts.base
        return [
            ("simulation", "protects nothing"),
            ("study", self.facts.study),
            (self.facts.metric or "figure", spread_words(base.figure)),
            ("repeats", str(self.facts.repeat)),
        ]


def simulate(
    study: str | bytes | Path,
    tables: str | Path | Mapping[str, Any] | None = None,
    *,
    public: str | None = None,
    mock: bool = False,
    by: str | None = None,
    sites: int | None = None,
    repeat: int = 5,
    seed: int = 0,
    sweep: Mapping[str, Sequence[object]] | Sequence[str] = (),
    encrypted: bool = False,
    participation: str | float | Fraction | None = None,
    clients_per_round: int | None = None,
    engine: str = "own",
    advise: bool = True,
    watch: Callable[[int, int], None] | None = None,
) -> SimulatedStudy:
    """Run a study in this process, on data that anybody may see. It protects nothing.

    Args:
        study: a template or sealed study: its text, or the path of its file.
        tables: a folder with a CSV file for each hospital, a CSV file, or site to data frame.
        public: a published table instead: "thyroid" or "heart".
        mock: invented rows instead.
        by: column of one table whose values are the hospitals; else patients are drawn by lot.
        sites: virtual hospitals of one table or of invented rows.
        repeat: runs of each setting, each with its own noise, split and lot.
        seed: from which all of these follow.
        sweep: fields of the train stage to values: ``{"clip_norm": [1, 2]}``, or as typed.
        encrypted: put every sum through the real cipher.
        participation: probability with which a hospital trains in a round, as ``"1/10"``; all
            hospitals train unless said. Real studies do not sample.
        clients_per_round: hospitals that train in a round, by lot, instead.
        engine: "own", or "flower" for Flower's simulation runtime; the figures are the same.
        advise: also try half and twice the clip norm and the learning rate.
        watch: told the rounds that are over, and those in all.

    Raises:
        StudyError: the study, or a setting of the sweep, is invalid.
        DataError: a table lacks a column.
        UsageError: arguments that do not fit together.
    """
    named: Any = tables
    if isinstance(tables, str):
        named = Path(tables)
    data = Data(
        named,
        public,
        mock,
        by,
        sites,
    )
    wishes = Wishes(
        repeat,
        seed,
        _sweep(sweep),
        encrypted,
        advise,
        watch,
        _participation(participation, clients_per_round),
        _is_flower(engine),
    )
    text = _text(study)
    found = simulate_study(text, data.source(seed), wishes)
    return SimulatedStudy(replace(found, refused=_refused(text)))


def _refused(text: bytes) -> tuple[str, ...]:
    """Contradictions, and a time that has passed, for which the file is refused everywhere else.

    A simulation chooses the figures of a file, and an epsilon is written down after its noise: so
    they are told and the file is run.
    """
    study = read_any(text).study
    found = contradictions(study, PldAccountant(), text.decode())
    try:
        check_not_over(study, datetime.now(UTC), text.decode())
    except StudyError as error:
        found.append(error.what.rstrip("."))
    return tuple(found)


def _participation(
    share: str | float | Fraction | None,
    count: int | None,
) -> Participation | None:
    """A sample of the hospitals, as typed."""
    if share is None and count is None:
        return None
    if share is not None and count is not None:
        raise UsageError(
            "--participation and --clients-per-round say the same in two ways.",
            next_step="Leave one of them out.",
        )
    if share is None:
        return Participation(count=count)
    try:
        # By its text: 0.1 is a tenth, and the float of it is not.
        return Participation(share=Fraction(str(share)))
    except (ValueError, ZeroDivisionError):
        raise UsageError(
            f"--participation {share} is no share of the hospitals.",
            next_step="Write it like 1/10 or 0.1.",
        ) from None


def _is_flower(engine: str) -> bool:
    if engine in ENGINES:
        return engine == "flower"
    raise UsageError(
        f"There is no engine {engine!a}.",
        next_step=f"Take one of: {', '.join(ENGINES)}.",
    )


def _sweep(given: Mapping[str, Sequence[object]] | Sequence[str]) -> dict[str, tuple[str, ...]]:
    if isinstance(given, dict):
        return {name: tuple(str(value) for value in values) for name, values in given.items()}
    return read_sweep(str(one) for one in given)


def _text(study: str | bytes | Path) -> bytes:
    """The text of a study: itself where it has several lines, else that of the file it names."""
    if isinstance(study, bytes):
        return study
    if isinstance(study, str) and "\n" in study:
        return study.encode()
    return read_template(Path(study))
