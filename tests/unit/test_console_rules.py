"""People and policy in the browser: a page says what would happen, and a second form is the yes."""

import re

import pytest
from console_client import ConsoleClient
from consortium import NAMES, Consortium

from securefl.console.views.policy import RULES as FIELDS
from securefl.node.own_policy import kept_policy
from securefl.node.people import people_of
from securefl.report.catalogue import catalogue

ME = NAMES[0]
PLACE = "settings/people"
RULES = "settings/policy"


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("console"))


@pytest.fixture(scope="module")
def client(c):
    made = ConsoleClient(c.root / ME)
    made.open()
    yield made
    made.close()


def own(c, read):
    site = c.site(ME)
    try:
        return read(site)
    finally:
        site.ledger.close()


def names(c):
    return [person.name for person in own(c, people_of)]


def add(client, name, passphrase="", again=None, **more):
    passphrase = passphrase or f"four words of {name}"
    form = {"name": name, "passphrase": passphrase, "again": again or passphrase}
    return client.post(f"{PLACE}/add", **form, **more)


def two(first="anna", second="bela", **wrong):
    given = {
        "person-1": first,
        "passphrase-1": f"four words of {first}",
        "person-2": second,
        "passphrase-2": f"four words of {second}",
    }
    return given | wrong


def test_a_policy_of_two_from_its_first_person_to_its_end(client, c):
    """In one test: each step needs the one before, and a guess at a passphrase costs a tenth of a
    second.
    """
    # a list of people
    assert "Nobody is listed" in client.get(PLACE).words
    for name, form in (
        ("anna", {"again": "four words of ann"}),
        ("anna", {"passphrase": "short", "again": "short"}),
        ("An na", {}),
    ):
        assert add(client, name, **form).status == 409
    assert names(c) == []
    # a policy of two before there are two
    plan = client.post(f"{RULES}/plan", approvers="2")
    assert "people who must agree 2" in plan.words
    assert "Until now No rule" in plan.words
    assert client.post(f"{RULES}/sign", **plan.carried).status == 409
    assert own(c, kept_policy) is None
    for name in ("anna", "bela"):
        assert add(client, name).status == 303
    assert names(c) == ["anna", "bela"]
    assert "four words" not in client.get(PLACE).text
    # signed, and what stood on the page is what holds
    plan = client.post(f"{RULES}/plan", approvers="2", researchers=" x, y ", largest_share="0.5")
    assert client.post(f"{RULES}/sign", **plan.carried).status == 303
    kept = own(c, kept_policy)
    assert (kept.approvers, kept.researchers, str(kept.largest_share)) == (2, ("x", "y"), "0.5")
    assert "who may ask x, y" in client.get("settings").words
    assert "wall network holds" in client.get("settings").words
    assert 'name="researchers" value="x, y"' in client.get(RULES).text
    # from now on two change both
    assert add(client, "eve").status == 409
    alone = {"person-1": "anna", "passphrase-1": "four words of anna"}
    assert add(client, "eve", **alone).status == 409
    assert names(c) == ["anna", "bela"]
    wrong = two(**{"passphrase-2": "four words of anna"})
    for given in ({}, wrong, two(second="anna")):
        assert client.post(f"{RULES}/drop", typed=ME, **given).status == 409
    assert client.post(f"{PLACE}/plan-remove", person="anna").status == 409
    assert client.post(f"{PLACE}/remove", person="anna", typed="anna", **two()).status == 409
    assert own(c, kept_policy) is not None
    page = client.post(f"{RULES}/plan-drop")
    assert "The policy asks two people" in page.words
    assert client.post(f"{RULES}/drop", typed="other", **two()).status == 409
    assert client.post(f"{RULES}/drop", typed=ME, **two()).status == 303
    assert own(c, kept_policy) is None
    # and one alone again
    page = client.post(f"{PLACE}/plan-remove", person="anna")
    assert "Their key is erased" in page.words
    assert "The policy asks two people" not in page.words
    assert names(c) == ["anna", "bela"]
    assert client.post(f"{PLACE}/remove", **page.carried, typed="bela").status == 409
    assert client.post(f"{PLACE}/remove", **page.carried, typed="anna").status == 303
    assert names(c) == ["bela"]
    assert client.faults == []


