"""A request against the owner's own signed policy cannot be approved, and says which rule it breaks."""

import json
from decimal import Decimal

import pytest
from click.testing import CliRunner
from conftest import make_study
from consortium import NAMES, Consortium

from securefl.cli.main import cli
from securefl.errors import NotApprovedError, StudyError, UnreadableError
from securefl.node import decisions, own_policy
from securefl.node.policy import review, review_again
from securefl.report.explain_study import worst_epsilon
from securefl.study.owner_policy import broken_rules, read_policy
from securefl.study.parse import parse_study

ME = NAMES[0]
STUDY = parse_study(make_study()[0])
HEAD = 'schema = "securefl-policy/1"\n'


def policy(rules=""):
    return read_policy((HEAD + rules).encode())


def broken(rules, share="0.2"):
    return broken_rules(
        policy(rules), STUDY, epsilon=worst_epsilon(STUDY), share=share and Decimal(share)
    )


# --- rules


@pytest.mark.parametrize(
    "rules",
    [
        "",
        f'researchers = ["{STUDY.coordinator.name}", "other"]',
        'purposes = ["DUO:0000042", "DUO:0000006"]',
        'largest_epsilon = "1"',
        'largest_share = "0.2"',
        "least_hospitals = 5",
        'tasks = ["binary"]',
        'families = ["logistic-regression", "perceptron"]',
    ],
)
def test_a_study_within_a_rule_breaks_none(rules):
    assert broken(rules) == []


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ('researchers = ["other"]', f"{STUDY.coordinator.name} is not among those who may ask."),
        ("researchers = []", f"{STUDY.coordinator.name} is not among those who may ask."),
        ('purposes = ["DUO:0000006"]', "The purpose DUO:0000042 is not allowed."),
        ("purposes = []", "The purpose DUO:0000042 is not allowed."),
        ('largest_epsilon = "0.99"', "Its epsilon is 1; at most 0.99 is allowed."),
        ('largest_share = "0.19"', "It takes 0.2 of the budget; at most 0.19 may be."),
        ("least_hospitals = 6", "5 hospitals take part; 6 are the fewest."),
        ('tasks = ["count"]', "To predict binary is not allowed."),
        ("families = []", "Models of the kind logistic-regression are not allowed."),
    ],
)
def test_each_rule_says_what_breaks_it(rules, sentence):
    assert broken(rules) == [sentence]


def test_a_study_without_a_purpose_is_against_a_rule_on_purposes():
    bare = STUDY.model_copy(update={"study": STUDY.study.model_copy(update={"duo": ()})})
    found = broken_rules(policy('purposes = ["DUO:0000042"]'), bare, epsilon=Decimal(1), share=None)
    assert found == ["It names no purpose of the Data Use Ontology."]


def test_several_rules_are_all_named():
    assert len(broken('researchers = []\nleast_hospitals = 9\nlargest_epsilon = "0.1"')) == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = 1",
        'schema = "securefl-policy/2"',
        HEAD + "researcher = []",
        HEAD + 'largest_epsilon = "0"',
        HEAD + "largest_epsilon = 1",
        HEAD + 'largest_share = "1.1"',
        HEAD + 'largest_epsilon = "nan"',
        HEAD + "least_hospitals = 1",
        HEAD + 'purposes = ["research"]',
        HEAD + 'researchers = ["a\\u202eb"]',
        "\x00",
    ],
)
def test_what_is_no_policy_is_refused_with_what_to_do(text):
    with pytest.raises(StudyError) as caught:
        read_policy(text.encode())
    assert "policy" in caught.value.what
    assert caught.value.next_step


# --- at a hospital


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    made = Consortium(tmp_path_factory.mktemp("policy"))
    made.study = made.new_study("asked")
    made.hand_over(made.study, ME)
    return made


@pytest.fixture
def here(c):
    site = c.site(ME)
    yield site
    own_policy.drop_policy(site)
    site.ledger.close()


def now():
    from datetime import UTC, datetime

    return datetime.now(UTC)


def test_a_request_against_the_policy_is_not_approved_and_the_ledger_is_as_it_was(c, here):
    own_policy.keep_policy(here, policy('researchers = ["other"]'))
    size = here.ledger.size
    found = review(here, c.study.sealed, now())
    assert "researcher is not among those who may ask." in found.faults[-1].what
    with pytest.raises(NotApprovedError):
        decisions.approve(here, found)
    assert here.ledger.size == size
    # the control: without the rule the same request has no fault
    own_policy.keep_policy(here, policy())
    assert review(here, c.study.sealed, now()).faults == ()


def test_a_study_that_was_approved_is_not_judged_again_by_the_policy(c, here):
    own_policy.keep_policy(here, policy("least_hospitals = 9"))
    assert len(review(here, c.study.sealed, now()).faults) == 1
    assert review_again(here, c.study.sealed, now()).faults == ()


@pytest.mark.parametrize("damage", ["edited", "emptied", "of-another", "too-long"])
def test_a_policy_that_somebody_else_changed_stands_against_every_request(c, here, damage):
    own_policy.keep_policy(here, policy("least_hospitals = 9"))
    file = here.path / "policy.signed"
    text = file.read_bytes()
    if damage == "edited":
        file.write_bytes(text.replace(b":9", b":2"))
    elif damage == "emptied":
        file.write_bytes(b"")
    elif damage == "too-long":
        file.write_bytes(text + b" " * 100_000)
    else:
        other = c.site(NAMES[1])
        own_policy.keep_policy(other, policy())
        file.write_bytes((other.path / "policy.signed").read_bytes())
        other.ledger.close()
    with pytest.raises(UnreadableError):
        own_policy.kept_policy(here)
    (fault,) = review(here, c.study.sealed, now()).faults
    assert isinstance(fault, UnreadableError)
    assert "securefl site policy set" in fault.next_step


def test_a_policy_comes_back_as_it_was_signed(here):
    given = policy('largest_epsilon = "0.50"\ntasks = ["binary"]\npurposes = ["DUO:0000042"]')
    own_policy.keep_policy(here, given)
    assert own_policy.kept_policy(here) == given
    assert own_policy.drop_policy(here)
    assert not own_policy.drop_policy(here)
    assert own_policy.kept_policy(here) is None


def site(c, *words):
    done = CliRunner().invoke(cli, ["site", *words, "--site", str(c.root / ME)])
    if done.exception:
        raise done.exception
    return done.stdout


def test_the_command_signs_shows_and_takes_away(c, here, tmp_path):
    assert "every request is yours to judge" in site(c, "policy", "show")
    (tmp_path / "policy.toml").write_text(HEAD + 'largest_epsilon = "0.5"\n')
    out = site(c, "policy", "set", str(tmp_path / "policy.toml"), "--yes")
    assert "largest epsilon of a study" in out
    found = json.loads(site(c, "policy", "show", "--json", "-"))
    assert found == {"policy": {"schema": "securefl-policy/1", "largest_epsilon": "0.5"}}
    page = site(c, "review", "asked")
    assert "It cannot be approved as it stands" in page
    assert "at most 0.5 is allowed" in " ".join(page.replace("│", " ").split())
    assert "Taken away." in site(c, "policy", "drop", "--yes")
    assert "The decision is yours" in site(c, "review", "asked")
