"""The owner's commands refuse figures that the ledger could not keep, with words that say what to
write.
"""

import pytest
from click.testing import CliRunner
from conftest import protocol_text

from securefl.cli.main import cli
from securefl.node.site import Site


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("site")
    Site.init(
        root / "SVI",
        name="SVI",
        legal_name="Hospital",
        email="a@example.org",
        store=str(root / "store"),
    ).ledger.close()
    (root / "typical.toml").write_text(protocol_text())
    return root


def budget(place, epsilon, delta="1e-5", *more):
    arguments = [
        "site",
        "budget",
        "set",
        "clinic",
        "--epsilon",
        epsilon,
        "--delta",
        delta,
        "--typical",
        str(place / "typical.toml"),
        "--site",
        str(place / "SVI"),
    ]
    return CliRunner().invoke(cli, [*arguments, *more])


def granted(place):
    site = Site.at(place / "SVI")
    try:
        return site.ledger.state.budget("clinic").epsilon
    finally:
        site.ledger.close()


@pytest.mark.parametrize(
    ("epsilon", "delta", "what"),
    [
        ("300", "1e-61", "must be at least 1e-30 and at most 1e-3"),
        ("300", "1e-400", "must be at least 1e-30"),
        ("3", "0.5", "at most 1e-3"),
        ("3", "0.0000" + "1" * 40, "at most 40 characters in plain digits"),
        ("3." + "1" * 50, "1e-5", "at most 40 characters"),
        ("1e9", "1e-5", "must be at least 0.0001 and at most 1000"),
        ("-1", "1e-5", "must be at least 0.0001"),
        ("NaN", "1e-5", "must be at least 0.0001"),
        ("three", "1e-5", "is not a number"),
    ],
)
def test_a_budget_whose_figures_cannot_be_kept_is_refused_and_the_ledger_still_opens(
    place, epsilon, delta, what
):
    result = budget(place, epsilon, delta)
    assert result.exit_code == 2
    assert what in " ".join(result.output.replace("│", " ").split())
    site = Site.at(place / "SVI")
    assert site.ledger.size == 1
    site.ledger.close()


def test_a_budget_for_a_name_that_no_population_can_have_is_refused(place):
    typical = str(place / "typical.toml")
    done = CliRunner().invoke(
        cli,
        [
            "site",
            "budget",
            "set",
            "Thyroid Referrals",
            "--epsilon",
            "3",
            "--typical",
            typical,
            "--site",
            str(place / "SVI"),
        ],
    )
    assert "cannot be the name of a population" in str(done.exception)
    assert "Names start with a letter" in done.exception.next_step
    site = Site.at(place / "SVI")
    assert site.ledger.size == 1
    site.ledger.close()


def test_a_budget_in_range_is_granted_and_a_small_one_after_a_revocation_is_not(place):
    assert budget(place, "3", "1e-5", "--yes").exit_code == 0  # no data set is there yet
    site = Site.at(place / "SVI")
    site.ledger.revoke("clinic")
    site.ledger.close()
    again = budget(place, "0.01")
    assert again.exit_code != 0
    site = Site.at(place / "SVI")
    assert site.ledger.state.budget("clinic").revoked
    site.ledger.close()
    opened = budget(place, "3")
    assert opened.exit_code == 0
    assert "Opened again: what was used of the earlier budget stays used" in " ".join(
        opened.output.split()
    )
    site = Site.at(place / "SVI")
    assert site.ledger.state.budget("clinic").epsilon == 3
    site.ledger.close()


def test_more_budget_is_asked_for_with_what_it_makes_in_all(place):
    """After the tests above: epsilon 3 is granted."""
    asked = budget(place, "3")
    words = " ".join(asked.output.split())
    assert "epsilon 3 is granted now, 6 after this" in words
    assert "rise to 99.8 %, where it was 95.3 %" in words
    assert "Granted:" not in words
    assert "nobody can be asked here" in str(asked.exception)
    assert granted(place) == 3
    meant = budget(place, "3.0", "1e-5", "--yes")
    assert "Granted: epsilon 6" in " ".join(meant.output.split())
    assert granted(place) == 6
