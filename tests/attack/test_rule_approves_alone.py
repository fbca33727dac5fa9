"""A rule of the owner's policy approves without them, and nothing beyond that rule is approved.

Each attack stands beside its control: the same request under a rule that covers it is approved.
"""

import json
from datetime import UTC, datetime, timedelta

import pytest
from consortium import NAMES, Consortium
from ledger_site import approve as ledger_approve
from ledger_site import digest, new_ledger, verify

from securefl.errors import LedgerAlteredError, NotApprovedError, StudyError, UnreadableError
from securefl.node import decisions, own_policy, published_approvals, questions, rule_approval
from securefl.node.owner import policy as owner_policy
from securefl.node.owner.audit import read_audit
from securefl.node.policy import review
from securefl.node.policy_files import note_own_files
from securefl.node.rule_approval import approve_by_rule, rule_for
from securefl.node.rule_desk import RuleDesk
from securefl.privacy import ledger_events as ev
from securefl.privacy import ledger_state
from securefl.privacy.audit import extract
from securefl.privacy.ledger_reading import read_ledger
from securefl.report.audit import audit_overview
from securefl.report.catalogue import catalogue
from securefl.report.terminal import plain_text
from securefl.signed import dump_signed
from securefl.study.owner_policy import read_policy

ME = NAMES[0]
HEAD = 'schema = "securefl-policy/1"\n'
NOW = datetime.now(UTC)
UNTIL = (NOW + timedelta(days=30)).date().isoformat()
YESTERDAY = (NOW - timedelta(days=1)).date().isoformat()
RULE = {
    "name": '"small-models"',
    "researchers": '["researcher"]',
    "stages": '["train", "evaluate"]',
    "tasks": '["binary"]',
    "families": '["logistic-regression"]',
    "largest_epsilon": '"1"',
    "until": f'"{UNTIL}"',
    "studies": "3",
}


def text(head="", **changes):
    """A policy with one rule, as its file."""
    rule = {**RULE, **changes}
    lines = "".join(f"{key} = {value}\n" for key, value in rule.items() if value is not None)
    return f"{HEAD}{head}[[approve_alone]]\n{lines}"


def policy(head="", **changes):
    return read_policy(text(head, **changes).encode())


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    made = Consortium(tmp_path_factory.mktemp("rules"))
    made.study = made.new_study("asked")
    made.hand_over(made.study, ME)
    return made


@pytest.fixture
def here(c):
    site = c.site(ME)
    yield site
    own_policy.drop_policy(site)
    site.ledger.close()


def covering(c, site):
    return rule_for(site, c.study.digest, c.study.sealed.study, datetime.now(UTC))


def waits(c, site):
    """The request is asked of the rules, and stays the owner's; the ledger is as it was."""
    size = site.ledger.size
    assert approve_by_rule(site, c.study.digest, datetime.now(UTC)) is None
    assert site.ledger.size == size
    return True


@pytest.mark.parametrize(
    "beyond",
    [
        {"researchers": '["other"]'},
        {"stages": '["train"]'},
        {"stages": '["count"]'},
        {"tasks": '["count"]'},
        {"families": None},
        {"families": '["perceptron"]'},
        {"largest_epsilon": '"0.99"'},
        {"until": f'"{YESTERDAY}"'},
    ],
)
def test_a_study_beyond_the_rule_waits(c, here, beyond):
    own_policy.keep_policy(here, policy(**beyond))
    assert waits(c, here)
    # the control: the rule as it is covers the same request
    own_policy.keep_policy(here, policy())
    assert covering(c, here).rule == "small-models"


def test_the_epsilon_is_worked_out_only_where_nothing_cheaper_stands_against_a_study(
    c, here, monkeypatch
):
    asked = []
    monkeypatch.setattr(rule_approval, "worst_epsilon", lambda study: asked.append(study) or 1)
    for cheap in ({"researchers": '["other"]'}, {"families": None}, {"until": f'"{YESTERDAY}"'}):
        own_policy.keep_policy(here, policy(**cheap))
        assert covering(c, here) is None
    assert asked == []
    # the control: where nothing else does, it is asked, once for all rules
    own_policy.keep_policy(here, policy(largest_epsilon='"0.5"'))
    assert covering(c, here) is None
    assert len(asked) == 1


