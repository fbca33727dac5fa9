"""Partners, budgets, patients and data sets in the browser: a page before each change, then a yes."""

import re
from decimal import Decimal

import pytest
from console_client import ConsoleClient
from consortium import NAMES, Consortium

from securefl.console.view import Act
from securefl.console.views import ACTS
from securefl.node.removed_patients import removed_patients

ME, OTHER = NAMES[:2]
BUDGETS, LEAVING = "data/budgets", "data/leaving"


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    made = Consortium(tmp_path_factory.mktemp("console"))
    made.study = made.new_study("asked")
    made.hand_over(made.study, ME)
    return made


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


# --- partners


def card_of(c, name):
    return (c.root / name / "keys" / "card.json").read_text(), c.site(name).identity.card.spoken


def cards(c):
    return own(c, lambda site: set(site.book.cards()))


def test_a_partner_is_taken_off_and_added_by_groups_that_the_page_did_not_show(client, c):
    card, spoken = card_of(c, OTHER)
    page = client.post("partners/plan-remove", partner=OTHER)
    assert "until its card is added again" in page.words
    assert client.post("partners/remove", partner=OTHER, typed="x").status == 409
    assert OTHER in cards(c)
    assert client.post("partners/remove", **page.carried, typed=OTHER).status == 303
    assert OTHER not in cards(c)
    assert client.post("partners/plan-remove", partner=OTHER).status == 409
    for heard in ("", "0000 " * 10, spoken[:-1], f"{spoken[:-1]}x"):
        for place in ("plan", "add"):
            answer = client.post(f"partners/{place}", card=card, heard=heard)
            assert answer.status == 409
            assert spoken[5:20] not in answer.words, "whoever can copy them does not telephone"
    assert OTHER not in cards(c)
    page = client.post("partners/plan", card=f"\n{card}\n", heard=spoken.upper().replace(" ", ""))
    assert "The groups that you typed are those of this card." in page.words
    assert client.post("partners/add", **page.carried).status == 303
    assert OTHER in cards(c)
    assert spoken in client.get("partners").words


@pytest.mark.parametrize("card", ["", "{}", "x" * 9000, "\x00", "null"])
def test_a_card_that_is_none_is_refused(client, c, card):
    answer = client.post("partners/plan", card=card, heard="0000")
    assert answer.status == 409
    assert "is not an identity card" in answer.words


def test_the_own_card_is_nobodys_partner(client, c):
    card, spoken = card_of(c, ME)
    assert client.post("partners/plan", card=card, heard=spoken).status == 409
    assert ME not in cards(c)


# --- budgets


def granted(c):
    return own(c, lambda site: site.ledger.state.budget("clinic").epsilon)


def test_a_budget_is_raised_as_its_page_said_and_once(client, c):
    before = granted(c)
    form = {"population": "clinic", "epsilon": "3", "delta": "0.00001"}
    text = c.study.sealed.text.decode()
    name = re.search(r"<option>(asked-\w+)</option>", client.get(BUDGETS).text)[1]
    for typical in ({"typical": text}, {"request": name}):
        page = client.post(f"{BUDGETS}/plan", **form, **typical)
        assert page.status == 200
        assert f"epsilon after this {before + 3}" in page.words
    assert granted(c) == before
    fields = page.carried
    assert client.post(f"{BUDGETS}/grant", **fields, typed="other").status == 409
    altered = {**fields, "epsilon": "30"}
    assert client.post(f"{BUDGETS}/grant", **altered, typed="clinic").status == 409
    assert granted(c) == before
    assert client.post(f"{BUDGETS}/grant", **fields, typed="clinic").status == 303
    assert granted(c) == before + 3
    again = client.post(f"{BUDGETS}/grant", **fields, typed="clinic")
    assert (again.status, "changed since" in again.words) == (409, True)
    assert granted(c) == before + Decimal(3)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"epsilon": "much"}, "is no epsilon of a budget"),
        ({"epsilon": "-1"}, "is no epsilon of a budget"),
        ({"epsilon": "1", "delta": "0.5"}, "is no delta of a budget"),
        ({"epsilon": "1", "delta": "0.00001"}, "No typical study was named"),
        ({"epsilon": "1", "delta": "0.00001", "request": "none-such"}, "none-such"),
        ({"epsilon": "1", "delta": "0.00001", "typical": "x = 1"}, "was shown or done"),
        ({"epsilon": "1", "delta": "0.00001", "population": "<b>"}, "name of a population"),
    ],
)
def test_a_grant_that_is_none_is_refused_on_its_page(client, c, form, said):
    before = granted(c)
    full = {"population": "clinic", **form}
    if "population" in form:
        full["typical"] = c.study.sealed.text.decode()
    answer = client.post(f"{BUDGETS}/plan", **full)
    assert answer.status == 409
    assert said in answer.words
    assert granted(c) == before


