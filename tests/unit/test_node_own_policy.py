"""A request against the owner's own signed policy cannot be approved, and says which rule it breaks."""

import json
from decimal import Decimal

import pytest
from agreed_consortium import AgreedConsortium
from click.testing import CliRunner
from conftest import make_study
from consortium import NAMES, Consortium
from worker_isolation import FILES_OPEN, NETWORK_OPEN

from securefl.cli.main import cli
from securefl.errors import NotApprovedError, StudyError, UnreadableError
from securefl.node import decisions, isolation, own_policy
from securefl.node.owner.policy import plan_policy
from securefl.node.policy import review, review_again
from securefl.node.policy_surroundings import surroundings
from securefl.node.worker_rules import site_isolation
from securefl.report.explain_study import worst_epsilon
from securefl.report.isolation import isolation_sentence
from securefl.study.cadence import Cadence
from securefl.study.owner_policy import read_policy
from securefl.study.parse import parse_study
from securefl.study.policy_rules import Surroundings, broken_rules
from securefl.study.policy_words import check_words
from securefl.study.training import model_kinds
from securefl.study.worker_walls import WorkerLimits, WorkerRules

ME = NAMES[0]
STUDY = parse_study(make_study()[0])
HEAD = 'schema = "securefl-policy/1"\n'


def policy(rules=""):
    return read_policy((HEAD + rules).encode())


PARTIES = (*STUDY.participants, STUDY.coordinator, STUDY.aggregator)
HERE = Surroundings(
    share=Decimal("0.2"),
    quarter=Decimal(2),
    countries={party.name: "DE" for party in PARTIES},
    store="AT",
)


def broken(rules, study=STUDY, here=HERE):
    return broken_rules(policy(rules), study, here, epsilon=worst_epsilon(study))


def at_night(begin="22:00", end="05:00"):
    cadence = Cadence(begin=begin, end=end)
    schedule = STUDY.schedule.model_copy(update={"cadence": cadence})
    return STUDY.model_copy(update={"schedule": schedule})


# --- words


RULE = """
[[approve_alone]]
name = "counts"
researchers = ["x"]
stages = ["count"]
tasks = ["binary"]
families = ["mlp"]
largest_epsilon = "1"
until = "2030-01-01"
studies = 1
"""


@pytest.mark.parametrize(
    ("rules", "word", "mend"),
    [
        ('families = ["linear"]', "linear", 'Write "logistic-regression" or "regression".'),
        ('families = ["mlp", "perceptron"]', "perceptron", 'Write "mlp".'),
        ('families = ["forest"]', "forest", '"boosted-trees"'),
        ('tasks = ["classification"]', "classification", '"binary" or "classes"'),
        (RULE.replace("mlp", "linear"), "linear", '"logistic-regression"'),
        (RULE.replace('"binary"', '"yes"'), "yes", '"binary"'),
        (RULE.replace('["count"]', '["counting"]'), "counting", '"count"'),
    ],
)
def test_a_word_that_no_study_has_is_refused_before_it_is_signed(rules, word, mend):
    with pytest.raises(StudyError, match=f'no study file has the word "{word}"') as refused:
        check_words(policy(rules))
    assert mend in refused.value.next_step


@pytest.mark.parametrize("kind", sorted(model_kinds()))
def test_every_word_for_a_model_can_stand_in_a_policy(kind):
    check_words(policy(f'families = ["{kind}"]'))


def test_a_policy_without_such_words_and_a_rule_of_known_ones_pass():
    check_words(policy())
    check_words(policy(RULE))


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
        'families = ["logistic-regression", "mlp"]',
        'largest_epsilon_quarter = "3"',
        'jurisdictions = ["DE", "AT"]',
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
        (
            'largest_epsilon_quarter = "2.9"',
            (
                "The other studies of the last 92 days cost epsilon 2 on these patients, and it"
                " costs 1 more; at most 2.9 is allowed."
            ),
        ),
        (
            'hours = "20:00-06:00"',
            "Its rounds may begin at any hour; here they may at 20:00-06:00 UTC.",
        ),
        (
            'jurisdictions = ["DE"]',
            "The store is in AT, which is not among the allowed countries.",
        ),
    ],
)
def test_each_rule_says_what_breaks_it(rules, sentence):
    assert broken(rules) == [sentence]


def test_a_study_without_a_purpose_is_against_a_rule_on_purposes():
    bare = STUDY.model_copy(update={"study": STUDY.study.model_copy(update={"duo": ()})})
    found = broken_rules(
        policy('purposes = ["DUO:0000042"]'), bare, Surroundings(), epsilon=Decimal(1)
    )
    assert found == ["It names no purpose of the Data Use Ontology."]


@pytest.mark.parametrize(
    ("hours", "within"),
    [
        ("20:00-06:00", True),
        ("22:00-05:00", True),
        ("22:01-05:00", False),
        ("22:00-04:59", False),
        ("06:00-20:00", False),
        ("05:00-22:00", False),
        ("00:00-00:00", True),
    ],
)
def test_a_study_of_the_night_keeps_the_hours_that_hold_all_of_its_window(hours, within):
    assert (broken(f'hours = "{hours}"', at_night()) == []) is within


def test_a_party_of_whom_nobody_says_where_it_is_counts_as_elsewhere():
    rules = 'jurisdictions = ["DE"]'
    found = broken(rules, here=Surroundings(countries={STUDY.cohort[0]: "US"}))
    assert found[0] == f"{STUDY.cohort[0]} is in US, which is not among the allowed countries."
    assert found[1] == f"No agreement in force here says in which country {STUDY.cohort[1]} is."
    assert found[-1] == "Nothing says in which country the store is."
    assert len(found) == len({party.name for party in PARTIES}) + 1