def test_no_rule_is_no_yes(c, here):
    assert waits(c, here)
    own_policy.keep_policy(here, read_policy(HEAD.encode()))
    assert waits(c, here)


def test_a_study_with_a_fault_waits_though_a_rule_covers_it(c, here):
    own_policy.keep_policy(here, policy("least_hospitals = 9\n"))
    assert covering(c, here) is not None
    assert waits(c, here)


def test_what_the_owner_has_begun_to_decide_waits(c, here, monkeypatch):
    own_policy.keep_policy(here, policy())
    here.ledger.pause("ward moves")
    assert waits(c, here)
    here.ledger.resume()
    assert covering(c, here) is not None
    monkeypatch.setattr(questions, "_kept", lambda *_: [b"why so many rounds?"])
    assert waits(c, here)


def forged(here, rules):
    body = {"type": "securefl-own-policy/1", "site": here.name, "rules": rules}
    return dump_signed(body, here.identity.sign)


def test_a_rule_in_an_altered_or_unsigned_policy_approves_nothing(c, here):
    own_policy.keep_policy(here, policy(largest_epsilon='"0.1"'))
    file = here.path / "policy.signed"
    genuine = file.read_bytes()
    wide = policy().model_dump(mode="json", by_alias=True, exclude_none=True)
    for put in (
        genuine.replace(b'"0.1"', b'"9.1"'),  # the signature does not hold
        json.dumps(wide).encode(),  # none at all
        forged(here, wide),  # signed by the hospital's key, and the ledger names another
    ):
        assert put != genuine
        file.write_bytes(put)
        with pytest.raises(UnreadableError):
            approve_by_rule(here, c.study.digest, datetime.now(UTC))
        assert c.study.digest not in here.ledger.state.studies
    # the control: the same rule, signed the owner's way, covers it
    file.write_bytes(genuine)
    own_policy.keep_policy(here, policy())
    assert covering(c, here) is not None


def test_a_rule_that_no_ledger_names_approves_nothing(c):
    site = c.site(NAMES[1])
    c.hand_over(c.study, NAMES[1])
    wide = policy().model_dump(mode="json", by_alias=True, exclude_none=True)
    (site.path / "policy.signed").write_bytes(forged(site, wide))
    assert own_policy.kept_policy(site) is not None
    assert covering(c, site) is None
    note_own_files(site)
    assert covering(c, site) is not None
    own_policy.drop_policy(site)
    site.ledger.close()


def test_a_rule_of_a_policy_that_was_replaced_in_between_approves_nothing(c, here):
    own_policy.keep_policy(here, policy())
    yes = covering(c, here)
    found = review(here, c.study.sealed, datetime.now(UTC))
    own_policy.keep_policy(here, policy(researchers='["other"]'))
    with pytest.raises(NotApprovedError, match="not in force"):
        decisions.approve(here, found, yes)
    assert c.study.digest not in here.ledger.state.studies


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (text("approvers = 2\n"), "two people decide"),
        (text(families='["graph"]'), "people alone"),
        (text(until='"2027-02-30"'), "until"),
        (text(researchers="[]"), "researchers"),
        (text(studies=None), "studies"),
        (text() + text().removeprefix(HEAD), "one name"),
    ],
)
def test_what_no_rule_may_say_is_refused(given, why):
    with pytest.raises(StudyError, match=why):
        read_policy(given.encode())


def test_a_model_of_ones_own_is_beyond_every_rule(c, here):
    """Also beyond one that a later version of the file's rules let through."""
    train = c.study.sealed.study.stages[0]
    graph = type(train.model).model_construct(kind="graph", initial_seed="x")
    stages = (train.model_copy(update={"model": graph}), *c.study.sealed.study.stages[1:])
    own = c.study.sealed.study.model_copy(update={"stages": stages})
    rule = policy().approve_alone[0].model_copy(update={"families": ("graph",)})
    from decimal import Decimal

    from securefl.study.approve_alone import beyond_rule

    facts = {"epsilon": lambda: Decimal(1), "before": 0, "today": NOW.date()}
    assert beyond_rule(rule, own, **facts) == ["The researcher wrote the model: people read it."]
    assert beyond_rule(policy().approve_alone[0], c.study.sealed.study, **facts) == []
    program = own.model_copy(
        update={"code": own.code.model_copy(update={"entrypoint": "model.py"}), "stages": ()}
    )
    assert beyond_rule(rule, program, **facts) == ["The study brings code of its own."]