@pytest.mark.parametrize(
    "form",
    [
        {"largest_epsilon": "much"},
        {"largest_share": "2"},
        {"least_hospitals": "1"},
        {"least_hospitals": "9" * 30},
        {"approvers": "3"},
        {"purposes": "anything"},
        {"researchers": "<b>x</b>"},
        {"studies_at_once": "0"},
        {"families": "linear"},
        {"tasks": "binary, classification"},
    ],
)
def test_rules_that_are_none_are_refused_with_the_rule(client, c, form):
    answer = client.post(f"{RULES}/plan", **form)
    assert answer.status == 409
    assert "That is no policy" in answer.words
    assert "<b>x" not in answer.text
    assert client.post(f"{RULES}/sign", **form).status == 409
    assert own(c, kept_policy) is None


def test_a_rule_that_allows_nobody_never_becomes_one_that_allows_all(client, c):
    plan = client.post(f"{RULES}/plan", researchers="-")
    assert "who may ask nobody and nothing" in plan.words
    client.post(f"{RULES}/sign", **plan.carried)
    assert own(c, kept_policy).researchers == ()
    value = re.search(r'name="researchers" value="([^"]*)"', client.get(RULES).text)[1]
    again = client.post(f"{RULES}/plan", researchers=value)
    assert again.carried["researchers"] == "-"
    assert client.post(f"{RULES}/sign", **again.carried).status == 303
    assert own(c, kept_policy).researchers == ()
    client.post(f"{RULES}/drop", typed=ME)
    assert "There is nothing to do." in client.post(f"{RULES}/plan-drop").words


def test_a_policy_that_somebody_changed_is_said_and_can_be_signed_anew(client, c):
    file = c.root / ME / "policy.signed"
    client.post(f"{RULES}/sign", families="additive")
    file.write_bytes(file.read_bytes().replace(b"additive", b"subspace"))
    assert "somebody else changed it" in client.get(RULES).words
    assert client.post(f"{RULES}/sign", families="additive").status == 303
    assert own(c, kept_policy).families == ("additive",)
    assert client.post(f"{RULES}/drop", typed=ME).status == 303


def test_the_pages_of_rules_and_people_are_in_german(client):
    german = ("accept-language", "de")
    assert "Wer hier entscheidet" in client.get(PLACE, german).words
    assert "größtes Epsilon einer Studie" in client.get(RULES, german).words
    plan = client.post(f"{RULES}/plan", german, approvers="1").words
    assert "Neue Regeln für dieses Krankenhaus" in plan
    assert "Diese Regeln unterschreiben" in plan
    speech = catalogue("de")
    assert [
        rule for rule in FIELDS if not (speech.knows(rule.label) and speech.knows(rule.hint))
    ] == []


def test_every_rule_of_the_form_comes_back_as_it_was_typed(c, client):
    typed = {
        "researchers": "x, y",
        "purposes": "DUO:0000042",
        "tasks": "binary",
        "families": "-",
        "jurisdictions": "DE, AT",
        "walls": "files, cores",
        "largest_epsilon": "1",
        "largest_epsilon_quarter": "4.5",
        "largest_share": "0.5",
        "least_hospitals": "3",
        "studies_at_once": "2",
        "approvers": "1",
        "memory_gb": "8",
        "cores": "2",
        "processor_hours": "12",
        "hours": "20:00-06:00",
        "store_jurisdiction": "DE",
        "worker_may_have_network": "yes",
    }
    assert set(typed) == {rule.name for rule in FIELDS}
    plan = client.post(f"{RULES}/plan", **typed)
    assert "yes: rows could be sent anywhere" in plan.words
    assert "Walls on this machine under these rules" in plan.words
    assert client.post(f"{RULES}/sign", **plan.carried).status == 303
    assert own(c, kept_policy).walls == ("files", "cores")
    page = client.get(RULES).text
    for name, value in typed.items():
        assert f'name="{name}" value="{value}"' in page
    assert client.post(f"{RULES}/plan", worker_may_have_network="perhaps").status == 409
    assert client.post(f"{RULES}/drop", typed=ME).status == 303
