"""Tables that a database gives: one SELECT under a role that may only read.

Needs SQLAlchemy (the extra ``sql``, which brings pg8000 for PostgreSQL).

The database keeps the promise, not this file: the connection is made read-only by the database's
own means before the query runs, and a database for which no such means is known here is refused.
"""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from securefl.errors import DataError
from securefl.files import read_password
from securefl.origins.origin import Origin, described, not_installed
from securefl.study.fields import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Engine

_AT_A_TIME: Final = 1000
#: Where SQLAlchemy writes a traceback when a cursor closes behind a refused query.
_POOL_LOG: Final = "sqlalchemy.pool"
_COMMENTS: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_MEND: Final = "docs/data-owner.md shows such a file."
#: Tables into which a role of PostgreSQL may write, its own ones among them.
_MAY_WRITE: Final = """
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
AND n.nspname NOT LIKE 'pg\\_%'
AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
"""


class QueryFile(Section):
    """File that says where a table is: a database and one SELECT.

    Attributes:
        url: of the database, as SQLAlchemy writes it, without a password.
        password_file: file (0600) whose first line is the password; beside this one where its path
            is relative.
        select: the query.
    """

    schema_: Literal["securefl-query/1"] = Field(alias="schema")
    url: str = Field(min_length=1, max_length=2000)
    password_file: str = ""
    select: str = Field(min_length=1, max_length=100_000)


@dataclass(frozen=True)
class SqlOrigin(Origin):
    """Answer to one query, in the order in which the database gives it."""

    kind: ClassVar[str] = "sql"
    schema: ClassVar[str] = "securefl-query/1"

    def read(self) -> Iterator[Sequence[object]]:
        """See :class:`Origin`. The query runs in one transaction that is rolled back."""
        query = described(self.path, QueryFile, "description of a query")
        _check_select(query.select)
        try:
            import sqlalchemy
        except ImportError:
            raise not_installed("SQLAlchemy", "sql") from None
        try:
            with _reading(self._engine(query)) as connection:
                found = connection.execution_options(
                    stream_results=True, yield_per=_AT_A_TIME
                ).exec_driver_sql(query.select.strip().removesuffix(";"))
                yield list(found.keys())
                for record in found:
                    yield tuple(record)
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise DataError(
                f"The database did not answer the query in {self.path.name}: {_reason(error)}",
                whose="the database's operator or whoever wrote the query",
                next_step="Try the query with the database's own program, under the same role.",
            ) from None

    def _engine(self, query: QueryFile) -> Engine:
        import sqlalchemy

        try:
            url = sqlalchemy.make_url(query.url)
        except sqlalchemy.exc.ArgumentError:
            raise DataError(
                f"The url in {self.path.name} is none that SQLAlchemy reads.", next_step=_MEND
            ) from None
        if url.password is not None:
            raise DataError(
                f"The url in {self.path.name} holds a password.",
                next_step="Write it into a file of its own (0600) and name that: password_file.",
            )
        guard = _READ_ONLY.get(url.get_backend_name())
        if guard is None:
            known = ", ".join(sorted(_READ_ONLY))
            raise DataError(
                f"For {url.get_backend_name()} it is not known here how the database keeps a"
                f" connection from writing; it is for: {known}.",
                next_step="Write the table as CSV with the database's own program.",
            )
        if query.password_file:
            url = url.set(password=read_password(self.path.parent / query.password_file))
        return guard(url, self.path.parent)

    @property
    def words(self) -> str:
        """See :class:`Origin`."""
        return f"a database, by the query in {self.path.name}"


@contextmanager
def _reading(engine: Engine) -> Iterator[Connection]:
    """A connection whose transaction ends without a trace."""
    logging.getLogger(_POOL_LOG).setLevel(logging.CRITICAL)
    try:
        with engine.connect() as connection, connection.begin() as transaction:
            yield connection
            transaction.rollback()
    finally:
        engine.dispose()


def _sqlite(url: Any, folder: Path) -> Engine:  # noqa: ANN401 - SQLAlchemy is an extra
    """SQLite opens the file for reading alone."""
    import sqlalchemy

    file = folder / (url.database or "")
    if not file.is_file():
        raise DataError(f"There is no database {file}.", next_step=_MEND)
    return sqlalchemy.create_engine(f"sqlite:///file:{file.absolute()}?mode=ro&uri=true")


def _postgresql(url: Any, _folder: Path) -> Engine:  # noqa: ANN401 - SQLAlchemy is an extra
    """PostgreSQL is told that the session reads, and asked whether the role could do more."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(url, execution_options={"postgresql_readonly": True})

    @sqlalchemy.event.listens_for(engine, "begin")
    def check(connection: Connection) -> None:
        if connection.exec_driver_sql("SHOW transaction_read_only").scalar() != "on":
            raise DataError(
                "PostgreSQL did not make the connection read-only.",
                whose="the database's operator",
                next_step="Ask for a role that may only read.",
            )
        if connection.exec_driver_sql(_MAY_WRITE).scalar():
            raise DataError(
                f"The role {url.username} may write into tables of this database.",
                whose="the database's operator",
                next_step=(
                    "Make a role for securefl and give it GRANT SELECT on the tables of the query,"
                    " nothing more."
                ),
            )

    return engine


#: Databases that can keep a connection from writing, and how: URL, folder of the file → engine.
_READ_ONLY: Final[dict[str, Callable[[Any, Path], Engine]]] = {
    "postgresql": _postgresql,
    "sqlite": _sqlite,
}


def _check_select(text: str) -> None:
    """Refuse what is clearly no single SELECT; that nothing is written is the database's affair."""
    plain = _COMMENTS.sub(" ", text).strip().removesuffix(";")
    if not re.match(r"(select|with)\b", plain, re.IGNORECASE):
        raise DataError(
            "The query is no SELECT.", next_step="Write one query that begins with SELECT or WITH."
        )


def _reason(error: Exception) -> str:
    """What the database said, in one line: no parameters, no address."""
    cause = getattr(error, "orig", None) or error
    said = cause.args[0] if cause.args else ""
    if isinstance(said, dict):  # pg8000: fields of the message by letter
        said = said.get("M", "")
    return (str(said).splitlines() or [""])[0].rstrip(".") + "."