def test_the_form_of_the_console_takes_no_rule_away_and_gives_none(here):
    own_policy.keep_policy(here, policy())
    plan = owner_policy.plan_rules(here, {"least_hospitals": 2})
    assert plan.policy.approve_alone == policy().approve_alone
    own_policy.drop_policy(here)
    assert owner_policy.plan_rules(here, {"least_hospitals": 2}).policy.approve_alone is None


# --- the whole way, and what the audit says of it


def test_the_agents_desk_approves_once_and_audit_and_extract_name_the_rule(c, here):
    lines = []
    clock = iter(range(0, 10_000, 1000))
    desk = RuleDesk(lines.append, lambda: float(next(clock)))
    desk.turn(here)
    assert c.study.digest not in here.ledger.state.studies
    own_policy.keep_policy(here, policy(studies="1"))
    desk.turn(here)
    assert lines == [f"study {c.study.digest[:12]} was approved by your rule small-models"]
    kinds = [event.kind for event in here.ledger.events()][-3:]
    assert kinds == ["delegate", "approve", "reserve"]
    assert published_approvals.kept_approval(here, c.study.digest)
    report = read_audit(here.path).report
    assert report.verified
    (entry,) = report.approvals
    assert entry["rule"] == {
        "name": "small-models",
        "policy": own_policy.POLICY_FILE.digest(here),
    }
    assert extract(here.ledger.events(), c.study.digest)["study"]["rule"] == "small-models"
    page = plain_text(audit_overview(report))
    assert "Approved by a rule of this hospital's policy" in page
    assert "small-models" in page
    german = plain_text(catalogue("de").page(audit_overview(report)))
    assert "Von einer Regel dieses Krankenhauses genehmigt" in german
    # its most is reached, also where the rule is signed again
    other = c.new_study("asked-again")
    c.hand_over(other, ME)
    own_policy.keep_policy(here, policy(studies="1", until='"2100-01-01"'))
    assert approve_by_rule(here, other.digest, datetime.now(UTC)) is None
    own_policy.keep_policy(here, policy(studies="2"))
    assert rule_for(here, other.digest, other.sealed.study, datetime.now(UTC)) is not None


def test_without_the_rules_event_the_ledger_refuses_and_the_audit_convicts(tmp_path, monkeypatch):
    def ledger(name, *, delegated):
        made = new_ledger(tmp_path / name)
        made.keep_file("policy.signed", "f1" * 32)
        if delegated:
            made.delegate(digest(1), rule="counts", policy="f1" * 32)
        return made

    with pytest.raises(NotApprovedError, match="no event says"):
        ledger_approve(ledger("refused", delegated=False), 1, rule="counts")
    with pytest.raises(NotApprovedError, match="no event says"):
        ledger_approve(ledger("another", delegated=True), 1, rule="models")
    # somebody with the keys and another program writes it all the same: chain and signatures hold
    with monkeypatch.context() as patch:
        patch.setattr(ledger_state, "check_delegated", lambda *_: None)
        made = ledger("forged", delegated=False)
        ledger_approve(made, 1, rule="counts")
        made.close()
        assert read_ledger(tmp_path / "forged", verify=verify).fault is None
    fault = read_ledger(tmp_path / "forged", verify=verify).fault
    assert isinstance(fault, LedgerAlteredError)
    # the control: with the event the same approval holds
    made = ledger("sound", delegated=True)
    ledger_approve(made, 1, rule="counts")
    made.close()
    assert read_ledger(tmp_path / "sound", verify=verify).fault is None


def test_an_approval_of_the_owner_has_the_text_it_always_had():
    fields = {
        "at": "2026-03-01T12:00:00Z",
        "study": "aa" * 32,
        "id": "x",
        "researcher": "r",
        "statement": "bb" * 32,
        "cost": 1,
    }
    own = ev.dump_event(ev.Approve(**fields))
    assert "rule" not in json.loads(own)
    assert ev.dump_event(ev.load_event(own)) == own
    with pytest.raises(UnreadableError):
        ev.load_event(own.replace('"researcher":"r",', '"researcher":"r","rule":null,'))