def test_the_rest_of_a_budget_is_taken_back_for_good(client, c):
    page = client.post(f"{BUDGETS}/plan-revoke", population="clinic", note="enough")
    assert "Nothing was spent so far." in page.words
    fields = page.carried
    assert client.post(f"{BUDGETS}/revoke", **fields, typed="Clinic").status == 409
    assert client.post(f"{BUDGETS}/revoke", **fields, typed="clinic").status == 303
    assert own(c, lambda site: site.ledger.state.budget("clinic").revoked)
    assert client.post(f"{BUDGETS}/plan-revoke", population="clinic").status == 409
    # a new grant opens it again
    form = {"population": "clinic", "epsilon": "50", "delta": "0.00001"}
    page = client.post(f"{BUDGETS}/plan", **form, typical=c.study.sealed.text.decode())
    assert "what was left of it does not come back" in page.words
    assert client.post(f"{BUDGETS}/grant", **page.carried, typed="clinic").status == 303
    assert not own(c, lambda site: site.ledger.state.budget("clinic").revoked)


def test_what_a_form_carries_on_comes_back_as_it_was_sent(client):
    text = "a&b\"'<script>\r\nsecond\u202eline\tend"
    page = client.post(f"{BUDGETS}/plan-revoke", population="clinic", note=text)
    assert page.carried["note"] == text
    assert "<script>" not in page.text


# --- leaving


def out(c):
    return own(c, lambda site: removed_patients(site, "clinic").hashes)


def test_patients_are_taken_out_and_their_identifiers_stand_nowhere(client, c):
    rows = (c.root / ME / "private" / "records.csv").read_text().splitlines()
    ids = [row.split(",")[0] for row in rows[1:3]]
    page = client.post(
        f"{LEAVING}/plan-patients", population="clinic", identifiers="\r\n".join([*ids, "nobody-9"])
    )
    assert "3 identifiers given; 2 of them in your tables now." in page.words
    assert "cannot be undone" in page.words
    assert out(c) == frozenset()
    fields = page.carried
    assert client.post(f"{LEAVING}/patients", **fields, typed="x").status == 409
    assert out(c) == frozenset()
    answer = client.post(f"{LEAVING}/patients", **fields, typed="clinic")
    assert (answer.status, answer.header("location")) == (303, f"/{client.room}/{LEAVING}?done")
    assert len(out(c)) == 3
    kept = b"".join(f.read_bytes() for f in (c.root / ME).glob("*") if f.is_file())
    assert b"nobody-9" not in kept
    again = client.post(f"{LEAVING}/plan-patients", **fields)
    assert "There is nothing to do." in again.words
    for odd in ({"population": "none"}, {"identifiers": "\r\n"}):
        assert client.post(f"{LEAVING}/plan-patients", **{**fields, **odd}).status == 409


def test_only_acts_that_read_no_rows_are_done_where_decisions_are(c):
    """Others see the moment of a decision; a removal looks into tables."""
    assert [act.path for act in ACTS if isinstance(act, Act) and act.counts] == [
        "/requests/{digest}/look",
        "/data/leaving/patients",
    ]


def test_a_data_set_is_taken_away_and_its_file_stays(client, c):
    page = client.post(f"{LEAVING}/plan-table", name="records")
    assert "The file itself stays as it is." in page.words
    assert client.post(f"{LEAVING}/table", name="records", typed="record").status == 409
    assert [d.name for d in own(c, lambda site: site.settings.datasets)] == ["records"]
    assert client.post(f"{LEAVING}/table", **page.carried, typed="records").status == 303
    assert own(c, lambda site: site.settings.datasets) == ()
    assert (c.root / ME / "private" / "records.csv").is_file()
    assert client.post(f"{LEAVING}/plan-table", name="records").status == 409
    assert "No data set is registered here." in client.get(LEAVING).words
    assert client.faults == []


def test_the_pages_of_changes_are_in_german(client, c):
    german = ("accept-language", "de")
    for place, said in (
        ("partners", "Die zehn Gruppen, die Sie gehört haben"),
        (BUDGETS, "Ein Budget gewähren"),
        (LEAVING, "Patienten herausnehmen"),
    ):
        assert said in client.get(place, german).words
    page = client.post(
        f"{LEAVING}/plan-patients", german, population="clinic", identifiers="nobody-10"
    )
    assert "1 Kennung genannt; 0 davon" in page.words
    assert "Herausnehmen" in page.words