def test_the_rules_for_a_worker_are_stricter_than_the_usual_ones_or_say_so():
    assert policy().worker_rules() == WorkerRules()
    strict = policy('walls = ["files", "cores"]\ncores = 2\nmemory_gb = 4\nprocessor_hours = 3')
    assert strict.worker_rules() == WorkerRules(
        frozenset(("network", "files", "cores")), WorkerLimits(4 * 10**9, 2, 3 * 3600)
    )
    lowered = policy("worker_may_have_network = true")
    assert lowered.worker_rules().required == frozenset()
    told = dict(lowered.rows())
    assert told["the worker may have a network"] == "yes: rows could be sent anywhere"


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
        HEAD + 'walls = ["moat"]',
        HEAD + 'walls = ["network"]\nworker_may_have_network = true',
        HEAD + 'walls = ["cores"]',  # of how many
        HEAD + 'hours = "22:00"',
        HEAD + 'hours = "22:00-24:00"',
        HEAD + 'jurisdictions = ["Germany"]',
        HEAD + 'jurisdictions = ["DE"]\nstore_jurisdiction = "US"',
        HEAD + 'largest_epsilon = "2"\nlargest_epsilon_quarter = "1"',
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


def test_a_quarter_is_over_for_the_second_of_two_requests_that_were_reviewed_together(
    tmp_path, monkeypatch
):
    c = Consortium(tmp_path)
    here = c.site(ME)
    first, second = (c.new_study(name) for name in ("first", "second"))
    own_policy.keep_policy(here, policy('largest_epsilon_quarter = "1.5"'))
    reviewed = [review(here, study.sealed, now()) for study in (first, second)]
    assert [found.faults for found in reviewed] == [(), ()]
    monkeypatch.setattr(decisions, "publish_approval", lambda *_: None)
    decisions.approve(here, reviewed[0])
    with pytest.raises(NotApprovedError, match="cost epsilon"):
        decisions.approve(here, reviewed[1])
    (fault,) = review(here, second.sealed, now()).faults
    assert "at most 1.5 is allowed" in fault.what
    # the control: with room for both, and the first is not counted against itself
    assert review(here, first.sealed, now()).faults_beside_budget == ()
    own_policy.keep_policy(here, policy('largest_epsilon_quarter = "3"'))
    decisions.approve(here, reviewed[1])
    here.ledger.close()


def test_countries_are_those_of_the_agreement_that_binds_the_patients(tmp_path):
    c = AgreedConsortium(tmp_path)
    c.sign()
    sealed = c.agreed_study("countries").sealed
    rules = policy('jurisdictions = ["DE", "AT"]\nstore_jurisdiction = "AT"')

    def known():
        here = c.site(ME)
        try:
            return surroundings(here, rules, sealed, None, now())
        finally:
            here.ledger.close()

    assert known().countries == {}  # nothing is in force here yet
    c.enforce(ME)
    study = sealed.study
    named = {p.name for p in (*study.participants, study.coordinator, study.aggregator)}
    assert known().countries == dict.fromkeys(named, "DE")
    assert known().store == "AT"


def test_a_machine_without_a_wall_that_is_required_cannot_be_asked_for_a_yes(c, here, monkeypatch):
    monkeypatch.setattr(isolation, "_tried", lambda: FILES_OPEN.walls)
    assert review(here, c.study.sealed, now()).faults == ()  # the usual rules
    own_policy.keep_policy(here, policy('walls = ["files"]'))
    (fault,) = review(here, c.study.sealed, now()).faults
    assert "wall files does not hold" in fault.what
    monkeypatch.setattr(isolation, "_tried", lambda: NETWORK_OPEN.walls)
    own_policy.keep_policy(here, policy())
    (fault,) = review(here, c.study.sealed, now()).faults
    assert "wall network does not hold" in fault.what
    # the owner's own written word lowers it, and then the page says so
    own_policy.keep_policy(here, policy("worker_may_have_network = true"))
    assert review(here, c.study.sealed, now()).faults == ()
    assert "lets the worker read the table all the same" in isolation_sentence(site_isolation(here))


def test_a_machine_that_did_not_answer_has_no_wall_and_is_tried_again(monkeypatch):
    isolation._trial.cache_clear()
    with monkeypatch.context() as once:
        once.setattr(isolation.sys, "executable", "/nowhere/python")
        walls = isolation.machine_walls(WorkerLimits())
        assert not any(wall.held for wall in walls)
    assert any(wall.held for wall in isolation.machine_walls(WorkerLimits()))


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


def test_a_policy_with_an_odd_word_that_was_signed_before_is_read_on(here):
    own_policy.keep_policy(here, policy('families = ["linear"]'))
    assert own_policy.kept_policy(here).families == ("linear",)
    own_policy.drop_policy(here)
    with pytest.raises(StudyError, match='the word "linear"'):
        plan_policy(here, b'schema = "securefl-policy/1"\nfamilies = ["linear"]\n')


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
    assert found["policy"] == {"schema": "securefl-policy/1", "largest_epsilon": "0.5"}
    assert [wall["wall"] for wall in found["walls"] if wall["required"]] == ["network"]
    assert "isolation: network blocked" in site(c, "policy", "show")
    page = site(c, "review", "asked")
    assert "It cannot be approved as it stands" in page
    assert "at most 0.5 is allowed" in " ".join(page.replace("│", " ").split())
    assert "Taken away." in site(c, "policy", "drop", "--yes")
    assert "The decision is yours" in site(c, "review", "asked")
