"""A database's table: one SELECT, under a role that may only read."""

import sqlite3

import pytest
import sqlalchemy
from postgresql import binaries, server

from securefl.errors import DataError, UnreadableError
from securefl.origins.origin import origin_of
from securefl.origins.writing import write_table

QUERY = """\
schema = "securefl-query/1"
url = "{url}"
select = '''
-- women and men of 2025
{select};
'''
"""


def described(folder, url, select, more=""):
    file = folder / "query.toml"
    file.write_text(QUERY.format(url=url, select=select) + more)
    return origin_of(file)


def taken(origin, folder):
    file = folder / "taken.csv"
    file.unlink(missing_ok=True)
    write_table(origin, file)
    return file.read_text()


@pytest.fixture
def small(tmp_path):
    """A database in a file."""
    with sqlite3.connect(tmp_path / "clinic.db") as base:
        base.execute("CREATE TABLE visit (patient TEXT, tsh REAL, age INTEGER, note TEXT)")
        base.executemany(
            "INSERT INTO visit VALUES (?, ?, ?, ?)",
            [("a", 1.5, 40, 'says "well", and\nleft'), ("b", None, 71, "")],
        )
    base.close()
    return tmp_path


def test_the_answer_to_a_query_is_taken_out_as_text(small):
    origin = described(small, "sqlite:///clinic.db", "SELECT patient, tsh, age FROM visit")
    assert taken(origin, small) == "patient,tsh,age\na,1.5,40\nb,,71\n"
    assert origin.words == "a database, by the query in query.toml"


@pytest.mark.parametrize(
    "select",
    [
        "WITH old AS (DELETE FROM visit RETURNING patient) SELECT * FROM old",
        "WITH n AS (SELECT 1) INSERT INTO visit SELECT 'c', 1, 1, '' FROM n RETURNING patient",
    ],
)
def test_the_database_itself_refuses_to_write(small, select):
    with pytest.raises(DataError, match="did not answer"):
        taken(described(small, "sqlite:///clinic.db", select), small)
    with sqlite3.connect(small / "clinic.db") as base:
        assert base.execute("SELECT count(*) FROM visit").fetchone() == (2,)
    base.close()


def test_what_writes_is_no_select(small):
    for text in ("DELETE FROM visit", "/* SELECT */ UPDATE visit SET age = 1", "selected"):
        with pytest.raises(DataError, match="no SELECT"):
            taken(described(small, "sqlite:///clinic.db", text), small)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite:///none.db", "There is no database"),
        ("mysql+pymysql://reader@db/clinic", "it is for: postgresql, sqlite"),
        ("postgresql+pg8000://reader:secret@db/clinic", "holds a password"),
        ("nonsense", "none that SQLAlchemy reads"),
    ],
)
def test_a_database_that_cannot_be_read_safely_is_refused(small, url, why):
    with pytest.raises(DataError, match=why) as refused:
        taken(described(small, url, "SELECT 1"), small)
    assert "secret" not in str(refused.value)


def test_a_password_that_others_may_read_is_refused(small):
    (small / "password").write_text("secret\n")
    (small / "password").chmod(0o644)
    origin = described(
        small, "sqlite:///clinic.db", "SELECT age FROM visit", 'password_file = "password"\n'
    )
    with pytest.raises(UnreadableError, match="readable by others"):
        taken(origin, small)
    (small / "password").chmod(0o600)
    assert taken(origin, small) == "age\n40\n71\n"


@pytest.fixture(scope="module")
def clinic():
    """PostgreSQL with a table, a role that may read it, and one that may write into it."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    with server() as socket:
        engine = sqlalchemy.create_engine(
            "postgresql+pg8000://postgres@/postgres", connect_args={"unix_sock": str(socket)}
        )
        with engine.begin() as base:
            for line in (
                "CREATE TABLE visit (patient text, tsh numeric(6,2), seen timestamp, ill boolean)",
                "INSERT INTO visit VALUES ('a', 1.50, '2025-03-01 10:30', true)",
                "INSERT INTO visit VALUES ('b', NULL, '2025-03-02', false)",
                "CREATE SEQUENCE visits",
                "CREATE ROLE reader LOGIN",
                "CREATE ROLE writer LOGIN",
                "GRANT SELECT ON visit TO reader",
                "GRANT USAGE ON SEQUENCE visits TO reader",
                "GRANT SELECT, UPDATE ON visit TO writer",
            ):
                base.execute(sqlalchemy.text(line))
        engine.dispose()
        yield lambda role: f"postgresql+pg8000://{role}@/postgres?unix_sock={socket}"


def test_postgresql_gives_a_reader_the_table(clinic, tmp_path):
    origin = described(tmp_path, clinic("reader"), "SELECT * FROM visit ORDER BY patient")
    assert taken(origin, tmp_path) == (
        "patient,tsh,seen,ill\na,1.50,2025-03-01T10:30:00,true\nb,,2025-03-02,false\n"
    )


def test_postgresql_refuses_what_writes_and_a_role_that_may(clinic, tmp_path):
    counted = "SELECT nextval('visits')"  # writes, and begins like a question
    with pytest.raises(DataError, match="read-only transaction"):
        taken(described(tmp_path, clinic("reader"), counted), tmp_path)
    for role in ("writer", "postgres"):
        with pytest.raises(DataError, match=f"The role {role} may write"):
            taken(described(tmp_path, clinic(role), "SELECT * FROM visit"), tmp_path)
    with pytest.raises(DataError, match="no_such"):
        taken(described(tmp_path, clinic("reader"), "SELECT * FROM no_such"), tmp_path)
