"""The review counts the owner's rows for the owner alone, and says first what was decided; a
decision is not asked for twice.
"""

import pytest
from click.testing import CliRunner
from consortium import NAMES, Consortium

from securefl.cli.main import cli
from securefl.errors import NotApprovedError

ME = NAMES[0]


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    c = Consortium(tmp_path_factory.mktemp("review"))
    c.first, c.second = c.new_study("first"), c.new_study("second")
    for study in (c.first, c.second):
        c.hand_over(study, ME)
    return c


def type_in(c, *words):
    done = CliRunner().invoke(cli, ["site", *words, "--site", str(c.root / ME)])
    return done, " ".join(done.output.split())


def everything(c):
    """All files of the hospital and of the store but SQLite's own."""
    return {
        p: p.read_bytes()
        for folder in (c.root / ME, c.store_folder)
        for p in folder.rglob("*")
        if p.is_file() and "ledger.sqlite" not in p.name
    }


def test_a_request_is_reviewed_decided_once_and_shown_as_decided(hospitals):
    c = hospitals
    whole, before = c.table(ME).read_bytes(), everything(c)
    _, out = type_in(c, "review", "first")
    assert "Your table: 80 rows, 80 can be used" in out
    assert "The decision is yours" in out
    assert everything(c) == before
    done, _ = type_in(c, "review", "first", "--html", str(c.root / "review.html"))
    assert done.exit_code == 0
    written = (c.root / "review.html").read_text("utf-8")
    assert "Your table: </b>80 rows, 80 can be used" in written
    assert "The decision is yours" in written
    # a table that says nothing any more
    c.table(ME).write_bytes(whole.replace(b"mock-", b"?,mock-"))
    before = everything(c)
    _, out = type_in(c, "review", "first")
    assert "NO ROW of your table can be used" in out
    assert "80 set aside: │ the line has too few or too many values" in out
    assert everything(c) == before
    # approved without the page: the warning comes when the approval is out
    _, out = type_in(c, "approve", "first", "--yes")
    assert out.index("Approved first-") < out.index("WARNING: NO ROW of your table can be used")
    c.table(ME).write_bytes(whole)
    _, out = type_in(c, "review", "first")
    assert (
        "You approved it. It starts when every hospital has approved and the researcher runs it;"
        " until then it costs nothing." in out
    )
    assert "The decision is yours" not in out
    for again in (
        ("approve", "first"),
        ("approve", "first", "--yes"),
        ("refuse", "first", "--reason", "no"),
    ):
        done, out = type_in(c, *again)
        assert isinstance(done.exception, NotApprovedError)
        assert "was decided here before. You approved it." in done.exception.what
        assert out == ""
    _, out = type_in(c, "refuse", "second", "--reason", "no vote")
    assert "Refused second-" in out
    done, out = type_in(c, "approve", "second")
    assert "You refused it" in done.exception.what
    assert "You refused it; that is final" in type_in(c, "review", "second")[1]
    type_in(c, "withdraw", "first", "--yes")
    assert "It is over: you approved it, and withdrew later." in type_in(c, "review", "first")[1]
