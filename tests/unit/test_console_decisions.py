"""Two people's words and counter-offers in the browser, over the owner's use cases alone."""

import itertools
import re

import pytest
from console_client import ConsoleClient
from consortium import NAMES, Consortium

from securefl.node import people as kept_people
from securefl.node.own_policy import drop_policy, keep_policy
from securefl.study.owner_policy import made_policy

ME = NAMES[0]
NUMBERS = itertools.count(1)
ANN, BEN = ("ann", "four words of ann"), ("ben", "four words of ben")


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("console"))


@pytest.fixture(scope="module")
def client(c):
    made = ConsoleClient(c.root / ME)
    made.open()
    yield made
    made.close()


@pytest.fixture(scope="module")
def listed(c):
    """Two people on the hospital's list."""
    site = c.site(ME)
    for name, passphrase in (ANN, BEN):
        kept_people.add_person(site, name, passphrase, "2026-11-01T08:00:00Z")
    yield
    site.ledger.close()


@pytest.fixture
def two(c, listed):
    """A policy that asks both."""
    site = c.site(ME)
    keep_policy(site, made_policy({"schema": "securefl-policy/1", "approvers": 2}))
    yield
    drop_policy(site)
    site.ledger.close()


def study_of(c):
    study = c.new_study(f"decided-{next(NUMBERS)}")
    c.hand_over(study, ME)
    return study, f"requests/{study.digest}"


def short(study):
    return f"{study.sealed.study.study.id}-{study.digest[:12]}"


def give(client, place, who, word):
    name, passphrase = who
    return client.post(f"{place}/word", person=name, passphrase=passphrase, word=word)


# --- two people


def test_two_people_agree_and_neither_sees_the_others_word_before(client, c, two):
    study, place = study_of(c)
    before = client.get(place)
    assert "Nobody has given a word yet." in before.words
    assert f'action="/{client.room}/{place}/approve"' not in before.text
    answer = give(client, place, ANN, "yes")
    assert answer.status == 303
    assert answer.header("location").endswith(f"{place}#words")
    page = client.get(place)
    assert "ann : sealed" in page.words
    assert re.findall(r"<option>(\w+)</option>", page.text) == ["ben"]
    assert give(client, place, BEN, "yes").status == 303
    page = client.get(place)
    assert "ann : sealed" in page.words
    assert "ben : yes" in page.words
    assert re.findall(r"<option>(\w+)</option>", page.text) == ["ann"], "the first opens theirs"
    assert client.post(f"{place}/approve", typed=short(study)).status == 409
    opened = client.post(f"{place}/open-word", person=ANN[0], passphrase=ANN[1])
    assert opened.status == 303
    assert "Both said yes" in client.get(place).words
    assert client.post(f"{place}/approve", typed=short(study)).status == 303
    assert c.status(ME, study) == "approved"


def test_a_no_of_one_of_two_leaves_only_the_refusal(client, c, two):
    study, place = study_of(c)
    give(client, place, ANN, "no")
    # the word is nowhere on the page, whatever the second looks at
    section = client.get(place).text.partition('id="words"')[2].partition("</ul>")[0]
    assert "no<" not in section.replace("\n", "")
    give(client, place, BEN, "yes")
    client.post(f"{place}/open-word", person=ANN[0], passphrase=ANN[1])
    page = client.get(place)
    assert "Not both said yes" in page.words
    assert f"{place}/approve" not in page.text
    assert client.post(f"{place}/approve", typed=short(study)).status == 409
    assert c.status(ME, study) is None
    assert client.post(f"{place}/refuse", reason="not both").status == 303


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"person": "ann", "passphrase": "another of ann", "word": "yes"}, "not the passphrase"),
        ({"person": "eve", "passphrase": "four words", "word": "yes"}, "not on the list"),
        ({"person": "ann", "passphrase": ANN[1]}, "No word was chosen"),
        ({"person": "ann", "passphrase": ANN[1], "word": "maybe"}, "No word was chosen"),
    ],
)
def test_a_word_that_is_none_is_not_kept(client, c, two, form, said):
    _, place = study_of(c)
    answer = client.post(f"{place}/word", **form)
    assert answer.status == 409
    assert said in answer.words
    assert ANN[1] not in answer.text
    assert "Nobody has given a word yet." in client.get(place).words


def test_a_word_is_given_once(client, c, two):
    _, place = study_of(c)
    assert give(client, place, ANN, "yes").status == 303
    assert give(client, place, ANN, "no").status == 409
    early = client.post(f"{place}/open-word", person=ANN[0], passphrase=ANN[1])
    assert (early.status, "when both are there" in early.words) == (409, True)


def test_where_one_decides_nobodys_word_is_asked_for(client, c, listed):
    _, place = study_of(c)
    page = client.get(place)
    assert "The word of two people" not in page.words
    assert f"{place}/approve" in page.text
    assert give(client, place, ANN, "yes").status == 409


# --- offers


def test_a_counter_offer_refuses_and_tells_the_researcher_what_would_do(client, c):
    study, place = study_of(c)
    page = client.get(place).words
    assert "Most epsilon of a new study; this one asks for 1" in page
    for epsilon, until, typed in (
        ("0.5", "", "another"),
        ("", "", short(study)),
        ("x", "", short(study)),
        ("1000", "", short(study)),
        ("0.5", "next week", short(study)),
        ("0.5", "1999-01-01", short(study)),
    ):
        form = {"epsilon": epsilon, "until": until, "typed": typed}
        assert client.post(f"{place}/offer", **form).status == 409
    assert "You refused it" not in client.get(place).words
    answer = client.post(f"{place}/offer", epsilon=" 0.5 ", until="", typed=short(study))
    assert answer.status == 303
    assert "You refused it" in client.get(place).words
    assert any(b'"0.5"' in data for name, data in c.objects().items() if "offer" in name)
    assert client.post(f"{place}/offer", epsilon="0.4", typed=short(study)).status == 409


def test_the_forms_of_a_decision_are_in_german_too(client, c, two):
    _, place = study_of(c)
    words = client.get(place, ("accept-language", "de")).words
    assert "Ein Wort geben" in words
    assert "Höchstes Epsilon einer neuen Studie; diese verlangt 1" in words
    assert "Tag, vor dem eine neue Studie endet; diese schließt am 2999-01-01" in words
