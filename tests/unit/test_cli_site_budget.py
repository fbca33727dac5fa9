"""Taking a budget back, as the owner types it: what stays, what goes on, what is refused
afterwards, and that the audit says so.
"""

import json

import pytest
from click.testing import CliRunner
from conftest import protocol_text
from consortium import NAMES, Consortium
from small_study import SPEC

from securefl.cli.main import cli
from securefl.errors import BudgetError, StudyError
from securefl.learning.mock import mock_table
from securefl.node.site import Site
from securefl.privacy.audit import audit
from securefl.privacy.ledger import read_ledger

ME = NAMES[0]


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    """One study is approved at ``ME``, a second one was asked for."""
    c = Consortium(tmp_path_factory.mktemp("revoke"))
    c.first, c.second = c.new_study("first"), c.new_study("second")
    for study in (c.first, c.second):
        c.hand_over(study, ME)
    c.approve(ME, c.first)
    return c


def type_in(c, *words):
    done = CliRunner().invoke(cli, [*words, "--site", str(c.root / ME)])
    return done.exit_code, " ".join(done.output.split()), done.exception


def taken_back(c):
    found = c.site(ME)
    try:
        return found.ledger.state.budget("clinic").revoked
    finally:
        found.ledger.close()


def test_the_life_of_a_revocation(hospitals):
    c, name = hospitals, f"first-{hospitals.first.digest[:12]}"
    # without a yes nothing happens, but all that matters is on the screen
    code, out, error = type_in(c, "site", "budget", "revoke", "clinic")
    assert code != 0
    assert "nobody can be asked here" in str(error)
    for part in (
        "stays spent, and stays in the audit",
        f"{name} (approved) goes on",
        f"securefl site withdraw {name}",
        "no later study is approved",
    ):
        assert part in out
    assert not taken_back(c)
    # with a yes it is done, and a program reads what goes on
    code, out, _ = type_in(
        c, "site", "budget", "revoke", "clinic", "--yes", "--note", "the ward closes", "--json", "-"
    )
    said = json.loads(out)
    assert code == 0
    assert said["revoked"] is True
    assert [(s["digest"], s["status"]) for s in said["going_on"]] == [(c.first.digest, "approved")]
    assert 0 < said["share_used"] < 1
    assert taken_back(c)
    # a later study is refused with the reason, which stands in the ledger; the earlier one still
    # starts
    with pytest.raises(BudgetError, match="took back the budget of 'clinic'"):
        c.approve(ME, c.second)
    site = c.site(ME)
    refusal = site.ledger.state.refusals[-1]
    assert (refusal.study, refusal.reason, refusal.note, refusal.left) == (
        c.second.digest,
        "budget",
        "the budget was taken back",
        0,
    )
    assert refusal.asked > 0
    assert not site.ledger.state.declined(c.second.digest)
    site.ledger.start(c.first.digest)
    site.ledger.close()
    # the three forms of the audit, and the status
    code, out, _ = type_in(
        c, "audit", "--json", str(c.root / "a.json"), "--html", str(c.root / "a.html")
    )
    report, page = json.loads((c.root / "a.json").read_text()), (c.root / "a.html").read_text()
    (population,) = report["populations"]
    assert (code, population["revoked"], population["studies_like_last"]) == (0, True, 0)
    assert population["revocations"][0]["note"] == "the ward closes"
    for text in (out, page):
        for part in ("took back the rest", "the ward closes", "the budget was taken back"):
            assert part in " ".join(text.replace("\u00a0", " ").split())
    assert "the pale rest was taken back by the owner" in page.replace("\u00a0", " ")
    code, out, _ = type_in(c, "site", "status", "--json", str(c.root / "s.json"))
    assert "you took back the rest, so no study can be approved" in out
    (line,) = json.loads((c.root / "s.json").read_text())["budgets"]
    assert (line["room"], line["revoked"]) == (0, True)
    # twice is once, and a name that is not there is answered with those that are
    code, _, error = type_in(c, "site", "budget", "revoke", "clinic", "--yes")
    assert (code != 0, "took back" in str(error)) == (True, True)
    code, _, error = type_in(c, "site", "budget", "revoke", "clinc", "--yes")
    assert "There are budgets for: clinic." in str(error)


def test_a_budget_with_room_has_none_once_it_is_taken_back(tmp_path):
    c = Consortium(tmp_path)
    site = c.site(ME)

    def room():
        (population,) = audit(read_ledger(site.ledger_path, site.identity.card.verify)).populations
        return population["studies_like_last"]

    assert room() > 1
    site.ledger.revoke("clinic")
    assert room() == 0
    site.ledger.close()


def grant(folder, population, *more):
    words = [
        "site",
        "budget",
        "set",
        population,
        "--epsilon",
        "3",
        "--typical",
        str(folder / "typical.toml"),
        "--site",
        str(folder / "A"),
    ]
    return CliRunner().invoke(cli, [*words, *more])


@pytest.fixture
def fresh(tmp_path):
    Site.init(
        tmp_path / "A",
        name="A",
        legal_name="Hospital",
        email="a@example.org",
        store=str(tmp_path / "store"),
    ).ledger.close()
    (tmp_path / "typical.toml").write_text(protocol_text())
    return tmp_path


def budgets(folder):
    site = Site.at(folder / "A")
    try:
        return sorted(site.ledger.state.budgets)
    finally:
        site.ledger.close()


def test_a_budget_for_a_population_without_a_data_set_is_asked_first(fresh):
    (fresh / "t.csv").write_bytes(mock_table(SPEC, 20, seed=1))
    words = [
        "site",
        "data",
        "add",
        "records",
        str(fresh / "t.csv"),
        "--population",
        "clinic",
        "--columns",
        str(fresh / "typical.toml"),
        "--site",
        str(fresh / "A"),
    ]
    assert CliRunner().invoke(cli, words).exit_code == 0
    done = grant(fresh, "clinics")
    assert "nobody can be asked here" in str(done.exception)
    assert (
        "No data set of the population 'clinics' is registered here. Those registered are: clinic."
        in " ".join(done.output.split())
    )
    assert budgets(fresh) == []
    assert grant(fresh, "clinic").exit_code == 0  # a name that a data set has needs no yes
    assert grant(fresh, "clinics", "--yes").exit_code == 0
    assert budgets(fresh) == ["clinic", "clinics"]


def test_a_typical_study_that_contradicts_itself_is_refused_as_a_study_is(fresh):
    (fresh / "typical.toml").write_text(protocol_text(("steps = 4", "steps = 5")))
    done = grant(fresh, "clinic", "--yes")
    assert isinstance(done.exception, StudyError)
    assert "says 5, but 4 rounds of 1 make 4" in done.exception.what
    assert budgets(fresh) == []


def test_the_grant_says_what_all_releases_under_it_tell_of_one_patient(fresh):
    """The owner decides on this sentence: it speaks of the whole budget, not of one study."""
    out = " ".join(grant(fresh, "clinic", "--yes").output.split())
    assert (
        "Whoever studies all that is ever released under it can raise a coin-flip guess whether one"
        " patient's record was used from 50 % to at most 95.3 %, but for a chance of 1 in 100,000."
        in out
    )
