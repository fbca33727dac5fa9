"""What the owner rules beforehand, in the ledger: files that they signed, and the yes of a rule."""

import pytest
from ledger_site import approve, digest, new_ledger

from securefl.errors import NotApprovedError
from securefl.privacy.ledger_delegation import POLICY

POLICY_SHA = "f1" * 32
OTHER_SHA = "f2" * 32


@pytest.fixture
def ledger(tmp_path):
    with new_ledger(tmp_path / "ledger.sqlite") as made:
        made.keep_file(POLICY, POLICY_SHA)
        yield made


def written(ledger, act):
    """Events that an act writes."""
    before = ledger.size
    act()
    return ledger.size - before


def test_a_file_is_noted_once_and_again_when_it_changed(ledger):
    assert written(ledger, lambda: ledger.keep_file(POLICY, POLICY_SHA)) == 0
    assert written(ledger, lambda: ledger.keep_file(POLICY, OTHER_SHA)) == 1
    assert ledger.state.own_files[POLICY] == OTHER_SHA
    assert written(ledger, lambda: ledger.keep_file(POLICY, None)) == 1
    assert written(ledger, lambda: ledger.keep_file(POLICY, None)) == 0
    assert written(ledger, lambda: ledger.keep_file(POLICY, OTHER_SHA)) == 1


def test_that_there_is_no_file_is_noted_also_where_none_was_known(ledger):
    assert written(ledger, lambda: ledger.keep_file("people.signed", None)) == 1
    assert ledger.state.own_files["people.signed"] is None


def test_a_rules_yes_is_said_once_and_another_rules_replaces_it(ledger):
    def say(rule):
        ledger.delegate(digest(1), rule=rule, policy=POLICY_SHA)

    assert written(ledger, lambda: say("counts")) == 1
    assert written(ledger, lambda: say("counts")) == 0
    assert written(ledger, lambda: say("models")) == 1
    assert ledger.state.delegated[digest(1)].rule == "models"


def test_a_rules_yes_is_said_again_for_a_policy_that_was_signed_anew(ledger):
    ledger.delegate(digest(1), rule="counts", policy=POLICY_SHA)
    ledger.keep_file(POLICY, OTHER_SHA)
    again = written(ledger, lambda: ledger.delegate(digest(1), rule="counts", policy=OTHER_SHA))
    assert again == 1


def test_no_rule_says_yes_to_a_study_that_the_owner_refused(ledger):
    ledger.refuse(study=digest(1), study_id="s", researcher="r", dataset="visits")
    with pytest.raises(NotApprovedError, match="decided here before"):
        ledger.delegate(digest(1), rule="counts", policy=POLICY_SHA)


def test_an_approval_by_a_rule_has_that_rules_yes_before_it(ledger):
    with pytest.raises(NotApprovedError, match="no event says that this rule said yes"):
        approve(ledger, rule="counts")
    ledger.delegate(digest(1), rule="counts", policy=POLICY_SHA)
    with pytest.raises(NotApprovedError, match="no event says that this rule said yes"):
        approve(ledger, rule="models")
    approve(ledger, rule="counts")
    assert ledger.state.studies[digest(1)].approval.rule == "counts"


def test_an_approval_without_a_rule_is_the_owners_own(ledger):
    ledger.delegate(digest(1), rule="counts", policy=POLICY_SHA)
    ledger.keep_file(POLICY, OTHER_SHA)
    approve(ledger)
    assert ledger.state.studies[digest(1)].approval.rule is None


@pytest.mark.parametrize("after", [OTHER_SHA, None])
def test_a_yes_of_a_policy_that_was_replaced_approves_nothing(ledger, after):
    ledger.delegate(digest(1), rule="counts", policy=POLICY_SHA)
    ledger.keep_file(POLICY, after)
    with pytest.raises(NotApprovedError, match="not in force"):
        approve(ledger, rule="counts")
